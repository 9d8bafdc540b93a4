//! The members of one channel, and the walk that delivers a message to them.
//!
//! All of this runs under the lock of the channel. What must not is left in an [`Afterwards`].

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::afterwards::Afterwards;
use crate::dense::Dense;
use crate::door::Gate;
use crate::inbox::Inbox;
use crate::inspection::ChannelInfo;
use crate::log::{Lazy, Log};
use crate::member::MemberId;
use crate::message::Message;
use crate::queue::Pushed;
use crate::sink::Taken;
use crate::topics::Topics;

/// How many mailboxes are fetched from memory together.
const SEATS_AT_ONCE: usize = 32;

#[derive(Debug, Default)]
pub(crate) struct Channel {
    mailboxes: Dense<Seat>,
    /// What mailboxes that want all topics have to take.
    log: Log,
    crowds: Dense<Crowd>,
    broadcasts: u64,
    delivered: u64,
    lost: u64,
}

/// The place of a mailbox.
#[derive(Debug)]
struct Seat {
    inbox: Arc<Inbox>,
    topics: Topics,
}

/// The members behind one sink.
#[derive(Debug)]
struct Crowd {
    gate: Arc<Gate>,
    members: HashMap<MemberId, Topics>,
    /// How many want all topics, and how many chose each of the others: so that what a broadcast
    /// costs does not depend on how many they are.
    want_all: usize,
    want: HashMap<Box<str>, usize>,
}

/// What one walk over a channel did.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Dispatched {
    pub(crate) delivered: usize,
    pub(crate) lost: usize,
    pub(crate) replaced: usize,
    pub(crate) disconnected: usize,
}

impl Channel {
    /// Adds a mailbox, or gives it other topics. Says whether it is new.
    pub(crate) fn join(&mut self, inbox: &Arc<Inbox>, topics: Topics) -> bool {
        let (seat, new) = self.mailboxes.get_or_insert(inbox.id().number(), || Seat {
            inbox: Arc::clone(inbox),
            topics: Topics::all(),
        });
        seat.topics = topics;
        new
    }

    pub(crate) fn leave(&mut self, inbox: &Inbox) -> bool {
        self.mailboxes.remove(inbox.id().number()).is_some()
    }

    /// Adds a member behind a sink, or gives it other topics. Says whether it is new.
    pub(crate) fn join_behind(
        &mut self,
        channel: &Arc<str>,
        gate: &Arc<Gate>,
        member: MemberId,
        topics: Topics,
        after: &mut Afterwards,
    ) -> bool {
        let (crowd, _) = self
            .crowds
            .get_or_insert(gate.number(), || Crowd::new(gate));
        if crowd.members.get(&member) == Some(&topics) {
            return false;
        }
        gate.call("joined", after, |sink| {
            sink.joined(channel, member, &topics);
        });
        crowd.add(member, topics)
    }

    pub(crate) fn leave_behind(
        &mut self,
        channel: &Arc<str>,
        gate: &Arc<Gate>,
        member: MemberId,
        after: &mut Afterwards,
    ) -> bool {
        let Some(crowd) = self.crowds.get_mut(gate.number()) else {
            return false;
        };
        if !crowd.remove(member) {
            return false;
        }
        if crowd.members.is_empty() {
            self.crowds.remove(gate.number());
        }
        gate.call("left", after, |sink| sink.left(channel, member));
        true
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.mailboxes.is_empty() && self.crowds.is_empty()
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = MemberId> {
        let mailboxes = self.mailboxes.iter().map(|(_, seat)| seat.inbox.id());
        let behind = self
            .crowds
            .iter()
            .flat_map(|(_, crowd)| crowd.members.keys());
        mailboxes.chain(behind.copied())
    }

    pub(crate) fn info(&self, name: &str) -> ChannelInfo {
        let behind = self.crowds.iter().map(|(_, crowd)| crowd.members.len());
        let waiting = self.mailboxes.iter().map(|(_, seat)| seat.inbox.fill().0);
        ChannelInfo {
            name: name.to_owned(),
            members: self.mailboxes.len() + behind.sum::<usize>(),
            broadcasts: self.broadcasts,
            delivered: self.delivered,
            lost: self.lost,
            fullest: waiting.max().unwrap_or(0),
        }
    }

    /// Gives `message` to every member that wants it but `except`.
    pub(crate) fn dispatch(
        &mut self,
        message: &Message,
        except: Option<MemberId>,
        after: &mut Afterwards,
    ) -> Dispatched {
        let mut done = Dispatched::default();
        if !self.mailboxes.is_empty() {
            let mut logged = Lazy::new(&mut self.log, message);
            let except = except.map(MemberId::number); // so that no walk reads an id from an inbox
            for seats in self.mailboxes.chunks(SEATS_AT_ONCE) {
                seats.iter().for_each(|(_, seat)| seat.inbox.fetch());
                for (number, seat) in seats {
                    if Some(*number) != except {
                        done.add(seat.push(&mut logged, after).into());
                    }
                }
            }
            after.dropped.segments.extend(logged.into_segment());
        }
        for (_, crowd) in self.crowds.iter() {
            done.add(crowd.dispatch(message, except, after));
        }
        self.broadcasts += 1;
        self.delivered += done.delivered as u64;
        self.lost = self.lost.saturating_add(done.lost as u64);
        done
    }
}

impl Seat {
    fn push(&self, logged: &mut Lazy<'_>, after: &mut Afterwards) -> Pushed {
        let message = logged.message();
        if self.topics.is_all() {
            self.inbox.push_logged(logged, after)
        } else if self.topics.wants(message.topic()) {
            self.inbox.push(message.clone(), after)
        } else {
            Pushed::Refused
        }
    }
}

impl Crowd {
    fn new(gate: &Arc<Gate>) -> Self {
        Crowd {
            gate: Arc::clone(gate),
            members: HashMap::new(),
            want_all: 0,
            want: HashMap::new(),
        }
    }

