//! The calls of the pub/sub: who broadcasts, to whom, and who is there.

use std::sync::Arc;

use serde::Serialize;

use crate::channel::Dispatched;
use crate::door::Door;
use crate::inspection::{ChannelInfo, Inspection};
use crate::mailbox::{DEFAULT_CAPACITY, Mailbox};
use crate::member::{MemberId, Members, NodeId};
use crate::message::Message;
use crate::monitor::Monitor;
use crate::payload::Payload;
use crate::policy::Policy;
use crate::registry::Registry;
use crate::scope::Scope;
use crate::sink::Sink;
use crate::stats::Stats;

/// A handle on the channels of this node, and a sender in its own right.
///
/// A clone is the same node and the same sender. The handle that a [`Mailbox`] gives speaks for
/// that mailbox; [`new_sender`](Self::new_sender) makes one that speaks for itself.
///
/// ```
/// use nova_pubsub::PubSub;
///
/// let pubsub = PubSub::new();
/// let mut mailbox = pubsub.mailbox();
/// mailbox.join("notes");
///
/// let report = pubsub.broadcast("notes", "note_created", "milk");
/// assert_eq!(report.members, 1);
/// assert_eq!(pubsub.get_local_members("notes"), [mailbox.id()]);
///
/// mailbox.leave("notes");
/// assert!(pubsub.get_local_members("notes").is_empty());
/// ```
#[derive(Debug, Clone)]
pub struct PubSub {
    registry: Arc<Registry>,
    sender: MemberId,
    /// What the mailboxes that are made through this handle belong to.
    scope: Option<Arc<Scope>>,
}

/// What a broadcast did on this node, or what was sent to one member. It may be ignored: neither fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How many members on this node got the message.
    pub members: usize,
    /// How many deliveries were lost for it: of older messages that full mailboxes dropped, and of this
    /// one where there was no room.
    pub lost: usize,
}

impl PubSub {
    /// A node of its own. An app has one, which starts with it; a test can have as many as it
    /// likes, and they share nothing.
    pub fn new() -> Self {
        let registry = Arc::new(Registry::new());
        PubSub {
            sender: registry.new_member(),
            registry,
            scope: None,
        }
    }

    /// The name of this node.
    pub fn node(&self) -> NodeId {
        self.registry.node()
    }

    /// Who is named as the sender of what is broadcast through this handle.
    pub fn sender(&self) -> MemberId {
        self.sender
    }

    /// The same node with a sender of its own, such as one request.
    pub fn new_sender(&self) -> PubSub {
        self.speaking_for(self.new_member())
    }

    /// The same node with a sender and an end of its own: [`close`](Self::close) on this handle,
    /// or on one that comes from it, ends the mailboxes that were made through them, and no
    /// others.
    ///
    /// ```
    /// # use nova_pubsub::PubSub;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let pubsub = PubSub::new();
    /// let worker = pubsub.scoped();
    /// let mut mailbox = worker.mailbox();
    /// mailbox.join("notes");
    ///
    /// worker.close();
    /// assert!(mailbox.recv().await.is_none());
    /// assert!(pubsub.mailbox().join("notes"));
    /// # }
    /// ```
    pub fn scoped(&self) -> PubSub {
        PubSub {
            scope: Some(Arc::default()),
            ..self.new_sender()
        }
    }

    /// A mailbox for the calling task, for at most [`DEFAULT_CAPACITY`] waiting messages.
    pub fn mailbox(&self) -> Mailbox {
        self.mailbox_with_capacity(DEFAULT_CAPACITY)
    }

    /// A mailbox that holds at most `capacity` messages, at least one. Memory is taken as
    /// messages wait, not in advance.
    pub fn mailbox_with_capacity(&self, capacity: usize) -> Mailbox {
        self.mailbox_with(capacity, Policy::default())
    }

    /// A mailbox that holds at most `capacity` messages, at least one, and does with more what
    /// `policy` says.
    pub fn mailbox_with(&self, capacity: usize, policy: Policy) -> Mailbox {
        Mailbox::new(self, capacity, policy)
    }

    /// A door for members behind `sink`, which takes messages for all of them at once.
    ///
    /// A sink may have several doors; what is broadcast comes once by each that has members there.
    pub fn sink(&self, sink: Arc<impl Sink>) -> Door {
        Door::new(self, sink)
    }

    /// Sends `payload` to all members of `channel`, on all nodes, the sender included if it is
    /// one. A channel has a name: on `""` is nobody.
    ///
    /// The value is cloned once, or not at all when nobody is there; members on this node get
    /// that clone. It never waits and never fails: with a member that is too slow goes what its
    /// [`Policy`] says. A `str` is sent as a `String`, a slice as a `Vec`.
    pub fn broadcast<T>(&self, channel: &str, topic: &str, payload: &T) -> Report
    where
        T: ToOwned + ?Sized,
        T::Owned: Serialize + Send + Sync + 'static,
    {
        self.local_broadcast(channel, topic, payload)
    }

    /// [`broadcast`](Self::broadcast) of a value that is shared already, without a clone of it.
    pub fn broadcast_arc<T>(&self, channel: &str, topic: &str, payload: Arc<T>) -> Report
    where
        T: Serialize + Send + Sync + 'static,
    {
        self.send(channel, topic, None, || payload)
    }

