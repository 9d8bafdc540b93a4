//! Who is on which channel of this node, and the walk that delivers a message to them.
//!
//! A channel is a dense list of inboxes, so that a broadcast walks memory in order, with an index
//! beside it that makes join and leave constant in time. The lock of a channel, which it shares
//! with one in 64 others, is held for the walk: that is what
//! gives all members the same order. Nothing under it waits, and no code of a user's runs under it:
//! payloads are made before, and dropped after; tasks are woken after.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;

use crate::mailbox::Inbox;
use crate::member::{MemberId, NodeId};
use crate::message::Message;
use crate::stats::Counters;

/// Channels are spread over this many locks, so that busy channels seldom share one.
const SHARDS: usize = 64;

#[derive(Debug)]
pub(crate) struct Registry {
    node: NodeId,
    next_member: AtomicU64,
    closed: AtomicBool,
    hasher: RandomState,
    /// Open channels by name. A std mutex: no guard lives across an `.await`, and a section is
    /// one map lookup, or one walk over the members of a channel. The last member to leave removes the channel.
    shards: Box<[Mutex<Channels>]>,
    /// All mailboxes, joined or not, so that `close` reaches each.
    inboxes: Mutex<HashMap<MemberId, Weak<Inbox>>>,
    /// Shared with the messages, whose payloads count what cannot be encoded.
    pub(crate) counters: Arc<Counters>,
}

type Channels = HashMap<Arc<str>, Channel>;

#[derive(Debug, Default)]
struct Channel {
    members: Vec<Arc<Inbox>>,
    /// Where each member stands in `members`.
    index: HashMap<MemberId, usize>,
}

/// What one walk over a channel did.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Dispatched {
    pub(crate) delivered: usize,
    pub(crate) lost: usize,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Registry {
            node: NodeId::random(),
            next_member: AtomicU64::new(1),
            closed: AtomicBool::new(false),
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            inboxes: Mutex::default(),
            counters: Arc::default(),
        }
    }

    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    pub(crate) fn new_member(&self) -> MemberId {
        MemberId::new(self.node, self.next_member.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn open_inbox(&self, capacity: usize) -> Arc<Inbox> {
        let inbox = Arc::new(Inbox::new(self.new_member(), capacity));
        lock(&self.inboxes).insert(inbox.id(), Arc::downgrade(&inbox));
        inbox
    }

    pub(crate) fn close_inbox(&self, inbox: &Inbox) {
        lock(&self.inboxes).remove(&inbox.id());
    }

    /// The mailbox of `member`, if there still is one on this node.
    pub(crate) fn inbox(&self, member: MemberId) -> Option<Arc<Inbox>> {
        lock(&self.inboxes).get(&member).and_then(Weak::upgrade)
    }

    /// The name of `channel` as it is kept, if anybody is there.
    pub(crate) fn open_channel(&self, channel: &str) -> Option<Arc<str>> {
        let channels = self.shard(channel);
        channels
            .get_key_value(channel)
            .map(|(name, _)| Arc::clone(name))
    }

    /// Adds `inbox`, and says whether it was not there before. Nobody joins a closed registry, nor a
    /// channel without a name.
    pub(crate) fn join(&self, channel: &str, inbox: &Arc<Inbox>) -> bool {
        let mut channels = self.shard(channel);
        if self.closed.load(Ordering::Acquire) || channel.is_empty() {
            return false;
        }
        if !channels.contains_key(channel) {
            channels.insert(Arc::from(channel), Channel::default());
        }
        let channel = channels.get_mut(channel).expect("inserted above");
        match channel.index.entry(inbox.id()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(channel.members.len());
                channel.members.push(Arc::clone(inbox));
                true
            }
        }
    }

    /// Removes the member, and says whether it was there.
    pub(crate) fn leave(&self, channel: &str, member: MemberId) -> bool {
        let mut channels = self.shard(channel);
        let Some(open) = channels.get_mut(channel) else {
            return false;
        };
        let Some(position) = open.index.remove(&member) else {
            return false;
        };
        open.members.swap_remove(position);
        if let Some(moved) = open.members.get(position) {
            open.index.insert(moved.id(), position);
        }
        if open.members.is_empty() {
            channels.remove(channel);
        }
        true
    }

    pub(crate) fn members(&self, channel: &str) -> Vec<MemberId> {
        let channels = self.shard(channel);
        channels.get(channel).map_or_else(Vec::new, |open| {
            open.members.iter().map(|inbox| inbox.id()).collect()
        })
    }

    /// Puts `message` into the inbox of every member but `except`.
    pub(crate) fn dispatch(&self, message: &Message, except: Option<MemberId>) -> Dispatched {
        let mut done = Dispatched::default();
        // Left for after the lock, because they run code that is not ours: the `Drop` of payloads
        // and the wakers of executors.
        let (mut displaced, mut wakers) = (Vec::new(), Vec::new());
        {
            let channels = self.shard(message.channel());
            let Some(open) = channels.get(message.channel()) else {
                return done;
            };
            for inbox in &open.members {
                if Some(inbox.id()) != except {
                    let pushed = inbox.push(message.clone());
                    displaced.extend(pushed.displaced);
                    wakers.extend(pushed.waker);
                    done.delivered += usize::from(pushed.delivered);
                }
            }
        }
        wakers.into_iter().for_each(Waker::wake);
        done.lost = displaced.len();
        self.counters.count_broadcast(done.delivered, done.lost);
        done
    }

    /// Puts `message` into one inbox.
    pub(crate) fn deliver(&self, inbox: &Inbox, message: Message) -> Dispatched {
        let pushed = inbox.push(message);
        let done = Dispatched {
            delivered: usize::from(pushed.delivered),
            lost: usize::from(pushed.displaced.is_some()),
        };
        pushed.waker.into_iter().for_each(Waker::wake);
        self.counters.count_broadcast(done.delivered, done.lost);
        done
    }

    /// Ends every membership and every mailbox.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        for shard in &self.shards {
            drop(std::mem::take(&mut *lock(shard)));
        }
        let inboxes = std::mem::take(&mut *lock(&self.inboxes));
        for inbox in inboxes.values().filter_map(Weak::upgrade) {
            if let Some(waker) = inbox.close() {
                waker.wake();
            }
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn shard(&self, channel: &str) -> MutexGuard<'_, Channels> {
        let hash = self.hasher.hash_one(channel);
        lock(&self.shards[hash as usize % SHARDS])
    }
}

/// Nothing under these locks panics, and the lists are whole at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
