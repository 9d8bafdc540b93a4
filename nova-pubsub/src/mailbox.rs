//! Where a member's messages wait until it takes them.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::afterwards::Afterwards;
use crate::channel::Dispatched;
use crate::member::MemberId;
use crate::memberships::Memberships;
use crate::message::Message;
use crate::pubsub::PubSub;
use crate::registry::Joins;
use crate::topics::Topics;

/// How many messages a mailbox holds unless told otherwise.
pub const DEFAULT_CAPACITY: usize = 1024;

/// A member of channels: any task can have one.
///
/// It holds [`DEFAULT_CAPACITY`] messages; when its owner is slower than that, the oldest are
/// dropped and the next [`recv`](Self::recv) says how many. Dropping the mailbox ends its
/// memberships at once.
///
/// ```
/// # use nova_pubsub::{PubSub, Received};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let pubsub = PubSub::new();
/// let mut mailbox = pubsub.mailbox();
/// mailbox.join("notes");
/// # pubsub.broadcast("notes", "note_created", "milk");
/// # pubsub.close();
/// while let Some(received) = mailbox.recv().await {
///     match received {
///         Received::Message(message) => println!("{}", message.topic()),
///         Received::Lagged(lost) => println!("missed {lost} messages: read the database again"),
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Mailbox {
    inbox: Arc<Inbox>,
    /// Speaks for this mailbox: its sender is the mailbox's id.
    pubsub: PubSub,
}

/// What [`Mailbox::recv`] gives.
#[derive(Debug, Clone)]
pub enum Received {
    /// The next message, in the order of the broadcasts.
    Message(Message),
    /// So many messages were dropped here, because the mailbox was full.
    Lagged(u64),
}

impl Mailbox {
    pub(crate) fn new(pubsub: &PubSub, capacity: usize) -> Self {
        let inbox = pubsub.registry().open_inbox(capacity);
        if let Some(scope) = pubsub.scope() {
            scope.add_inbox(&inbox, pubsub.registry());
        }
        Mailbox {
            pubsub: pubsub.speaking_for(inbox.id()),
            inbox,
        }
    }

    /// The name under which this mailbox is a member.
    pub fn id(&self) -> MemberId {
        self.inbox.id()
    }

    /// The pub/sub, with this mailbox as the sender of what is broadcast through it.
    pub fn pubsub(&self) -> &PubSub {
        &self.pubsub
    }

    /// Joins `channel`: from now on, what anybody broadcasts there arrives here.
    ///
    /// Says whether the mailbox was not a member before; joining twice is one membership. After
    /// [`PubSub::close`] nobody can join, and nobody joins a channel without a name, `""`.
    pub fn join(&mut self, channel: &str) -> bool {
        self.enter(channel, Topics::all())
    }

    /// Joins `channel` for these topics of it: others do not arrive, and take no room.
    ///
    /// It is a membership as any other, which `get_members` names. Who joins again changes its topics:
    /// they are those of the last call, and all after a [`join`](Self::join).
    ///
    /// ```
    /// # use nova_pubsub::{PubSub, Received};
    /// let pubsub = PubSub::new();
    /// let mut mailbox = pubsub.mailbox();
    /// mailbox.join_topics("notes", &["note_created", "note_deleted"]);
    ///
    /// assert_eq!(pubsub.broadcast("notes", "note_updated", "milk").members, 0);
    /// assert_eq!(pubsub.broadcast("notes", "note_deleted", "milk").members, 1);
    /// ```
    pub fn join_topics(&mut self, channel: &str, topics: &[&str]) -> bool {
        self.enter(channel, Topics::only(topics))
    }

    fn enter(&mut self, channel: &str, topics: Topics) -> bool {
        let registry = self.pubsub.registry();
        registry.join(channel, Joins::Mailbox(&self.inbox), topics)
    }

    /// Leaves `channel`, and says whether the mailbox was a member. What has arrived stays.
    pub fn leave(&mut self, channel: &str) -> bool {
        let registry = self.pubsub.registry();
        registry.leave(channel, Joins::Mailbox(&self.inbox))
    }

    /// Leaves all channels. What has arrived stays.
    pub fn leave_all(&mut self) {
        for channel in self.inbox.memberships.take() {
            self.leave(&channel);
        }
    }

    /// Waits for the next message, or for word that some were lost. `None` once the pub/sub is
    /// closed and all that had arrived is taken.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn recv(&mut self) -> Option<Received> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// [`recv`](Self::recv) for code that polls. Only the latest task to poll is woken.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Received>> {
        let mut state = self.inbox.state();
        match state.take() {
            Some(received) => Poll::Ready(Some(received)),
            None if state.closed || self.pubsub.registry().is_closed() => Poll::Ready(None),
            None => {
                match &mut state.waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    empty => *empty = Some(context.waker().clone()),
                }
                Poll::Pending
            }
        }
    }

    /// The next message if one is there already.
    pub fn try_recv(&mut self) -> Option<Received> {
        self.inbox.state().take()
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.leave_all();
        self.pubsub.registry().forget(self.inbox.id);
        if let Some(scope) = self.pubsub.scope() {
            scope.remove(self.inbox.id.number());
        }
    }
}

/// The registry's end of a mailbox.
#[derive(Debug)]
pub(crate) struct Inbox {
    id: MemberId,
    capacity: usize,
    memberships: Memberships,
    /// A std mutex: a section is one push or one pop.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Message>,
    /// How many messages were dropped in front of `queue`.
    lost: u64,
    closed: bool,
    waker: Option<Waker>,
}

impl Inbox {
    pub(crate) fn new(id: MemberId, capacity: usize) -> Self {
        Inbox {
            id,
            capacity: capacity.max(1),
            memberships: Memberships::default(),
            state: Mutex::default(),
        }
    }

    pub(crate) fn id(&self) -> MemberId {
        self.id
    }

    pub(crate) fn memberships(&self) -> &Memberships {
        &self.memberships
    }

    /// Takes the message, unless the mailbox has ended.
    pub(crate) fn push(&self, message: Message, after: &mut Afterwards) -> Dispatched {
        let mut state = self.state();
        if state.closed {
            return Dispatched::default();
        }
        let mut lost = 0;
        if state.queue.len() == self.capacity {
            state.lost += 1;
            lost = 1;
            after.dropped.extend(state.queue.pop_front());
        }
        state.queue.push_back(message);
        after.wakers.extend(state.waker.take());
        Dispatched { delivered: 1, lost }
    }

    /// Ends the mailbox, and gives the task that waits for it.
    pub(crate) fn close(&self) -> Option<Waker> {
        let mut state = self.state();
        state.closed = true;
        state.waker.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> Option<Received> {
        if self.lost > 0 {
            return Some(Received::Lagged(std::mem::take(&mut self.lost)));
        }
        let message = self.queue.pop_front()?;
        if self.queue.is_empty() {
            self.queue.shrink_to(16); // a burst leaves no memory behind
        }
        Some(Received::Message(message))
    }
}
