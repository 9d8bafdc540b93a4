//! Everything that anybody says, to all: `/chat`.

use nova_core::pubsub::Message;
use nova_core::{Request, Result};
use nova_ws::{Accept, Connection, Frame, Outcome, Shared, WebSocket, ok};

/// Sends every text that a client sends to all in the channel `chat`, the sender included.
#[derive(Debug, Clone)]
pub struct Chat;

impl WebSocket for Chat {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("chat");
        Ok(Accept::Yes)
    }

    async fn handle(&mut self, frame: Frame, conn: &mut Connection) -> Outcome {
        if let Some(text) = frame.as_text() {
            conn.pubsub().broadcast("chat", "message", text);
        }
        ok()
    }

    fn shared(message: &Message) -> Shared {
        match message.decode::<String>() {
            Ok(text) => Shared::text(&**text),
            Err(_) => Shared::Nothing, // somebody else broadcasts something else here
        }
    }
}
