//! Every change of a note, to every client: `/notifications`.

use nova_core::pubsub::{Message, Payload};
use nova_core::{Request, Result};
use nova_ws::{Accept, Connection, Frame, Outcome, Shared, WebSocket, ok, reply};
use serde::Serialize;

/// Sends what is broadcast on the channel `notes`, as `{"event":"note_created","data":{…}}`, and
/// answers the text `ping` with `pong`.
#[derive(Debug, Clone)]
pub struct Notifications;

// ANCHOR: handler
#[derive(Serialize)]
struct Event<'a> {
    event: &'a str,
    data: &'a Payload,
}

impl WebSocket for Notifications {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("notes");
        Ok(Accept::Yes)
    }

    async fn handle(&mut self, frame: Frame, _conn: &mut Connection) -> Outcome {
        match frame.as_text() {
            Some("ping") => reply(Frame::text("pong")),
            _ => ok(),
        }
    }

    fn shared(message: &Message) -> Shared {
        Shared::json(&Event {
            event: message.topic(),
            data: message.payload(),
        })
    }
}
// ANCHOR_END: handler
