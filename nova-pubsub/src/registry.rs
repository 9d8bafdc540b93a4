//! Who is on which channel of this node.
//!
//! Channels are spread over 64 locks. The lock of a channel is held while a broadcast walks its
//! members: that is what gives all members the same order. Nothing under it waits, and no code of a
//! user's runs under it but that of sinks, which promise to be short: payloads are made before, and
//! dropped after; tasks are woken after.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::afterwards::Afterwards;
use crate::channel::{Channel, Dispatched};
use crate::door::Gate;
use crate::mailbox::Inbox;
use crate::member::{MemberId, NodeId};
use crate::memberships::Memberships;
use crate::message::Message;
use crate::sink::Sink;
use crate::stats::Counters;
use crate::topics::Topics;

/// Channels are spread over this many locks, so that busy channels seldom share one.
const SHARDS: usize = 64;

#[derive(Debug)]
pub(crate) struct Registry {
    node: NodeId,
    next_member: AtomicU64,
    closed: AtomicBool,
    hasher: RandomState,
    /// Open channels by name. A std mutex: no guard lives across an `.await`, and a section is
    /// one map lookup, or one walk over a channel. The last member to leave removes the channel.
    shards: Box<[Mutex<Channels>]>,
    /// All members, on a channel or not, so that `close` reaches each, and what is sent to one.
    members: Mutex<HashMap<MemberId, Addressee>>,
    gates: Mutex<HashMap<u64, Weak<Gate>>>,
    /// Shared with the messages, whose payloads count what cannot be encoded.
    pub(crate) counters: Arc<Counters>,
}

type Channels = HashMap<Arc<str>, Channel>;

/// Where what is sent to one member goes.
#[derive(Debug)]
enum Addressee {
    Mailbox(Weak<Inbox>),
    Behind(Weak<Gate>),
}

/// Who joins and leaves.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Joins<'a> {
    Mailbox(&'a Arc<Inbox>),
    Behind(&'a Arc<Gate>, MemberId, &'a Memberships),
}

impl Registry {
    pub(crate) fn new() -> Self {
        Registry {
            node: NodeId::random(),
            next_member: AtomicU64::new(1),
            closed: AtomicBool::new(false),
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            members: Mutex::default(),
            gates: Mutex::default(),
            counters: Arc::default(),
        }
    }

    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    pub(crate) fn new_member(&self) -> MemberId {
        MemberId::new(self.node, self.new_number())
    }

    fn new_number(&self) -> u64 {
        self.next_member.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn open_inbox(&self, capacity: usize) -> Arc<Inbox> {
        let inbox = Arc::new(Inbox::new(self.new_member(), capacity));
        let addressee = Addressee::Mailbox(Arc::downgrade(&inbox));
        lock(&self.members).insert(inbox.id(), addressee);
        inbox
    }

    pub(crate) fn open_gate(&self, sink: Arc<dyn Sink>) -> Arc<Gate> {
        let gate = Arc::new(Gate::new(self.new_number(), sink));
        lock(&self.gates).insert(gate.number(), Arc::downgrade(&gate));
        gate
    }

    pub(crate) fn add_behind(&self, member: MemberId, gate: &Arc<Gate>) {
        let addressee = Addressee::Behind(Arc::downgrade(gate));
        lock(&self.members).insert(member, addressee);
    }

    pub(crate) fn forget(&self, member: MemberId) {
        lock(&self.members).remove(&member);
    }

    pub(crate) fn forget_gate(&self, number: u64) {
        lock(&self.gates).remove(&number);
    }

    /// The name of `channel` as it is kept, if anybody is there.
    pub(crate) fn open_channel(&self, channel: &str) -> Option<Arc<str>> {
        let channels = self.shard(channel);
        channels
            .get_key_value(channel)
            .map(|(name, _)| Arc::clone(name))
    }

    /// Adds a member, or gives it other topics, and says whether it was not there before. Nobody joins
    /// a closed registry, nor a channel without a name.
    pub(crate) fn join(&self, channel: &str, who: Joins<'_>, topics: Topics) -> bool {
        let mut after = Afterwards::default();
        let new = self.join_under_lock(channel, who, topics, &mut after);
        after.run(&self.counters);
        new
    }

    fn join_under_lock(
        &self,
        channel: &str,
        who: Joins<'_>,
        topics: Topics,
        after: &mut Afterwards,
    ) -> bool {
        let mut channels = self.shard(channel);
        if self.is_closed() || channel.is_empty() {
            return false;
        }
        let name = match channels.get_key_value(channel) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(channel),
        };
        if !who.memberships().add(&name) {
            return false;
        }
        let open = channels.entry(Arc::clone(&name)).or_default();
        match who {
            Joins::Mailbox(inbox) => open.join(inbox, topics),
            Joins::Behind(gate, member, _) => open.join_behind(&name, gate, member, topics, after),
        }
    }

