//! What a node has counted since it started.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::channel::Dispatched;

/// Counts since the [`PubSub`](crate::PubSub) was made, for metrics and dashboards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Broadcasts that found at least one member, and messages sent to one that was there.
    pub broadcasts: u64,
    /// Messages put into mailboxes.
    pub delivered: u64,
    /// Deliveries that were lost because a mailbox or a sink was full, or a member behind a sink
    /// [too slow](crate::Member::lost); a mailbox's owner saw them as `Lagged`.
    pub lost: u64,
    /// Messages that gave way to a later one of their topic, by [`Policy::KeepLatest`](crate::Policy).
    pub replaced: u64,
    /// Mailboxes that ended because they were full, by [`Policy::Disconnect`](crate::Policy).
    pub disconnected: u64,
    /// Memberships that began.
    pub joins: u64,
    /// Memberships that ended before the pub/sub was closed: `joins - leaves` is how many there are.
    pub leaves: u64,
    /// Payloads that could not be encoded when somebody needed their bytes.
    pub encoding_failures: u64,
    /// Panics of [sinks](crate::Sink), which were caught.
    pub sink_panics: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    broadcasts: AtomicU64,
    delivered: AtomicU64,
    lost: AtomicU64,
    replaced: AtomicU64,
    disconnected: AtomicU64,
    joins: AtomicU64,
    leaves: AtomicU64,
    encoding_failures: AtomicU64,
    sink_panics: AtomicU64,
}

impl Counters {
    pub(crate) fn count_broadcast(&self, done: Dispatched) {
        self.broadcasts.fetch_add(1, Ordering::Relaxed);
        add(&self.delivered, done.delivered);
        self.count_lost(done.lost);
        add(&self.replaced, done.replaced);
        add(&self.disconnected, done.disconnected);
    }

    /// A sink may say that it has lost any number.
    pub(crate) fn count_lost(&self, lost: usize) {
        if lost > 0 {
            let add = |before: u64| Some(before.saturating_add(lost as u64));
            let _ = self
                .lost
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        }
    }

    pub(crate) fn count_join(&self) {
        self.joins.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_leave(&self) {
        self.leaves.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_encoding_failure(&self) {
        self.encoding_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_sink_panic(&self) {
        self.sink_panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Stats {
        Stats {
            broadcasts: self.broadcasts.load(Ordering::Relaxed),
            delivered: self.delivered.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            replaced: self.replaced.load(Ordering::Relaxed),
            disconnected: self.disconnected.load(Ordering::Relaxed),
            joins: self.joins.load(Ordering::Relaxed),
            leaves: self.leaves.load(Ordering::Relaxed),
            encoding_failures: self.encoding_failures.load(Ordering::Relaxed),
            sink_panics: self.sink_panics.load(Ordering::Relaxed),
        }
    }
}

fn add(counter: &AtomicU64, count: usize) {
    if count > 0 {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }
}
