//! How much a shard has to do, and whether that is so much that the clients of its handler are not read.
//!
//! Who broadcasts never waits; but a client whose frames cause the broadcasts can, and is told so by TCP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// How many messages may wait for a shard, with those that it has taken and not done yet. Who is on a channel
/// of which one is lost is closed with 1013, as a client would be that falls behind.
const MESSAGES: usize = 16 * 1024;
/// With more events than that before a shard, no client of its handler is read,
const HIGH: usize = 1024;
/// until there are no more than that. Between the two nothing changes, so that tasks are not woken in vain.
const LOW: usize = HIGH / 2;

/// What waits for one shard. The counts go up under the lock of its queue, with the event that is pushed;
/// and so the writer, which takes an event off, comes by again after each that made it strained.
#[derive(Default)]
pub(super) struct Load {
    events: AtomicUsize,
    /// Those of the events that are messages.
    messages: AtomicUsize,
    is_strained: AtomicBool,
    strain: Arc<Strain>,
}

/// How many shards of a handler have too much to do.
#[derive(Default)]
pub(crate) struct Strain {
    shards: AtomicUsize,
    eased: Notify,
}

impl Load {
    pub(super) fn new(strain: &Arc<Strain>) -> Self {
        Load {
            strain: Arc::clone(strain),
            ..Load::default()
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.messages.load(Ordering::Acquire) < MESSAGES
    }

    /// One event more, which is a message or is not. To be called under the lock of the queue.
    pub(super) fn add(&self, is_message: bool) {
        self.messages
            .fetch_add(usize::from(is_message), Ordering::AcqRel);
        let events = self.events.fetch_add(1, Ordering::AcqRel) + 1;
        if events > HIGH && !self.is_strained.swap(true, Ordering::AcqRel) {
            self.strain.begin();
        }
    }

    /// One less.
    pub(super) fn remove(&self, is_message: bool) {
        self.messages
            .fetch_sub(usize::from(is_message), Ordering::AcqRel);
        let events = self.events.fetch_sub(1, Ordering::AcqRel) - 1;
        if events <= LOW {
            self.ease();
        }
    }

    /// None any more. To be called under the lock of the queue, which takes nothing from then on.
    pub(super) fn clear(&self) {
        self.events.store(0, Ordering::Release);
        self.messages.store(0, Ordering::Release);
        self.ease();
    }

    fn ease(&self) {
        if self.is_strained.load(Ordering::Acquire)
            && self.is_strained.swap(false, Ordering::AcqRel)
        {
            self.strain.end();
        }
    }

    pub(super) fn events(&self) -> usize {
        self.events.load(Ordering::Acquire)
    }

    pub(super) fn strain(&self) -> &Arc<Strain> {
        &self.strain
    }
}

impl Strain {
    fn begin(&self) {
        self.shards.fetch_add(1, Ordering::AcqRel);
    }

    fn end(&self) {
        if self.shards.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.eased.notify_waiters();
        }
    }

    pub(crate) fn is_felt(&self) -> bool {
        self.shards.load(Ordering::Acquire) > 0
    }

    /// Waits until no shard has too much to do.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn eased(&self) {
        loop {
            // Before the look: from here on no notice is missed.
            let eased = self.eased.notified();
            if !self.is_felt() {
                return;
            }
            eased.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::yield_now;

    use super::*;

    #[test]
    fn a_shard_is_strained_from_the_high_mark_to_the_low_one() {
        let strain = Arc::new(Strain::default());
        let load = Load::new(&strain);
        (0..HIGH).for_each(|_| load.add(true));
        assert!(!strain.is_felt());
        load.add(false);
        assert!(strain.is_felt());

        (LOW + 1..HIGH).for_each(|_| load.remove(true));
        load.remove(false);
        assert!(strain.is_felt());
        load.remove(true);
        assert!(!strain.is_felt());
    }

    #[tokio::test]
    async fn who_waits_goes_on_when_the_last_strained_shard_is_eased_or_has_ended() {
        let strain = Arc::new(Strain::default());
        let loads = [Load::new(&strain), Load::new(&strain)];
        for load in &loads {
            (0..=HIGH).for_each(|_| load.add(true));
        }
        let waits = Arc::clone(&strain);
        let waits = tokio::spawn(async move { waits.eased().await });
        yield_now().await;

        (LOW..=HIGH).for_each(|_| loads[0].remove(true));
        yield_now().await;
        assert!(!waits.is_finished());
        loads[1].clear();
        waits.await.unwrap();
    }
}
