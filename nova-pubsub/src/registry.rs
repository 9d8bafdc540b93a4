//! Who is on which channel of this node.
//!
//! Channels are spread over 64 locks. The lock of a channel is held while a broadcast walks its
//! members: that is what gives all members the same order. Nothing under it waits, and no code of a
//! user's runs under it but that of sinks, which promise to be short: payloads are made before, and
//! dropped after; tasks are woken after.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Weak};
use std::task::Waker;

use crate::afterwards::Afterwards;
use crate::channel::{Channel, Dispatched};
use crate::door::Gate;
use crate::inbox::Inbox;
use crate::inspection::{ChannelInfo, Fullest};
use crate::losses::Losses;
use crate::member::{MemberId, NodeId};
use crate::memberships::Memberships;
use crate::message::Message;
use crate::monitor::{Change, Watch};
use crate::policy::Policy;
use crate::sink::Sink;
use crate::stats::Counters;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard, lock};
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
    shards: Box<[Mutex<Shard>]>,
    /// All members, on a channel or not, so that `close` reaches each, and what is sent to one.
    members: Mutex<HashMap<MemberId, Addressee>>,
    gates: Mutex<HashMap<u64, Weak<Gate>>>,
    losses: Losses,
    /// Shared with the messages, whose payloads count what cannot be encoded.
    pub(crate) counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Shard {
    channels: HashMap<Arc<str>, Channel>,
    /// Who looks at which channel; it need not have members.
    watches: HashMap<Arc<str>, Vec<Arc<Watch>>>,
}

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
            losses: Losses::default(),
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

    pub(crate) fn open_inbox(&self, capacity: usize, policy: Policy) -> Arc<Inbox> {
        let inbox = Arc::new(Inbox::new(self.new_member(), capacity, policy));
        let addressee = Addressee::Mailbox(Arc::downgrade(&inbox));
        lock(&self.members).insert(inbox.id(), addressee);
        inbox
    }

    pub(crate) fn open_gate(&self, sink: Arc<dyn Sink>) -> Arc<Gate> {
        let gate = Arc::new(Gate::new(self.new_number(), sink));
        lock(&self.gates).insert(gate.number(), Arc::downgrade(&gate));
        if self.is_closed() {
            self.end_gate(&gate); // it came too late for `close` to find it
        }
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
        self.shard(channel).name(channel)
    }

    /// Adds a member, or gives it other topics, and says whether it was not there before. Nobody joins
    /// a closed registry, nor a channel without a name.
    pub(crate) fn join(&self, channel: &str, who: Joins<'_>, topics: Topics) -> bool {
        let mut after = Afterwards::default();
        let new = self.join_under_lock(channel, who, topics, &mut after);
        after.run(self);
        new
    }

    fn join_under_lock(
        &self,
        channel: &str,
        who: Joins<'_>,
        topics: Topics,
        after: &mut Afterwards,
    ) -> bool {
        let mut shard = self.shard(channel);
        if self.is_closed() || channel.is_empty() {
            return false;
        }
        let name = shard.name(channel).unwrap_or_else(|| Arc::from(channel));
        if !who.memberships().add(&name) {
            return false;
        }
        let open = shard.channels.entry(Arc::clone(&name)).or_default();
        let new = match who {
            Joins::Mailbox(inbox) => open.join(inbox, topics),
            Joins::Behind(gate, member, _) => open.join_behind(&name, gate, member, topics, after),
        };
        if new {
            self.counters.count_join();
            shard.tell(channel, Change::Joined(who.id()), after);
        }
        new
    }

    /// Removes the member, and says whether it was there.
    pub(crate) fn leave(&self, channel: &str, who: Joins<'_>) -> bool {
        let mut after = Afterwards::default();
        let was_there = self.leave_under_lock(channel, who, &mut after);
        after.run(self);
        was_there
    }

    fn leave_under_lock(&self, channel: &str, who: Joins<'_>, after: &mut Afterwards) -> bool {
        let mut shard = self.shard(channel);
        who.memberships().remove(channel);
        let Some(name) = shard.name(channel) else {
            return false;
        };
        let Some(open) = shard.channels.get_mut(&name) else {
            return false;
        };
        let was_there = match who {
            Joins::Mailbox(inbox) => open.leave(inbox),
            Joins::Behind(gate, member, _) => open.leave_behind(&name, gate, member, after),
        };
        if open.is_empty() {
            shard.channels.remove(&name);
        }
        if was_there {
            self.counters.count_leave();
            shard.tell(&name, Change::Left(who.id()), after);
        }
        was_there
    }

    /// Has `watch` told of all who come and go from now on, and gives those who are there.
    pub(crate) fn watch(&self, channel: &Arc<str>, watch: &Arc<Watch>) -> Vec<MemberId> {
        let mut shard = self.shard(channel);
        let watches = shard.watches.entry(Arc::clone(channel)).or_default();
        watches.push(Arc::clone(watch));
        shard.members(channel)
    }

    /// Has `watch` begin anew.
    pub(crate) fn refresh(&self, channel: &str, watch: &Watch) -> Vec<MemberId> {
        let shard = self.shard(channel);
        watch.forget();
        shard.members(channel)
    }

    pub(crate) fn unwatch(&self, channel: &str, watch: &Arc<Watch>) {
        let mut shard = self.shard(channel);
        if let Some(watches) = shard.watches.get_mut(channel) {
            watches.retain(|other| !Arc::ptr_eq(other, watch));
            if watches.is_empty() {
                shard.watches.remove(channel);
            }
        }
    }

    pub(crate) fn members(&self, channel: &str) -> Vec<MemberId> {
        self.shard(channel).members(channel)
    }

    /// The channels with members.
    pub(crate) fn channels(&self) -> Vec<ChannelInfo> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let shard = lock(shard);
            all.extend(shard.channels.iter().map(|(name, open)| open.info(name)));
        }
        all
    }

    pub(crate) fn channel(&self, channel: &str) -> Option<ChannelInfo> {
        let shard = self.shard(channel);
        shard.channels.get(channel).map(|open| open.info(channel))
    }

    /// How many can be members.
    pub(crate) fn count_members(&self) -> usize {
        lock(&self.members).len()
    }

    /// The fullest queue of all, unless all are empty.
    pub(crate) fn fullest(&self) -> Option<Fullest> {
        let inboxes: Vec<_> = {
            let members = lock(&self.members);
            members.values().filter_map(Addressee::inbox).collect()
        };
        let gates: Vec<_> = {
            let gates = lock(&self.gates);
            gates.values().filter_map(Weak::upgrade).collect()
        };
        let mailboxes = inboxes.iter().map(|inbox| {
            let (waiting, capacity) = inbox.fill();
            Fullest {
                member: Some(inbox.id()),
                waiting,
                capacity: Some(capacity),
            }
        });
        let mut after = Afterwards::default();
        let sinks = gates.iter().map(|gate| Fullest {
            member: None,
            waiting: gate.waiting(&mut after),
            capacity: None,
        });
        let fullest = mailboxes.chain(sinks).max_by_key(|queue| queue.waiting);
        after.run(self);
        fullest.filter(|queue| queue.waiting > 0)
    }

    /// Gives `message` to every member but `except`.
    pub(crate) fn dispatch(&self, message: &Message, except: Option<MemberId>) -> Dispatched {
        let mut after = Afterwards::default();
        let channel = message.channel();
        let done = match self.shard(channel).channels.get_mut(channel) {
            None => return Dispatched::default(),
            Some(open) => open.dispatch(message, except, &mut after),
        };
        self.count(done, channel);
        after.run(self);
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
            Some(Found::Mailbox(inbox)) => inbox.push(message(), &mut after).into(),
            Some(Found::Behind(gate)) => gate.sent(member, &message(), &mut after),
        };
        self.count(done, "");
        after.run(self);
        done
    }

    fn count(&self, done: Dispatched, channel: &str) {
        self.counters.count_broadcast(done);
        self.losses.add(done.lost, channel);
    }

    /// Counts what a sink had taken, and a member did not get after all.
    pub(crate) fn lost_later(&self, lost: usize) {
        self.counters.count_lost(lost);
        self.losses.add(lost, "");
    }

    /// Ends every membership and every mailbox.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        for shard in &self.shards {
            let shard = std::mem::take(&mut *lock(shard));
            let watches = shard.watches.values().flatten();
            let waiting: Vec<_> = watches.filter_map(|watch| watch.end()).collect();
            drop(shard); // without the lock, for what it may hold
            waiting.into_iter().for_each(Waker::wake);
        }
        let members = std::mem::take(&mut *lock(&self.members));
        for member in members.into_values() {
            if let Some(inbox) = member.inbox() {
                self.end_inbox(&inbox);
            }
        }
        let gates = std::mem::take(&mut *lock(&self.gates));
        for gate in gates.values().filter_map(Weak::upgrade) {
            self.end_gate(&gate);
        }
        self.losses.tell_rest();
    }

    /// Ends a mailbox: it is on no channel any more, and gives only what has arrived.
    pub(crate) fn end_inbox(&self, inbox: &Arc<Inbox>) {
        for channel in inbox.memberships().end() {
            self.leave(&channel, Joins::Mailbox(inbox));
        }
        if let Some(waker) = inbox.end() {
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
        after.run(self);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn shard(&self, channel: &str) -> MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one(channel);
        lock(&self.shards[hash as usize % SHARDS])
    }
}

