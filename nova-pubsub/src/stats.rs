//! What a node has counted since it started.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::channel::Dispatched;

/// Counts since the [`PubSub`](crate::PubSub) was made, for metrics and dashboards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Broadcasts that found at least one member, and messages sent to one that was there.
    pub broadcasts: u64,
    /// Messages put into mailboxes.
    pub delivered: u64,
    /// Messages that a full mailbox dropped; its owner saw them as `Lagged`.
    pub lost: u64,
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
    encoding_failures: AtomicU64,
    sink_panics: AtomicU64,
}

impl Counters {
    pub(crate) fn count_broadcast(&self, done: Dispatched) {
        let Dispatched { delivered, lost } = done;
        self.broadcasts.fetch_add(1, Ordering::Relaxed);
        self.delivered
            .fetch_add(delivered as u64, Ordering::Relaxed);
        if lost > 0 {
            self.lost.fetch_add(lost as u64, Ordering::Relaxed);
        }
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
            encoding_failures: self.encoding_failures.load(Ordering::Relaxed),
            sink_panics: self.sink_panics.load(Ordering::Relaxed),
        }
    }
}
