//! Channels, members and messages: the pub/sub of the Nova web framework.
//!
//! A task takes a [`Mailbox`], joins channels with it and gets what others broadcast there.
//! Nothing is configured, and a channel exists as long as somebody is in it. This is Nova's own
//! example, two tasks that play ping-pong over one channel:
//!
//! ```
//! use nova_pubsub::{PubSub, Received};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let pubsub = PubSub::new();
//! let mut ann = pubsub.mailbox();
//! let mut bob = pubsub.mailbox();
//! ann.join("table");
//! bob.join("table");
//!
//! let player = tokio::spawn(async move {
//!     while let Some(Received::Message(message)) = bob.recv().await {
//!         if message.topic() == "ping" {
//!             let number: u32 = *message.decode().expect("a ping carries a number");
//!             bob.pubsub().broadcast_from("table", "pong", &(number + 1));
//!         }
//!     }
//! });
//!
//! ann.pubsub().broadcast_from("table", "ping", &1u32);
//! let Some(Received::Message(answer)) = ann.recv().await else { panic!("the channel is open") };
//! assert_eq!(answer.channel(), "table");
//! assert_eq!(answer.topic(), "pong");
//! assert_eq!(*answer.decode::<u32>().unwrap(), 2);
//!
//! pubsub.close(); // every mailbox ends, and with it the player's loop
//! player.await.unwrap();
//! # }
//! ```
//!
//! # What is promised
//! - **Membership** begins when [`Mailbox::join`] returns and ends with the mailbox: a dropped or
//!   panicked member is gone at once. Joining twice is one membership.
//! - **Order**: a broadcast that returned before another on the same channel began precedes it
//!   for every member.
//! - **Delivery** is at most once. A mailbox is bounded, and its [`Policy`] says what it does when it is
//!   full; its owner learns of every loss by [`Received::Lagged`], the operator by the log and by
//!   [`PubSub::stats`].
//! - **Payloads** are cloned once, kept for members on this node, and encoded at most once.
//! - One slow member never slows the others or the broadcaster: no call here waits for a member. What
//!   joining and leaving costs does not depend on how many members there are.
//!
//! # More than mailboxes
//! A [`Sink`] takes messages for many members at once. [`Mailbox::join_topics`] is for chosen topics of a
//! channel. [`PubSub::monitor`] tells who comes and goes, and [`PubSub::inspect`] what goes on.

mod afterwards;
mod channel;
mod dense;
mod door;
mod inbox;
mod inspection;
mod log;
mod losses;
mod mailbox;
mod member;
mod memberships;
mod message;
mod monitor;
mod payload;
mod policy;
mod pubsub;
mod queue;
mod registry;
mod scope;
mod sink;
mod stats;
mod sync;
mod topics;

pub use door::{Door, Member};
pub use inspection::{ChannelInfo, Fullest, Inspection};
pub use mailbox::{DEFAULT_CAPACITY, Mailbox, Received};
pub use member::{MemberId, Members, NodeId};
pub use message::Message;
pub use monitor::{Change, Monitor};
pub use payload::{DecodeError, Payload};
pub use policy::Policy;
pub use pubsub::{PubSub, Report};
pub use sink::{Sink, Taken};
pub use stats::Stats;
pub use topics::Topics;
