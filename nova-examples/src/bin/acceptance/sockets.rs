//! The two WebSockets: `/ws/echo` and `/ws/notify`.

use nova_core::pubsub::Message;
use nova_core::{Request, Result};
use nova_ws::{Accept, Connection, Frame, Outcome, Shared, WebSocket, reply};
use tracing::warn;

/// What `/broadcast` publishes to.
pub(crate) const CHANNEL: &str = "notify";

/// Sends back what it gets.
#[derive(Clone)]
pub(crate) struct Echo;

impl WebSocket for Echo {
    async fn handle(&mut self, frame: Frame, _conn: &mut Connection) -> Outcome {
        reply(frame)
    }
}

/// Sends what is published, each message as one text.
#[derive(Clone)]
pub(crate) struct Notify;

impl WebSocket for Notify {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join(CHANNEL);
        Ok(Accept::Yes)
    }

    fn shared(message: &Message) -> Shared {
        match message.decode::<String>() {
            Ok(text) => Shared::text(text.as_str()),
            Err(error) => {
                warn!("what is published is no text, and is not sent: {error}");
                Shared::Nothing
            }
        }
    }
}
