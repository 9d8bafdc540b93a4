//! Joins, leaves, broadcasts, topics, policies and sinks, in any order, against a model that is as
//! simple as can be: lists that are searched from the front.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use nova_pubsub::{
    Change, Mailbox, Member, MemberId, Message, Monitor, Policy, PubSub, Received, Sink, Taken,
    Topics,
};
use proptest::prelude::*;

const CHANNELS: [&str; 3] = ["notes", "chat", "prices"];
const TOPICS: [&str; 3] = ["a", "b", "c"];
const MAILBOXES: usize = 5;
/// Whoever has a higher number stands behind the sink.
const PARTIES: usize = MAILBOXES + 3;

#[derive(Debug, Clone)]
enum Act {
    Join(usize, usize),
    JoinTopics(usize, usize, Vec<usize>),
    Leave(usize, usize),
    LeaveAll(usize),
    /// By nobody in particular.
    Broadcast(usize, usize),
    BroadcastFrom(usize, usize, usize),
    SendTo(usize, usize),
    Take(usize),
    /// Gone, and another in its place.
    Renew(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let (party, channel, topic) = (0..PARTIES, 0..CHANNELS.len(), 0..TOPICS.len());
    let topics = prop::collection::vec(topic.clone(), 0..3);
    prop_oneof![
        3 => (party.clone(), channel.clone()).prop_map(|(who, on)| Act::Join(who, on)),
        2 => (party.clone(), channel.clone(), topics).prop_map(|(who, on, topics)| Act::JoinTopics(who, on, topics)),
        1 => (party.clone(), channel.clone()).prop_map(|(who, on)| Act::Leave(who, on)),
        1 => party.clone().prop_map(Act::LeaveAll),
        12 => (channel.clone(), topic.clone()).prop_map(|(on, topic)| Act::Broadcast(on, topic)),
        4 => (party.clone(), channel, topic.clone()).prop_map(|(who, on, topic)| Act::BroadcastFrom(who, on, topic)),
        2 => (party.clone(), topic).prop_map(|(who, topic)| Act::SendTo(who, topic)),
        6 => party.clone().prop_map(Act::Take),
        1 => party.prop_map(Act::Renew),
    ]
}

fn kind() -> impl Strategy<Value = (usize, Policy)> {
    let policy = prop_oneof![
        Just(Policy::DropOldest),
        Just(Policy::DropNewest),
        Just(Policy::Disconnect),
        Just(Policy::KeepLatest),
    ];
    (prop_oneof![1usize..5, 15usize..20], policy)
}

/// What a member gets: the channel, the topic and the number of a message, or a loss.
#[derive(Debug, Clone, PartialEq)]
enum Got {
    Message(String, String, u64),
    Lost(u64),
}

impl Got {
    fn of(message: &Message) -> Self {
        Got::Message(
            message.channel().to_owned(),
            message.topic().to_owned(),
            *message.decode().unwrap(),
        )
    }
}

/// A member as the model sees it.
struct Modelled {
    policy: Policy,
    capacity: usize,
    /// The topics by channel; `None` is all.
    joined: BTreeMap<usize, Option<BTreeSet<usize>>>,
    queue: Vec<Got>,
    ended: bool,
}

impl Modelled {
    fn new((capacity, policy): (usize, Policy)) -> Self {
        Modelled {
            policy,
            capacity,
            joined: BTreeMap::new(),
            queue: Vec::new(),
            ended: false,
        }
    }

    fn join(&mut self, channel: usize, topics: Option<&[usize]>) -> bool {
        let topics = topics.map(|topics| topics.iter().copied().collect());
        !self.ended && self.joined.insert(channel, topics).is_none()
    }

    fn wants(&self, channel: usize, topic: usize) -> bool {
        let topics = self.joined.get(&channel);
        topics.is_some_and(|topics| topics.as_ref().is_none_or(|some| some.contains(&topic)))
    }

    fn waiting(&self) -> usize {
        let messages = self.queue.iter();
        messages
            .filter(|got| matches!(got, Got::Message(..)))
            .count()
    }

    /// How many messages were delivered by this, and how many lost.
    fn push(&mut self, message: Got) -> (usize, usize) {
        if self.ended {
            return (0, 0);
        }
        if let (Policy::KeepLatest, Got::Message(channel, topic, _)) = (self.policy, &message)
            && !channel.is_empty()
        {
            let before = self.queue.len();
            self.queue.retain(
                |got| !matches!(got, Got::Message(other, of, _) if other == channel && of == topic),
            );
            if self.queue.len() < before {
                self.queue.push(message);
                return (1, 0);
            }
        }
        if self.waiting() < self.capacity {
            self.queue.push(message);
            return (1, 0);
        }
        match self.policy {
            Policy::DropNewest | Policy::Disconnect => {
                match self.queue.last_mut() {
                    Some(Got::Lost(lost)) => *lost += 1,
                    _ => self.queue.push(Got::Lost(1)),
                }
                if self.policy == Policy::Disconnect {
                    self.ended = true;
                    self.joined.clear();
                }
                (0, 1)
            }
            _ => {
                let lost = match self.queue.remove(0) {
                    Got::Lost(lost) => {
                        self.queue.remove(0);
                        lost + 1
                    }
                    Got::Message(..) => 1,
                };
                self.queue.insert(0, Got::Lost(lost));
                self.queue.push(message);
                (1, 1)
            }
        }
    }
}

/// A sink that knows of its members what it was told, and delivers to each by itself.
#[derive(Default)]
struct Desk(Mutex<Told>);

#[derive(Default)]
struct Told {
    joined: BTreeMap<(String, MemberId), Topics>,
    delivered: BTreeMap<MemberId, Vec<Got>>,
}

impl Sink for Desk {
    fn joined(&self, channel: &Arc<str>, member: MemberId, topics: &Topics) {
        let mut told = self.0.lock().unwrap();
        told.joined
            .insert((channel.to_string(), member), topics.clone());
    }