    /// Removes the member, and says whether it was there.
    pub(crate) fn leave(&self, channel: &str, who: Joins<'_>) -> bool {
        let mut after = Afterwards::default();
        let was_there = self.leave_under_lock(channel, who, &mut after);
        after.run(&self.counters);
        was_there
    }

    fn leave_under_lock(&self, channel: &str, who: Joins<'_>, after: &mut Afterwards) -> bool {
        let mut channels = self.shard(channel);
        who.memberships().remove(channel);
        let Some((name, _)) = channels.get_key_value(channel) else {
            return false;
        };
        let name = Arc::clone(name);
        let open = channels.get_mut(channel).expect("found above");
        let was_there = match who {
            Joins::Mailbox(inbox) => open.leave(inbox),
            Joins::Behind(gate, member, _) => open.leave_behind(&name, gate, member, after),
        };
        if open.is_empty() {
            channels.remove(channel);
        }
        was_there
    }

    pub(crate) fn members(&self, channel: &str) -> Vec<MemberId> {
        let channels = self.shard(channel);
        channels
            .get(channel)
            .map_or_else(Vec::new, |open| open.members().collect())
    }

    /// Gives `message` to every member but `except`.
    pub(crate) fn dispatch(&self, message: &Message, except: Option<MemberId>) -> Dispatched {
        let mut after = Afterwards::default();
        let done = match self.shard(message.channel()).get(message.channel()) {
            None => return Dispatched::default(),
            Some(open) => open.dispatch(message, except, &mut after),
        };
        self.counters.count_broadcast(done);
        after.run(&self.counters);
        done
    }

    /// Gives `message` to one member, if it still is on this node.
    pub(crate) fn deliver(
        &self,
        member: MemberId,
        message: impl FnOnce() -> Message,
    ) -> Dispatched {
        enum Found {
            Mailbox(Arc<Inbox>),
            Behind(Arc<Gate>),
        }
        let found = match lock(&self.members).get(&member) {
            None => None,
            Some(Addressee::Mailbox(inbox)) => inbox.upgrade().map(Found::Mailbox),
            Some(Addressee::Behind(gate)) => gate.upgrade().map(Found::Behind),
        };
        let mut after = Afterwards::default();
        let done = match found {
            None => return Dispatched::default(),
            Some(Found::Mailbox(inbox)) => inbox.push(message(), &mut after),
            Some(Found::Behind(gate)) => gate.sent(member, &message(), &mut after),
        };
        self.counters.count_broadcast(done);
        after.run(&self.counters);
        done
    }

    /// Ends every membership and every mailbox.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        for shard in &self.shards {
            let channels = std::mem::take(&mut *lock(shard));
            drop(channels); // without the lock, for what they may hold
        }
        let members = std::mem::take(&mut *lock(&self.members));
        for member in members.into_values() {
            if let Addressee::Mailbox(inbox) = member
                && let Some(inbox) = inbox.upgrade()
            {
                self.end_inbox(&inbox);
            }
        }
        let gates = std::mem::take(&mut *lock(&self.gates));
        for gate in gates.values().filter_map(Weak::upgrade) {
            self.end_gate(&gate);
        }
    }

    /// Ends a mailbox: it is on no channel any more, and gives only what has arrived.
    pub(crate) fn end_inbox(&self, inbox: &Arc<Inbox>) {
        for channel in inbox.memberships().end() {
            self.leave(&channel, Joins::Mailbox(inbox));
        }
        if let Some(waker) = inbox.close() {
            waker.wake();
        }
    }

    /// Ends all members behind a sink.
    pub(crate) fn end_gate(&self, gate: &Arc<Gate>) {
        let mut after = Afterwards::default();
        for (member, memberships) in gate.close(&mut after) {
            for channel in memberships.end() {
                self.leave(&channel, Joins::Behind(gate, member, &memberships));
            }
        }
        after.gates.push(Arc::clone(gate));
        after.run(&self.counters);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn shard(&self, channel: &str) -> MutexGuard<'_, Channels> {
        let hash = self.hasher.hash_one(channel);
        lock(&self.shards[hash as usize % SHARDS])
    }
}

impl<'a> Joins<'a> {
    fn memberships(self) -> &'a Memberships {
        match self {
            Joins::Mailbox(inbox) => inbox.memberships(),
            Joins::Behind(_, _, memberships) => memberships,
        }
    }
}

/// Nothing under these locks panics, and the lists are whole at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
