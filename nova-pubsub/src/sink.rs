//! Something that stands for many members at once.
//!
//! A broadcast costs one call for each mailbox and for each sink, however many members stand behind
//! the sink: that is how ten thousand sockets get a message by as many calls as there are tasks that
//! write to them.

use std::fmt;
use std::sync::Arc;

use crate::member::MemberId;
use crate::message::Message;
use crate::topics::Topics;

/// Takes messages for many members at once, such as the sockets that one task writes to.
///
/// [`PubSub::sink`](crate::PubSub::sink) gives a [`Door`](crate::Door) for it, and the door gives its
/// members. What is true of a mailbox's membership is true of theirs: `get_members` names each, a
/// [`Report`](crate::Report) counts each, and each is gone from its channels when it is dropped.
///
/// # Order
/// `joined`, `left` and `message` are called under the lock of the channel, and so in the one order
/// in which the channel's joins, leaves and broadcasts happen. A sink that puts what it hears into one
/// queue, and acts on it later, needs no other order to give each member just what was broadcast
/// between its join and its leave.
///
/// # What a sink must not do
/// As the broadcaster and the whole channel wait for the call, it has to be short: a push into a
/// bounded queue. It must not wait for anything, and must not call the pub/sub, which would wait for
/// itself for ever. Tasks are woken in [`wake`](Self::wake), after the lock; a message or channel
/// name that the sink drops is better dropped there too, or later.
///
/// # Panics
/// A panic in a sink is caught, logged and counted, and harms nobody else: the sink's members lose
/// that one message.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use nova_pubsub::{MemberId, Message, PubSub, Sink, Taken, Topics};
///
/// /// Writes down what it hears, for at most a thousand lines.
/// #[derive(Default)]
/// struct Protocol(Mutex<Vec<String>>);
///
/// impl Protocol {
///     fn write(&self, line: String) -> Taken {
///         let mut lines = self.0.lock().unwrap();
///         if lines.len() >= 1000 {
///             return Taken::none(); // full: its members lose the message
///         }
///         lines.push(line);
///         Taken::all()
///     }
/// }
///
/// impl Sink for Protocol {
///     fn joined(&self, channel: &Arc<str>, _member: MemberId, _topics: &Topics) {
///         let _ = self.write(format!("joined {channel}"));
///     }
///     fn left(&self, channel: &Arc<str>, _member: MemberId) {
///         let _ = self.write(format!("left {channel}"));
///     }
///     fn message(&self, message: &Message, _except: Option<MemberId>) -> Taken {
///         self.write(message.topic().to_owned())
///     }
///     fn sent(&self, _member: MemberId, message: &Message) -> Taken {
///         self.write(format!("{} for one", message.topic()))
///     }
/// }
///
/// let pubsub = PubSub::new();
/// let protocol = Arc::new(Protocol::default());
/// let door = pubsub.sink(protocol.clone());
/// let (mut ann, mut bob) = (door.member(), door.member());
/// ann.join("notes");
/// bob.join("notes");
///
/// assert_eq!(pubsub.broadcast("notes", "note_created", "milk").members, 2);
/// assert_eq!(pubsub.get_local_members("notes").len(), 2);
/// drop(ann);
///
/// let lines = protocol.0.lock().unwrap().join(", ");
/// assert_eq!(lines, "joined notes, joined notes, note_created, left notes");
/// ```
pub trait Sink: Send + Sync + 'static {
    /// `member` has joined `channel`, and wants these topics of it; it gets the messages that come
    /// from now on. A member that is there already and joins again with other topics has `topics` instead
    /// of those of before; with the same, it does nothing, and this is not called.
    fn joined(&self, channel: &Arc<str>, member: MemberId, topics: &Topics);

    /// `member` has left `channel`, and gets no message of it that comes from now on.
    fn left(&self, channel: &Arc<str>, member: MemberId);

    /// A broadcast for all members of this sink on [`message.channel()`](Message::channel) that want
    /// its topic, but `except`. It is called once for all of them, and not where there is none.
    fn message(&self, message: &Message, except: Option<MemberId>) -> Taken;

    /// What was [sent](crate::PubSub::send_to) to one member alone. This is not called under the lock
    /// of a channel, but in order with what the same sender broadcasts.
    fn sent(&self, member: MemberId, message: &Message) -> Taken;

    /// Called once after one of the above, by the same thread, without any lock: the place to wake
    /// the task that works on what was taken.
    fn wake(&self) {}

    /// All memberships of this sink have ended, because the pub/sub, or the
    /// [scope](crate::PubSub::scoped) that the door was made in, is closed; nobody can join any more.
    /// `left` need not have been called. A call that is under way in another thread may still come.
    fn closed(&self) {}

    /// How many messages wait in the queue of this sink, for [`PubSub::inspect`](crate::PubSub::inspect).
    /// Called without any lock.
    fn waiting(&self) -> usize {
        0
    }
}

/// What a sink did with a message: to how many of those it was for it goes, and what was lost for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a loss that is not told is not counted"]
pub struct Taken {
    missed: usize,
    dropped: usize,
}

impl Taken {
    /// It goes to all whom it was for.
    pub fn all() -> Self {
        Taken::all_but(0)
    }

    /// It goes to all but so many, who lose it.
    pub fn all_but(members: usize) -> Self {
        Taken {
            missed: members,
            dropped: 0,
        }
    }

    /// It goes to nobody: there was no room.
    pub fn none() -> Self {
        Taken::all_but(usize::MAX)
    }

    /// So many earlier messages were dropped to make room, counted for each member that loses one.
    pub fn dropping(self, deliveries: usize) -> Self {
        Taken {
            dropped: deliveries,
            ..self
        }
    }

    /// How many of `audience` get it, and how many deliveries were lost.
    pub(crate) fn of(self, audience: usize) -> (usize, usize) {
        let missed = self.missed.min(audience);
        (audience - missed, missed.saturating_add(self.dropped))
    }
}

impl fmt::Debug for dyn Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}
