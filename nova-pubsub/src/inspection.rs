//! What is going on, for dashboards and metrics.

use serde::Serialize;

use crate::member::MemberId;
use crate::stats::Stats;

/// A look at a node, as [`PubSub::inspect`](crate::PubSub::inspect) takes it.
///
/// ```
/// # use nova_pubsub::PubSub;
/// let pubsub = PubSub::new();
/// let mut mailbox = pubsub.mailbox();
/// mailbox.join("notes");
/// pubsub.broadcast("notes", "note_created", "milk");
///
/// let look = pubsub.inspect();
/// assert_eq!(look.channels[0].name, "notes");
/// assert_eq!(look.channels[0].broadcasts, 1);
/// assert_eq!(look.fullest.unwrap().waiting, 1);
/// println!("{}", serde_json::to_string(&look).unwrap());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// The counters.
    pub stats: Stats,
    /// How many can be members: mailboxes, and those behind sinks, on a channel or not.
    pub members: usize,
    /// The channels with members, in no particular order.
    pub channels: Vec<ChannelInfo>,
    /// The fullest of all queues, unless all are empty.
    pub fullest: Option<Fullest>,
}

/// One channel with members.
///
/// It counts from when its first member came: a channel without members is forgotten. Rates are the
/// difference between two looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ChannelInfo {
    /// Its name.
    pub name: String,
    /// How many members it has.
    pub members: usize,
    /// Broadcasts on it.
    pub broadcasts: u64,
    /// Deliveries to its members.
    pub delivered: u64,
    /// Deliveries that were lost for its broadcasts.
    pub lost: u64,
    /// How many messages, of all channels, wait in the fullest mailbox of its members.
    pub fullest: usize,
}

/// A queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Fullest {
    /// Whose mailbox it is; `None` for that of a sink.
    pub member: Option<MemberId>,
    /// How many messages wait in it.
    pub waiting: usize,
    /// How many fit in, if it is a mailbox.
    pub capacity: Option<usize>,
}
