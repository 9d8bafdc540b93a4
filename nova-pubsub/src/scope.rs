//! Members that end together, before the pub/sub does: those of one worker.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::task::Waker;

use crate::door::Gate;
use crate::inbox::Inbox;
use crate::monitor::Watch;
use crate::registry::Registry;
use crate::sync::{Mutex, MutexGuard, lock};

#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// A std mutex: a section is one operation on a map.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    parts: HashMap<u64, Part>,
    watches: Vec<Weak<Watch>>,
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

    pub(crate) fn add_watch(&self, watch: &Arc<Watch>) {
        let mut state = self.state();
        if state.closed {
            drop(watch.end()); // nobody waits for it yet
        } else {
            state.watches.push(Arc::downgrade(watch));
        }
    }

    pub(crate) fn remove_watch(&self, watch: &Arc<Watch>) {
        let is_other = |other: &Weak<Watch>| !std::ptr::eq(other.as_ptr(), Arc::as_ptr(watch));
        self.state().watches.retain(is_other);
    }

    pub(crate) fn close(&self, registry: &Registry) {
        let (parts, watches) = {
            let mut state = self.state();
            state.closed = true;
            let watches = std::mem::take(&mut state.watches);
            (std::mem::take(&mut state.parts), watches)
        };
        for part in parts.into_values() {
            part.end(registry);
        }
        for watch in watches.iter().filter_map(Weak::upgrade) {
            watch.end().into_iter().for_each(Waker::wake);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
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
