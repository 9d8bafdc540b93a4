//! Every text that a client sends goes to all clients, the sender included; `nova-bench` measures it.
//!
//! Run `cargo run --release -p nova-examples --bin bench-ws -- --port 8080`. `/ws` makes one frame of a
//! message, for all; `/ws/info` asks each connection, as handlers do that have a state.

use std::process::ExitCode;

use nova_core::pubsub::Message;
use nova_core::{App, Request, Result};
use nova_ws::{
    Accept, AppBuilderExt, Connection, Frame, Info, Outcome, Shared, WebSocket, ok, reply,
};

/// One frame for all.
#[derive(Clone)]
struct ForAll;

impl WebSocket for ForAll {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("for_all");
        Ok(Accept::Yes)
    }

    async fn handle(&mut self, frame: Frame, conn: &mut Connection) -> Outcome {
        if let Some(text) = frame.as_text() {
            conn.pubsub().broadcast("for_all", "text", text);
        }
        ok()
    }

    fn shared(message: &Message) -> Shared {
        match message.decode::<String>() {
            Ok(text) => Shared::text(&**text),
            Err(_) => Shared::Nothing,
        }
    }
}

/// A frame of each connection's own, which counts what it has sent.
#[derive(Clone, Default)]
struct ForEach {
    sent: u64,
}

impl WebSocket for ForEach {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("for_each");
        Ok(Accept::Yes)
    }

    async fn handle(&mut self, frame: Frame, conn: &mut Connection) -> Outcome {
        if let Some(text) = frame.as_text() {
            conn.pubsub().broadcast("for_each", "text", text);
        }
        ok()
    }

    async fn info(&mut self, info: Info, _conn: &mut Connection) -> Outcome {
        let Info::Published(message) = info else {
            return ok();
        };
        match message.decode::<String>() {
            Ok(text) => {
                self.sent += 1;
                reply(Frame::text(&**text))
            }
            Err(_) => ok(),
        }
    }
}

fn app() -> Result<App> {
    let app = App::builder()
        .root(concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin/bench-ws"))
        .websocket("for_all", ForAll)
        .websocket("for_each", ForEach::default());
    Ok(app.build()?)
}

fn main() -> ExitCode {
    nova_examples::bench::serve("bench-ws", app)
}

#[cfg(test)]
mod tests {
    use nova_core::testing::TestClient;
    use nova_ws::testing::TestSocket;

    use super::app;

    #[tokio::test]
    async fn a_text_goes_to_all_of_its_route_the_sender_included() {
        let client = TestClient::new(app().unwrap());
        for path in ["/ws", "/ws/info"] {
            let mut ann = TestSocket::connect(&client, path).await.unwrap();
            let mut bob = TestSocket::connect(&client, path).await.unwrap();

            ann.send_text("hello").await;

            assert_eq!(ann.recv_text().await, "hello", "{path}");
            assert_eq!(bob.recv_text().await, "hello", "{path}");
        }
    }
}