    /// [`broadcast`](Self::broadcast) to all members but the sender itself.
    ///
    /// For a handle of a [`Mailbox`] or a WebSocket connection, that is the mailbox or the
    /// connection.
    pub fn broadcast_from<T>(&self, channel: &str, topic: &str, payload: &T) -> Report
    where
        T: ToOwned + ?Sized,
        T::Owned: Serialize + Send + Sync + 'static,
    {
        self.send(channel, topic, Some(self.sender), || {
            Arc::new(payload.to_owned())
        })
    }

    /// [`broadcast`](Self::broadcast) to the members on this node only, for what concerns this
    /// node alone, such as clearing its cache.
    pub fn local_broadcast<T>(&self, channel: &str, topic: &str, payload: &T) -> Report
    where
        T: ToOwned + ?Sized,
        T::Owned: Serialize + Send + Sync + 'static,
    {
        self.send(channel, topic, None, || Arc::new(payload.to_owned()))
    }

    /// Sends `payload` to one member alone, such as the [sender](Message::sender) of a message: the
    /// Erlang of it is `Pid ! Message`. It needs to be on no channel; what it gets is
    /// [direct](Message::is_direct), and in order with what this sender broadcasts.
    ///
    /// It never waits and never fails: where there is no such member any more, or where it is on
    /// another node, `members` is 0.
    ///
    /// ```
    /// # use nova_pubsub::{PubSub, Received};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let pubsub = PubSub::new();
    /// let mut mailbox = pubsub.mailbox();
    ///
    /// pubsub.send_to(mailbox.id(), "greeting", "hello");
    ///
    /// let Some(Received::Message(message)) = mailbox.recv().await else {
    ///     panic!("the mailbox has ended or lost something");
    /// };
    /// assert!(message.is_direct());
    /// assert_eq!(*message.decode::<String>().unwrap(), "hello");
    /// # }
    /// ```
    pub fn send_to<T>(&self, member: MemberId, topic: &str, payload: &T) -> Report
    where
        T: ToOwned + ?Sized,
        T::Owned: Serialize + Send + Sync + 'static,
    {
        let message = || {
            let payload = Arc::new(payload.to_owned());
            let payload = Payload::new(payload, Arc::clone(&self.registry.counters));
            Message::new(Arc::from(""), self.sender, topic, payload)
        };
        Report::of(self.registry.deliver(member, message))
    }

    /// The members of `channel` on all nodes, and whether every node has answered. Nobody there
    /// is an empty list.
    ///
    /// # Cancel safety
    /// Asking changes nothing.
    pub async fn get_members(&self, channel: &str) -> Members {
        Members {
            ids: self.get_local_members(channel),
            complete: true,
        }
    }

    /// The members of `channel` on this node, in no particular order.
    pub fn get_local_members(&self, channel: &str) -> Vec<MemberId> {
        self.registry.members(channel)
    }

    /// Sees the members of `channel` come and go on this node, from now on.
    pub fn monitor(&self, channel: &str) -> Monitor {
        Monitor::new(self, channel)
    }

    /// A look at all that goes on here, for a dashboard. It costs a look at each member, so it is for
    /// every few seconds; [`stats`](Self::stats) costs nothing.
    pub fn inspect(&self) -> Inspection {
        Inspection {
            stats: self.stats(),
            members: self.registry.count_members(),
            channels: self.registry.channels(),
            fullest: self.registry.fullest(),
        }
    }

    /// A look at one channel; `None` if nobody is there.
    pub fn inspect_channel(&self, channel: &str) -> Option<ChannelInfo> {
        self.registry.channel(channel)
    }

    /// What this node has counted since it started.
    pub fn stats(&self) -> Stats {
        self.registry.counters.read()
    }

    /// Ends all memberships: every mailbox gives what has arrived and then `None`. Nobody can
    /// join any more, and broadcasts reach nobody. An app does this as its last act.
    ///
    /// On a handle that is [scoped](Self::scoped), all this goes for its own mailboxes, sinks and
    /// monitors only.
    pub fn close(&self) {
        match &self.scope {
            Some(scope) => scope.close(&self.registry),
            None => self.registry.close(),
        }
    }

    pub(crate) fn scope(&self) -> Option<&Scope> {
        self.scope.as_deref()
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn new_member(&self) -> MemberId {
        self.registry.new_member()
    }

    pub(crate) fn speaking_for(&self, sender: MemberId) -> PubSub {
        PubSub {
            registry: Arc::clone(&self.registry),
            sender,
            scope: self.scope.clone(),
        }
    }

    fn send<T>(
        &self,
        channel: &str,
        topic: &str,
        except: Option<MemberId>,
        value: impl FnOnce() -> Arc<T>,
    ) -> Report
    where
        T: Serialize + Send + Sync + 'static,
    {
        let Some(channel) = self.registry.open_channel(channel) else {
            return Report::default();
        };
        let payload = Payload::new(value(), Arc::clone(&self.registry.counters));
        let message = Message::new(channel, self.sender, topic, payload);
        Report::of(self.registry.dispatch(&message, except))
    }
}

impl Report {
    fn of(done: Dispatched) -> Self {
        Report {
            members: done.delivered,
            lost: done.lost,
        }
    }
}

impl Default for PubSub {
    fn default() -> Self {
        PubSub::new()
    }
}