    fn left(&self, channel: &Arc<str>, member: MemberId) {
        let key = (channel.to_string(), member);
        assert!(self.0.lock().unwrap().joined.remove(&key).is_some());
    }

    fn message(&self, message: &Message, except: Option<MemberId>) -> Taken {
        let told = &mut *self.0.lock().unwrap();
        let mut anybody = false;
        for ((channel, member), topics) in &told.joined {
            if channel == message.channel()
                && Some(*member) != except
                && topics.wants(message.topic())
            {
                anybody = true;
                told.delivered
                    .entry(*member)
                    .or_default()
                    .push(Got::of(message));
            }
        }
        assert!(anybody, "it is not called for nobody");
        Taken::all()
    }

    fn sent(&self, member: MemberId, message: &Message) -> Taken {
        let told = &mut *self.0.lock().unwrap();
        told.delivered
            .entry(member)
            .or_default()
            .push(Got::of(message));
        Taken::all()
    }
}

/// A member as it is.
enum Party {
    Mailbox(Mailbox),
    Behind(Member, Arc<Desk>),
}

impl Party {
    fn id(&self) -> MemberId {
        match self {
            Party::Mailbox(mailbox) => mailbox.id(),
            Party::Behind(member, _) => member.id(),
        }
    }

    fn pubsub(&self) -> &PubSub {
        match self {
            Party::Mailbox(mailbox) => mailbox.pubsub(),
            Party::Behind(member, _) => member.pubsub(),
        }
    }

    fn join(&mut self, channel: &str, topics: Option<&[&str]>) -> bool {
        match (self, topics) {
            (Party::Mailbox(mailbox), None) => mailbox.join(channel),
            (Party::Mailbox(mailbox), Some(topics)) => mailbox.join_topics(channel, topics),
            (Party::Behind(member, _), None) => member.join(channel),
            (Party::Behind(member, _), Some(topics)) => member.join_topics(channel, topics),
        }
    }

    fn leave(&mut self, channel: &str) -> bool {
        match self {
            Party::Mailbox(mailbox) => mailbox.leave(channel),
            Party::Behind(member, _) => member.leave(channel),
        }
    }

    fn leave_all(&mut self) {
        match self {
            Party::Mailbox(mailbox) => mailbox.leave_all(),
            Party::Behind(member, _) => member.leave_all(),
        }
    }

    fn take(&mut self) -> Option<Got> {
        match self {
            Party::Mailbox(mailbox) => mailbox.try_recv().map(|received| match received {
                Received::Message(message) => Got::of(&message),
                Received::Lagged(lost) => Got::Lost(lost),
            }),
            Party::Behind(member, desk) => {
                let told = &mut *desk.0.lock().unwrap();
                let delivered = told.delivered.get_mut(&member.id())?;
                (!delivered.is_empty()).then(|| delivered.remove(0))
            }
        }
    }
}

struct World {
    pubsub: PubSub,
    door: nova_pubsub::Door,
    desk: Arc<Desk>,
    kinds: Vec<(usize, Policy)>,
    parties: Vec<Party>,
    model: Vec<Modelled>,
    monitors: Vec<(Monitor, BTreeSet<MemberId>)>,
    numbers: u64,
    delivered: u64,
    lost: u64,
}

impl World {
    fn new(mut kinds: Vec<(usize, Policy)>) -> Self {
        // A desk has room for everything.
        kinds.resize(PARTIES, (usize::MAX, Policy::DropOldest));
        let pubsub = PubSub::new();
        let desk = Arc::new(Desk::default());
        let mut world = World {
            door: pubsub.sink(desk.clone()),
            desk,
            parties: Vec::new(),
            model: kinds.iter().copied().map(Modelled::new).collect(),
            kinds,
            monitors: CHANNELS
                .iter()
                .map(|channel| (pubsub.monitor(channel), BTreeSet::new()))
                .collect(),
            pubsub,
            numbers: 0,
            delivered: 0,
            lost: 0,
        };
        world.parties = (0..PARTIES).map(|who| world.make(who)).collect();
        world
    }

