//! What has to wait until the locks are let go, because it runs code that is not ours: the `Drop` of
//! payloads, the wakers of executors, and the log.

use std::any::Any;
use std::sync::Arc;
use std::task::Waker;

use tracing::error;

use crate::door::Gate;
use crate::inbox::Inbox;
use crate::queue::Dropped;
use crate::registry::Registry;

#[derive(Default)]
pub(crate) struct Afterwards {
    /// Messages that made room, or found none.
    pub(crate) dropped: Dropped,
    pub(crate) wakers: Vec<Waker>,
    /// Mailboxes that have ended because they were full.
    pub(crate) ended: Vec<Arc<Inbox>>,
    /// Sinks that were called.
    pub(crate) gates: Vec<Arc<Gate>>,
    /// What sinks panicked with, and in which call.
    pub(crate) panics: Vec<(&'static str, Box<dyn Any + Send>)>,
}

impl Afterwards {
    /// To be called when no lock is held.
    pub(crate) fn run(mut self, registry: &Registry) {
        for inbox in std::mem::take(&mut self.ended) {
            registry.end_inbox(&inbox);
        }
        for gate in std::mem::take(&mut self.gates) {
            gate.wake(&mut self);
        }
        self.wakers.into_iter().for_each(Waker::wake);
        for (call, panic) in self.panics {
            registry.counters.count_sink_panic();
            let text = (panic.downcast_ref::<&str>().copied())
                .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
                .unwrap_or("not with a text");
            error!("a sink panicked in `{call}`: {text}");
        }
    }
}
