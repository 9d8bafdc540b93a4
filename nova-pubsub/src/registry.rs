//! Who is on which channel of this node, and the walk that delivers a message to them.
//!
//! A channel is a dense list of inboxes, so that a broadcast walks memory in order, with an index
//! beside it that makes join and leave constant in time. The lock of a channel is held for the
//! walk: that is what gives all members the same order. Nothing under it waits, and no code of a
//! user's runs under it: payloads are made before and dropped after.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// one map lookup or one walk. The last member to leave removes the channel.
    shards: Box<[Mutex<Channels>]>,
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
            counters: Arc::default(),
        }
    }

    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    pub(crate) fn new_member(&self) -> MemberId {
        MemberId::new(self.node, self.next_member.fetch_add(1, Ordering::Relaxed))
    }

    /// The name of `channel` as it is kept, if anybody is there.
    pub(crate) fn open_channel(&self, channel: &str) -> Option<Arc<str>> {
        let channels = self.shard(channel);
        channels
            .get_key_value(channel)
            .map(|(name, _)| Arc::clone(name))
    }

    /// Adds `inbox`, and says whether it was not there before. Nobody joins a closed registry.
    pub(crate) fn join(&self, channel: &str, inbox: &Arc<Inbox>) -> bool {
        let mut channels = self.shard(channel);
        if self.closed.load(Ordering::Acquire) {
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
        let mut displaced = Vec::new(); // dropped after the lock: a payload's `Drop` may do anything
        {
            let channels = self.shard(message.channel());
            let Some(open) = channels.get(message.channel()) else {
                return done;
            };
            for inbox in &open.members {
                if Some(inbox.id()) != except {
                    displaced.extend(inbox.push(message.clone()));
                    done.delivered += 1;
                }
            }
        }
        done.lost = displaced.len();
        self.counters.count_broadcast(done.delivered, done.lost);
        done
    }

    /// Ends every membership and every mailbox that has one.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        for shard in &self.shards {
            let channels = std::mem::take(&mut *lock(shard));
            for inbox in channels.values().flat_map(|open| &open.members) {
                inbox.close();
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

/// A panic under this lock can only come from a waker; the lists are whole at every step.
fn lock(shard: &Mutex<Channels>) -> MutexGuard<'_, Channels> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
