//! Members that end together, before the pub/sub does: those of one worker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::door::Gate;
use crate::mailbox::Inbox;
use crate::registry::Registry;

#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// A std mutex: a section is one operation on a map.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    parts: HashMap<u64, Part>,
}

#[derive(Debug)]
enum Part {
    Mailbox(Weak<Inbox>),
    Sink(Weak<Gate>),
}

impl Scope {
    pub(crate) fn add_inbox(&self, inbox: &Arc<Inbox>, registry: &Registry) {
        let part = Part::Mailbox(Arc::downgrade(inbox));
        self.add(inbox.id().number(), part, registry);
    }

    pub(crate) fn add_gate(&self, gate: &Arc<Gate>, registry: &Registry) {
        self.add(gate.number(), Part::Sink(Arc::downgrade(gate)), registry);
    }

    /// Takes a part in; one that comes too late ends at once.
    fn add(&self, number: u64, part: Part, registry: &Registry) {
        let mut state = self.state();
        if state.closed {
            drop(state);
            part.end(registry);
        } else {
            state.parts.insert(number, part);
        }
    }

    pub(crate) fn remove(&self, number: u64) {
        self.state().parts.remove(&number);
    }

    pub(crate) fn close(&self, registry: &Registry) {
        let parts = {
            let mut state = self.state();
            state.closed = true;
            std::mem::take(&mut state.parts)
        };
        for part in parts.into_values() {
            part.end(registry);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    fn end(self, registry: &Registry) {
        match self {
            Part::Mailbox(inbox) => {
                if let Some(inbox) = inbox.upgrade() {
                    registry.end_inbox(&inbox);
                }
            }
            Part::Sink(gate) => {
                if let Some(gate) = gate.upgrade() {
                    registry.end_gate(&gate);
                }
            }
        }
    }
}
