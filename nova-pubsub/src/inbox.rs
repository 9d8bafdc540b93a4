//! The registry's end of a mailbox.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::afterwards::Afterwards;
use crate::log::Lazy;
use crate::mailbox::Received;
use crate::member::MemberId;
use crate::memberships::Memberships;
use crate::message::Message;
use crate::policy::Policy;
use crate::queue::{Dropped, Next, Pushed, Queue};
use crate::sync::{Mutex, fetch, lock};

#[derive(Debug)]
pub(crate) struct Inbox {
    hot: Hot,
    id: MemberId,
    memberships: Memberships,
}

/// All that a broadcast touches, on a cache line of its own: a walk over ten thousand mailboxes is as
/// fast as the memory gives them.
#[derive(Debug)]
#[repr(align(64))]
struct Hot {
    /// A std mutex: a section is one push or one pop.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    queue: Queue,
    waker: Option<Waker>,
}

impl Inbox {
    pub(crate) fn new(id: MemberId, capacity: usize, policy: Policy) -> Self {
        let state = State {
            queue: Queue::new(capacity, policy),
            waker: None,
        };
        Inbox {
            hot: Hot {
                state: Mutex::new(state),
            },
            id,
            memberships: Memberships::default(),
        }
    }

    pub(crate) fn id(&self) -> MemberId {
        self.id
    }

    pub(crate) fn memberships(&self) -> &Memberships {
        &self.memberships
    }

    /// Brings what a push needs into the processor's cache. Reads of many mailboxes go on at the same
    /// time, while locking one waits for its memory.
    pub(crate) fn fetch(&self) {
        fetch(&self.hot.state);
    }

    /// Takes a message that came by itself.
    pub(crate) fn push(self: &Arc<Self>, message: Message, after: &mut Afterwards) -> Pushed {
        self.take(after, |queue, dropped| queue.push(message, dropped))
    }

    /// Takes a message from the log of its channel, if it reads that.
    pub(crate) fn push_logged(
        self: &Arc<Self>,
        logged: &mut Lazy<'_>,
        after: &mut Afterwards,
    ) -> Pushed {
        self.take(after, |queue, dropped| match queue.reads_the_log() {
            true => queue.push_logged(logged.entry(), dropped),
            false => queue.push(logged.message().clone(), dropped),
        })
    }

    fn take(
        self: &Arc<Self>,
        after: &mut Afterwards,
        push: impl FnOnce(&mut Queue, &mut Dropped) -> Pushed,
    ) -> Pushed {
        let pushed = {
            let mut state = lock(&self.hot.state);
            after.wakers.extend(state.waker.take());
            push(&mut state.queue, &mut after.dropped)
        };
        if pushed == Pushed::LostAndEnded {
            after.ended.push(Arc::clone(self));
        }
        pushed
    }

    /// The next message if one is there already.
    pub(crate) fn pop(&self) -> Option<Received> {
        let next = lock(&self.hot.state).queue.pop();
        next.map(Received::from)
    }

    /// The next message, or `None` at the end. Only the latest task to poll is woken.
    pub(crate) fn poll(
        &self,
        context: &mut Context<'_>,
        is_closed: impl FnOnce() -> bool,
    ) -> Poll<Option<Received>> {
        let mut state = lock(&self.hot.state);
        match state.queue.pop() {
            Some(next) => {
                drop(state);
                Poll::Ready(Some(next.into()))
            }
            None if state.queue.has_ended() || is_closed() => Poll::Ready(None),
            None => {
                match &mut state.waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    empty => *empty = Some(context.waker().clone()),
                }
                Poll::Pending
            }
        }
    }

    /// How many messages wait, and how many fit in.
    pub(crate) fn fill(&self) -> (usize, usize) {
        let state = lock(&self.hot.state);
        (state.queue.len(), state.queue.capacity())
    }

    /// Ends the mailbox, and gives the task that waits for it.
    pub(crate) fn end(&self) -> Option<Waker> {
        let mut state = lock(&self.hot.state);
        state.queue.end();
        state.waker.take()
    }
}

impl From<Next> for Received {
    fn from(next: Next) -> Self {
        match next {
            Next::Message(message, _) => Received::Message(message),
            Next::Lost(lost) => Received::Lagged(lost),
        }
    }
}

#[cfg(all(test, target_os = "linux", target_pointer_width = "64", not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn what_a_broadcast_touches_of_a_mailbox_fits_one_cache_line() {
        assert_eq!(size_of::<Hot>(), 64);
    }
}
