//! The connection, as its handler sees it.

use nova_core::pubsub::{Mailbox, MemberId, PubSub};

/// How many messages may wait for a connection whose handler is busy. A burst should fit; the
/// payloads are shared by all who wait for them. What waits for a slow client is bounded in bytes,
/// behind this.
const MAILBOX_CAPACITY: usize = 16_384;

/// One client's connection: what it has joined, and who it is when it broadcasts.
#[derive(Debug)]
pub struct Connection {
    pub(crate) mailbox: Mailbox,
}

impl Connection {
    pub(crate) fn new(pubsub: &PubSub) -> Self {
        Connection {
            mailbox: pubsub.mailbox_with_capacity(MAILBOX_CAPACITY),
        }
    }

    /// The name under which this connection is a member of channels.
    pub fn id(&self) -> MemberId {
        self.mailbox.id()
    }

    /// Joins `channel`, and says whether the connection was not a member before. What is
    /// broadcast from now on reaches the handler; what is broadcast before the client has its
    /// 101 waits until then. The membership ends with the connection.
    pub fn join(&mut self, channel: &str) -> bool {
        self.mailbox.join(channel)
    }

    /// Leaves `channel`, and says whether the connection was a member. What has arrived is still
    /// delivered.
    pub fn leave(&mut self, channel: &str) -> bool {
        self.mailbox.leave(channel)
    }

    /// The pub/sub, with this connection as the sender.
    pub fn pubsub(&self) -> &PubSub {
        self.mailbox.pubsub()
    }
}