    fn add(&mut self, member: MemberId, topics: Topics) -> bool {
        let new = !self.remove(member);
        match topics.chosen() {
            None => self.want_all += 1,
            Some(chosen) => chosen.for_each(|topic| {
                *self.want.entry(topic.into()).or_default() += 1;
            }),
        }
        self.members.insert(member, topics);
        new
    }

    fn remove(&mut self, member: MemberId) -> bool {
        let Some(topics) = self.members.remove(&member) else {
            return false;
        };
        match topics.chosen() {
            None => self.want_all -= 1,
            Some(chosen) => chosen.for_each(|topic| {
                if let Entry::Occupied(mut count) = self.want.entry(topic.into()) {
                    *count.get_mut() -= 1;
                    if *count.get() == 0 {
                        count.remove();
                    }
                }
            }),
        }
        true
    }

    fn dispatch(
        &self,
        message: &Message,
        except: Option<MemberId>,
        after: &mut Afterwards,
    ) -> Dispatched {
        let topic = message.topic();
        let wanting = self.want_all + self.want.get(topic).copied().unwrap_or(0);
        let is_here = |member| {
            self.members
                .get(&member)
                .is_some_and(|own| own.wants(topic))
        };
        let audience = wanting - usize::from(except.is_some_and(is_here));
        if audience == 0 || self.gate.is_closed() {
            return Dispatched::default();
        }
        let taken = self
            .gate
            .call("message", after, |sink| sink.message(message, except));
        Dispatched::of(taken, audience)
    }
}

impl Dispatched {
    /// What a sink did, or did not because it panicked.
    pub(crate) fn of(taken: Option<Taken>, audience: usize) -> Self {
        let (delivered, lost) = taken.unwrap_or_else(Taken::none).of(audience);
        Dispatched {
            delivered,
            lost,
            ..Dispatched::default()
        }
    }

    pub(crate) fn add(&mut self, other: Dispatched) {
        self.delivered += other.delivered;
        self.lost = self.lost.saturating_add(other.lost);
        self.replaced += other.replaced;
        self.disconnected += other.disconnected;
    }
}

impl From<Pushed> for Dispatched {
    fn from(pushed: Pushed) -> Self {
        let mut done = Dispatched::default();
        match pushed {
            Pushed::Taken => done.delivered = 1,
            Pushed::TakenForAnother => (done.delivered, done.replaced) = (1, 1),
            Pushed::TakenForLoss => (done.delivered, done.lost) = (1, 1),
            Pushed::Lost => done.lost = 1,
            Pushed::LostAndEnded => (done.lost, done.disconnected) = (1, 1),
            Pushed::Refused => {}
        }
        done
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::payload::Payload;
    use crate::policy::Policy;
    use crate::pubsub::PubSub;

    #[test]
    fn what_nobody_reads_there_is_not_written_into_the_log() {
        let pubsub = PubSub::new();
        let mut channel = Channel::default();
        let join = |channel: &mut Channel, policy, topics| {
            channel.join(
                &Arc::new(Inbox::new(pubsub.new_member(), 8, policy)),
                topics,
            );
        };
        let written = |channel: &mut Channel| {
            let payload = Payload::new(Arc::new(1), Arc::default());
            let message = Message::new("notes".into(), pubsub.sender(), "created", payload);
            let mut after = Afterwards::default();
            assert_eq!(channel.dispatch(&message, None, &mut after).lost, 0);
            after.dropped.segments.len()
        };

        join(&mut channel, Policy::DropOldest, Topics::only(&["created"]));
        join(&mut channel, Policy::KeepLatest, Topics::all());
        assert_eq!(written(&mut channel), 0);
        join(&mut channel, Policy::DropOldest, Topics::all());
        assert_eq!(written(&mut channel), 1);
    }
}