    fn make(&self, who: usize) -> Party {
        let (capacity, policy) = self.kinds[who];
        match who < MAILBOXES {
            true => Party::Mailbox(self.pubsub.mailbox_with(capacity, policy)),
            false => Party::Behind(self.door.member(), self.desk.clone()),
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Join(who, on) => {
                let expected = self.model[who].join(on, None);
                assert_eq!(self.parties[who].join(CHANNELS[on], None), expected);
            }
            Act::JoinTopics(who, on, ref topics) => {
                let names: Vec<_> = topics.iter().map(|&topic| TOPICS[topic]).collect();
                let expected = self.model[who].join(on, Some(topics));
                assert_eq!(self.parties[who].join(CHANNELS[on], Some(&names)), expected);
            }
            Act::Leave(who, on) => {
                let expected = self.model[who].joined.remove(&on).is_some();
                assert_eq!(self.parties[who].leave(CHANNELS[on]), expected);
            }
            Act::LeaveAll(who) => {
                self.model[who].joined.clear();
                self.parties[who].leave_all();
            }
            Act::Broadcast(on, topic) => self.broadcast(on, topic, None),
            Act::BroadcastFrom(who, on, topic) => self.broadcast(on, topic, Some(who)),
            Act::SendTo(who, topic) => {
                self.numbers += 1;
                let sent = Got::Message(String::new(), TOPICS[topic].to_owned(), self.numbers);
                let expected = self.model[who].push(sent);
                let id = self.parties[who].id();
                let report = self.pubsub.send_to(id, TOPICS[topic], &self.numbers);
                assert_eq!((report.members, report.lost), expected);
                self.count(expected);
            }
            Act::Take(who) => {
                let queue = &mut self.model[who].queue;
                let expected = (!queue.is_empty()).then(|| queue.remove(0));
                assert_eq!(self.parties[who].take(), expected);
            }
            Act::Renew(who) => {
                self.parties[who] = self.make(who);
                self.model[who] = Modelled::new(self.kinds[who]);
            }
        }
        self.check_members();
    }

    fn broadcast(&mut self, on: usize, topic: usize, from: Option<usize>) {
        self.numbers += 1;
        let (channel, name) = (CHANNELS[on], TOPICS[topic]);
        let mut expected = (0, 0);
        for (who, member) in self.model.iter_mut().enumerate() {
            if Some(who) != from && member.wants(on, topic) {
                let message = Got::Message(channel.to_owned(), name.to_owned(), self.numbers);
                let (delivered, lost) = member.push(message);
                expected = (expected.0 + delivered, expected.1 + lost);
            }
        }
        let report = match from {
            None => self.pubsub.broadcast(channel, name, &self.numbers),
            Some(who) => {
                let sender = self.parties[who].pubsub();
                sender.broadcast_from(channel, name, &self.numbers)
            }
        };
        assert_eq!((report.members, report.lost), expected);
        self.count(expected);
    }

    fn count(&mut self, (delivered, lost): (usize, usize)) {
        self.delivered += delivered as u64;
        self.lost += lost as u64;
    }

    /// Everybody who asks sees the same members: the list, the look, the counters and the monitors.
    fn check_members(&mut self) {
        let mut memberships = 0;
        for (on, channel) in CHANNELS.iter().enumerate() {
            let there = self.parties.iter().zip(&self.model);
            let expected: BTreeSet<MemberId> = there
                .filter(|(_, member)| member.joined.contains_key(&on))
                .map(|(party, _)| party.id())
                .collect();
            memberships += expected.len() as u64;
            let listed = self.pubsub.get_local_members(channel);
            assert_eq!(listed.len(), expected.len());
            assert_eq!(BTreeSet::from_iter(listed), expected);
            let looked = self.pubsub.inspect_channel(channel);
            assert_eq!(looked.map_or(0, |look| look.members), expected.len());
            let (monitor, seen) = &mut self.monitors[on];
            while let Some(change) = monitor.try_recv() {
                let is_new = match change {
                    Change::Joined(member) => seen.insert(member),
                    Change::Left(member) => seen.remove(&member),
                    other => panic!("{other:?}"),
                };
                assert!(is_new, "{change:?} is no change");
            }
            assert_eq!(*seen, expected);
        }
        let stats = self.pubsub.stats();
        assert_eq!(stats.joins - stats.leaves, memberships);
    }

    fn check_end(mut self) {
        for (party, member) in self.parties.iter_mut().zip(&mut self.model) {
            let rest: Vec<_> = std::iter::from_fn(|| party.take()).collect();
            assert_eq!(rest, member.queue);
        }
        let stats = self.pubsub.stats();
        assert_eq!((stats.delivered, stats.lost), (self.delivered, self.lost));
        assert_eq!(stats.sink_panics, 0);
        self.parties.clear();
        assert!(self.pubsub.inspect().channels.is_empty());
        assert_eq!(self.pubsub.inspect().members, 0);
        assert!(self.desk.0.lock().unwrap().joined.is_empty());
    }
}

proptest! {
    #[test]
    fn whatever_happens_members_get_what_the_model_says(
        kinds in prop::collection::vec(kind(), MAILBOXES),
        acts in prop::collection::vec(act(), 0..200),
    ) {
        let mut world = World::new(kinds);
        for act in &acts {
            world.act(act);
        }
        world.check_end();
    }
}
