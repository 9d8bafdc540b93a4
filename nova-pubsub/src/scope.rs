//! Mailboxes that end together, before the pub/sub does: those of one worker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::mailbox::Inbox;
use crate::member::MemberId;

#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// A std mutex: a section is one operation on a map.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    inboxes: HashMap<MemberId, Weak<Inbox>>,
}

impl Scope {
    /// Takes a mailbox in; one that comes too late is closed at once.
    pub(crate) fn add(&self, inbox: &Arc<Inbox>) {
        let mut state = self.state();
        match state.closed {
            true => drop(inbox.close()), // nobody waits for it yet
            false => drop(state.inboxes.insert(inbox.id(), Arc::downgrade(inbox))),
        }
    }

    pub(crate) fn remove(&self, inbox: &Inbox) {
        self.state().inboxes.remove(&inbox.id());
    }

    pub(crate) fn close(&self) {
        let inboxes = {
            let mut state = self.state();
            state.closed = true;
            std::mem::take(&mut state.inboxes)
        };
        for inbox in inboxes.values().filter_map(Weak::upgrade) {
            if let Some(waker) = inbox.close() {
                waker.wake();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
