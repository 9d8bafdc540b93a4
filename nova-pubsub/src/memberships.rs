//! The channels that one member is on, as the member's side knows them.
//!
//! The registry adds and removes under the lock of the channel, so that a member that ends in one
//! thread while it joins in another is on no channel afterwards.

use std::collections::HashSet;
use std::sync::Arc;

use crate::sync::{Mutex, MutexGuard, lock};

/// A std mutex: a section is one operation on a set.
#[derive(Debug, Default)]
pub(crate) struct Memberships(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    ended: bool,
    channels: HashSet<Arc<str>>,
}

impl Memberships {
    /// Notes that the member joins `channel`. `false` once it has ended: it must not.
    pub(crate) fn add(&self, channel: &Arc<str>) -> bool {
        let mut state = self.state();
        if !state.ended {
            state.channels.insert(Arc::clone(channel));
        }
        !state.ended
    }

    pub(crate) fn remove(&self, channel: &str) {
        self.state().channels.remove(channel);
    }

    /// The channels that the member has to leave now; it may join others.
    pub(crate) fn take(&self) -> HashSet<Arc<str>> {
        std::mem::take(&mut self.state().channels)
    }

    /// The channels that the member has to leave now, for good.
    pub(crate) fn end(&self) -> HashSet<Arc<str>> {
        let mut state = self.state();
        state.ended = true;
        std::mem::take(&mut state.channels)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}
