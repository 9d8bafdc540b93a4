//! The members that stand behind a sink.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use crate::afterwards::Afterwards;
use crate::channel::Dispatched;
use crate::member::MemberId;
use crate::memberships::Memberships;
use crate::message::Message;
use crate::pubsub::PubSub;
use crate::registry::Joins;
use crate::sink::Sink;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard, lock};
use crate::topics::Topics;

/// Where the members of one [`Sink`] come in. A clone is the same door.
///
/// The sink is let go of when its doors and members are gone.
#[derive(Debug, Clone)]
pub struct Door(Arc<Opened>);

#[derive(Debug)]
struct Opened {
    gate: Arc<Gate>,
    pubsub: PubSub,
}

/// A member behind a [`Sink`]. What is broadcast on its channels goes to the sink, and so does what is
/// [sent](PubSub::send_to) to it alone. Dropping it ends its memberships at once.
///
/// See [`Sink`] for an example.
#[derive(Debug)]
pub struct Member {
    id: MemberId,
    memberships: Arc<Memberships>,
    door: Door,
    /// Speaks for this member.
    pubsub: PubSub,
}

impl Door {
    pub(crate) fn new(pubsub: &PubSub, sink: Arc<dyn Sink>) -> Self {
        let gate = pubsub.registry().open_gate(sink);
        if let Some(scope) = pubsub.scope() {
            scope.add_gate(&gate, pubsub.registry());
        }
        let pubsub = pubsub.clone();
        Door(Arc::new(Opened { gate, pubsub }))
    }

    /// A new member behind the sink, on no channel yet.
    pub fn member(&self) -> Member {
        let Opened { gate, pubsub } = &*self.0;
        let id = pubsub.new_member();
        let memberships = Arc::new(Memberships::default());
        gate.members().insert(id, Arc::downgrade(&memberships));
        if gate.is_closed() {
            memberships.end(); // it came too late
        }
        pubsub.registry().add_behind(id, gate);
        Member {
            id,
            memberships,
            pubsub: pubsub.speaking_for(id),
            door: self.clone(),
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.pubsub.registry().forget_gate(self.gate.number);
        if let Some(scope) = self.pubsub.scope() {
            scope.remove(self.gate.number);
        }
    }
}

impl Member {
    /// The name under which it is a member.
    pub fn id(&self) -> MemberId {
        self.id
    }

    /// The pub/sub, with this member as the sender of what is broadcast through it.
    pub fn pubsub(&self) -> &PubSub {
        &self.pubsub
    }

    /// Joins `channel`, as [`Mailbox::join`](crate::Mailbox::join) does.
    pub fn join(&mut self, channel: &str) -> bool {
        self.enter(channel, Topics::all())
    }

    /// Joins `channel` for some of its topics, as [`Mailbox::join_topics`](crate::Mailbox::join_topics)
    /// does.
    pub fn join_topics(&mut self, channel: &str, topics: &[&str]) -> bool {
        self.enter(channel, Topics::only(topics))
    }

    fn enter(&mut self, channel: &str, topics: Topics) -> bool {
        self.pubsub.registry().join(channel, self.joins(), topics)
    }

    /// Leaves `channel`, and says whether it was a member.
    pub fn leave(&mut self, channel: &str) -> bool {
        self.pubsub.registry().leave(channel, self.joins())
    }

    /// Leaves all channels.
    pub fn leave_all(&mut self) {
        for channel in self.memberships.take() {
            self.leave(&channel);
        }
    }

    /// Tells that so many messages did not reach the member though the sink had [taken](crate::Taken)
    /// them: they are counted in [`Stats::lost`](crate::Stats::lost), and told in the log with other losses.
    /// To be called without locks of the sink's: it may write to the log.
    ///
    /// ```
    /// # use nova_pubsub::{MemberId, Message, Sink, Taken, Topics};
    /// # struct Queue;
    /// # impl Sink for Queue {
    /// #     fn joined(&self, _: &std::sync::Arc<str>, _: MemberId, _: &Topics) {}
    /// #     fn left(&self, _: &std::sync::Arc<str>, _: MemberId) {}
    /// #     fn message(&self, _: &Message, _: Option<MemberId>) -> Taken { Taken::all() }
    /// #     fn sent(&self, _: MemberId, _: &Message) -> Taken { Taken::all() }
    /// # }
    /// let pubsub = nova_pubsub::PubSub::new();
    /// let member = pubsub.sink(std::sync::Arc::new(Queue)).member();
    /// // … the socket of this member takes no more, and 3 messages wait for it …
    /// member.lost(3);
    /// assert_eq!(pubsub.stats().lost, 3);
    /// ```
    pub fn lost(&self, messages: usize) {
        self.pubsub.registry().lost_later(messages);
    }

    fn joins(&self) -> Joins<'_> {
        Joins::Behind(&self.door.0.gate, self.id, &self.memberships)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.leave_all();
        self.door.0.gate.members().remove(&self.id);
        self.pubsub.registry().forget(self.id);
    }
}

/// The registry's end of a door.
#[derive(Debug)]
pub(crate) struct Gate {
    number: u64,
    sink: Arc<dyn Sink>,
    closed: AtomicBool,
    /// All members, on a channel or not. A std mutex: a section is one operation on a map.
    members: Mutex<HashMap<MemberId, Weak<Memberships>>>,
}

impl Gate {
    pub(crate) fn new(number: u64, sink: Arc<dyn Sink>) -> Self {
        Gate {
            number,
            sink,
            closed: AtomicBool::new(false),
            members: Mutex::default(),
        }
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Calls the sink. A panic is left for [`Afterwards`], and so is to wake the sink.
    pub(crate) fn call<R>(
        self: &Arc<Self>,
        name: &'static str,
        after: &mut Afterwards,
        call: impl FnOnce(&dyn Sink) -> R,
    ) -> Option<R> {
        if self.is_closed() {
            return None;
        }
        after.gates.push(Arc::clone(self));
        self.catch(name, after, call)
    }

    /// Gives the sink what is for one of its members alone.
    pub(crate) fn sent(
        self: &Arc<Self>,
        member: MemberId,
        message: &Message,
        after: &mut Afterwards,
    ) -> Dispatched {
        if self.is_closed() {
            return Dispatched::default();
        }
        let taken = self.call("sent", after, |sink| sink.sent(member, message));
        Dispatched::of(taken, 1)
    }

    pub(crate) fn wake(&self, after: &mut Afterwards) {
        self.catch("wake", after, Sink::wake);
    }

    pub(crate) fn waiting(&self, after: &mut Afterwards) -> usize {
        self.catch("waiting", after, Sink::waiting).unwrap_or(0)
    }

    /// Ends the sink, and gives what its members have to leave.
    pub(crate) fn close(&self, after: &mut Afterwards) -> Vec<(MemberId, Arc<Memberships>)> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Vec::new();
        }
        self.catch("closed", after, Sink::closed);
        let members = std::mem::take(&mut *self.members());
        members
            .into_iter()
            .filter_map(|(id, memberships)| Some((id, memberships.upgrade()?)))
            .collect()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// After a panic the sink is called on: what state it is in is its own business.
    fn catch<R>(
        &self,
        name: &'static str,
        after: &mut Afterwards,
        call: impl FnOnce(&dyn Sink) -> R,
    ) -> Option<R> {
        catch_unwind(AssertUnwindSafe(|| call(&*self.sink)))
            .map_err(|panic| after.panics.push((name, panic)))
            .ok()
    }

    fn members(&self) -> MutexGuard<'_, HashMap<MemberId, Weak<Memberships>>> {
        lock(&self.members)
    }
}
