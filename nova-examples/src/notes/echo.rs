//! What the client says, back to it: `/ws`.

use nova_ws::{Connection, Frame, Outcome, WebSocket, ok, reply};

/// Answers every text with `Echo: ` and the text.
#[derive(Debug, Clone)]
pub struct Echo;

impl WebSocket for Echo {
    async fn handle(&mut self, frame: Frame, _conn: &mut Connection) -> Outcome {
        match frame.as_text() {
            Some(text) => reply(Frame::text(format!("Echo: {text}"))),
            None => ok(),
        }
    }
}
