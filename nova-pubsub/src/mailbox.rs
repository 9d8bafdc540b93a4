//! Where a member's messages wait until it takes them.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::inbox::Inbox;
use crate::member::MemberId;
use crate::message::Message;
use crate::policy::Policy;
use crate::pubsub::PubSub;
use crate::registry::Joins;
use crate::topics::Topics;

/// How many messages a mailbox holds unless told otherwise.
pub const DEFAULT_CAPACITY: usize = 1024;

/// A member of channels: any task can have one.
///
/// It holds [`DEFAULT_CAPACITY`] messages; when its owner is slower than that, the oldest are
/// dropped and the next [`recv`](Self::recv) says how many. [`PubSub::mailbox_with`] makes one with
/// another bound or [`Policy`]. Dropping the mailbox ends its memberships at once.
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
    /// So many messages were lost here, because the mailbox was full.
    Lagged(u64),
}

impl Mailbox {
    pub(crate) fn new(pubsub: &PubSub, capacity: usize, policy: Policy) -> Self {
        let inbox = pubsub.registry().open_inbox(capacity, policy);
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
        for channel in self.inbox.memberships().take() {
            self.leave(&channel);
        }
    }

    /// Waits for the next message, or for word that some were lost. `None` once all that had arrived is
    /// taken, and the pub/sub is closed or the mailbox has ended by [`Policy::Disconnect`].
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn recv(&mut self) -> Option<Received> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// [`recv`](Self::recv) for code that polls. Only the latest task to poll is woken.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Received>> {
        let registry = self.pubsub.registry();
        self.inbox.poll(context, || registry.is_closed())
    }

    /// The next message if one is there already.
    pub fn try_recv(&mut self) -> Option<Received> {
        self.inbox.pop()
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.leave_all();
        self.pubsub.registry().forget(self.inbox.id());
        if let Some(scope) = self.pubsub.scope() {
            scope.remove(self.inbox.id().number());
        }
    }
}
