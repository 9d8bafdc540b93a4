//! Who comes to a channel and who goes.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::member::MemberId;
use crate::pubsub::PubSub;
use crate::sync::{Mutex, MutexGuard, lock};

/// How many changes wait for one monitor.
const CAPACITY: usize = 1024;

/// Sees the members of a channel come and go, on this node.
///
/// [`members`](Self::members) are those who were there when it began, and [`recv`](Self::recv) gives
/// every change since: none is missing in between, and none is told twice. It is no member itself, and
/// takes no part in the channel; the channel need not have members.
///
/// It holds 1,024 changes. When its owner is slower than that, the oldest are dropped and the next is
/// [`Change::Lagged`]; then [`refresh`](Self::refresh) begins anew.
///
/// ```
/// use nova_pubsub::{Change, PubSub};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let pubsub = PubSub::new();
/// let (mut ann, mut bob) = (pubsub.mailbox(), pubsub.mailbox());
/// ann.join("table");
///
/// let mut monitor = pubsub.monitor("table");
/// assert_eq!(monitor.members(), [ann.id()]);
/// bob.join("table");
/// drop(ann);
///
/// assert_eq!(monitor.recv().await, Some(Change::Joined(bob.id())));
/// assert!(matches!(monitor.recv().await, Some(Change::Left(_))));
/// # }
/// ```
#[derive(Debug)]
pub struct Monitor {
    channel: Arc<str>,
    members: Vec<MemberId>,
    watch: Arc<Watch>,
    pubsub: PubSub,
}

/// What [`Monitor::recv`] gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// This member has joined.
    Joined(MemberId),
    /// This member has left, or has ended.
    Left(MemberId),
    /// So many changes were dropped here, because they were not taken in time.
    Lagged(u64),
}

impl Monitor {
    pub(crate) fn new(pubsub: &PubSub, channel: &str) -> Self {
        let channel: Arc<str> = Arc::from(channel);
        let watch = Arc::new(Watch::default());
        let members = pubsub.registry().watch(&channel, &watch);
        if let Some(scope) = pubsub.scope() {
            scope.add_watch(&watch);
        }
        Monitor {
            channel,
            members,
            watch,
            pubsub: pubsub.clone(),
        }
    }

    /// The channel that it looks at.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// Who was there when it began, or at the last [`refresh`](Self::refresh), in no particular order.
    pub fn members(&self) -> &[MemberId] {
        &self.members
    }

    /// Forgets the changes that wait, and gives the members as they are now: the next change is the
    /// first after that.
    pub fn refresh(&mut self) -> &[MemberId] {
        let registry = self.pubsub.registry();
        self.members = registry.refresh(&self.channel, &self.watch);
        &self.members
    }

    /// Waits for the next change. `None` once the pub/sub, or the [scope](PubSub::scoped) that this was
    /// made in, is closed and all that had come before is taken.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn recv(&mut self) -> Option<Change> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// [`recv`](Self::recv) for code that polls. Only the latest task to poll is woken.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Change>> {
        let mut state = self.watch.state();
        match state.pop() {
            Some(change) => Poll::Ready(Some(change)),
            None if state.ended || self.pubsub.registry().is_closed() => Poll::Ready(None),
            None => {
                match &mut state.waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    empty => *empty = Some(context.waker().clone()),
                }
                Poll::Pending
            }
        }
    }

    /// The next change if there is one already.
    pub fn try_recv(&mut self) -> Option<Change> {
        self.watch.state().pop()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.pubsub.registry().unwatch(&self.channel, &self.watch);
        if let Some(scope) = self.pubsub.scope() {
            scope.remove_watch(&self.watch);
        }
    }
}

/// The registry's end of a monitor.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// A std mutex: a section is one push or one pop.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    changes: VecDeque<Change>,
    /// How many changes were dropped in front of `changes`.
    lost: u64,
    ended: bool,
    waker: Option<Waker>,
}

impl Watch {
    /// Takes a change, and gives the task that waits for one.
    pub(crate) fn push(&self, change: Change) -> Option<Waker> {
        let mut state = self.state();
        if state.ended {
            return None;
        }
        if state.changes.len() == CAPACITY {
            state.changes.pop_front();
            state.lost += 1;
        }
        state.changes.push_back(change);
        state.waker.take()
    }

    pub(crate) fn forget(&self) {
        let mut state = self.state();
        state.changes.clear();
        state.lost = 0;
    }

    /// Ends the monitor, and gives the task that waits for it.
    pub(crate) fn end(&self) -> Option<Waker> {
        let mut state = self.state();
        state.ended = true;
        state.waker.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn pop(&mut self) -> Option<Change> {
        if self.lost > 0 {
            return Some(Change::Lagged(std::mem::take(&mut self.lost)));
        }
        self.changes.pop_front()
    }
}