impl Shard {
    /// The name of `channel` as it is kept, if anybody is there.
    fn name(&self, channel: &str) -> Option<Arc<str>> {
        let (name, _) = self.channels.get_key_value(channel)?;
        Some(Arc::clone(name))
    }

    fn members(&self, channel: &str) -> Vec<MemberId> {
        let open = self.channels.get(channel);
        open.map_or_else(Vec::new, |open| open.members().collect())
    }

    /// Tells those who look at `channel`.
    fn tell(&self, channel: &str, change: Change, after: &mut Afterwards) {
        for watch in self.watches.get(channel).into_iter().flatten() {
            after.wakers.extend(watch.push(change));
        }
    }
}

impl Addressee {
    fn inbox(&self) -> Option<Arc<Inbox>> {
        match self {
            Addressee::Mailbox(inbox) => inbox.upgrade(),
            Addressee::Behind(_) => None,
        }
    }
}

impl<'a> Joins<'a> {
    fn id(self) -> MemberId {
        match self {
            Joins::Mailbox(inbox) => inbox.id(),
            Joins::Behind(_, member, _) => member,
        }
    }

    fn memberships(self) -> &'a Memberships {
        match self {
            Joins::Mailbox(inbox) => inbox.memberships(),
            Joins::Behind(_, _, memberships) => memberships,
        }
    }
}
