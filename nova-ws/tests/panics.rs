//! A panic in any callback or hook ends what it belongs to, and nothing else.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::time::Duration;

use bytes::Bytes;
use nova_core::pubsub::Message;
use nova_core::testing::TestClient;
use nova_core::{App, Extension, Group, Plugin, Request, Result, protocol};
use nova_ws::testing::TestSocket;
use nova_ws::{
    Accept, AppBuilderExt, CloseReason, Connection, Frame, Info, MessageFlow, MessagePlugin,
    Outcome, Shared, WebSocket, WsLimits, message_hooks, ok, reply,
};
use tokio::time::timeout;

/// Panics in the callback that the query of its request names.
#[derive(Clone, Default)]
struct Fragile {
    weak: String,
}

fn strain(weak: &str, here: &str) {
    assert!(weak != here, "in {here}");
}

impl WebSocket for Fragile {
    async fn init(&mut self, request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("news");
        self.weak = request.uri().query().unwrap_or_default().to_owned();
        conn.set_user(&self.weak); // the hooks see the connection
        strain(&self.weak, "init");
        Ok(Accept::Yes)
    }

    async fn started(&mut self, _conn: &mut Connection) -> Outcome {
        strain(&self.weak, "started");
        ok()
    }

    async fn handle(&mut self, frame: Frame, _conn: &mut Connection) -> Outcome {
        strain(&self.weak, "handle");
        reply(frame)
    }

    async fn ping(&mut self, _payload: Bytes, _conn: &mut Connection) -> Outcome {
        strain(&self.weak, "ping");
        ok()
    }

    async fn info(&mut self, _info: Info, _conn: &mut Connection) -> Outcome {
        strain(&self.weak, "info");
        ok()
    }

    fn shared(message: &Message) -> Shared {
        strain(message.topic(), "shared");
        Shared::Info
    }

    async fn terminate(&mut self, _reason: &CloseReason, _conn: &mut Connection) {
        strain(&self.weak, "terminate");
    }
}

#[derive(Clone)]
struct Hooks;

impl Plugin for Hooks {
    fn extension(&self) -> Option<Extension> {
        Some(message_hooks(Hooks))
    }
}

fn weak(conn: &Connection) -> &str {
    conn.user().unwrap_or_default()
}

impl MessagePlugin for Hooks {
    async fn pre_message(&self, frame: Frame, conn: &Connection) -> MessageFlow {
        strain(weak(conn), "pre_message");
        MessageFlow::Continue(frame)
    }

    async fn post_message(&self, outcome: Outcome, conn: &Connection) -> Outcome {
        strain(weak(conn), "post_message");
        outcome
    }

    async fn connection_closed(&self, _reason: &CloseReason, conn: &Connection) {
        strain(weak(conn), "connection_closed");
    }
}

/// An app in which one connection may be open at a time.
fn client() -> TestClient {
    let limits = WsLimits {
        connections: Some(1),
        ..WsLimits::default()
    };
    let app = App::builder().websocket("fragile", Fragile::default());
    let group = Group::new().plugin("hooks", Hooks).limits(limits);
    let app = app.group(group.route(("/ws", "fragile", protocol("ws"))));
    TestClient::new(app.build().unwrap())
}

/// Connects as soon as the connection before has left its place.
async fn connect(client: &TestClient, path: &str) -> TestSocket {
    let connected = async {
        loop {
            match TestSocket::connect(client, path).await {
                Ok(socket) => return socket,
                Err(refused) => assert_eq!(refused.status(), 503, "{path}"),
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(5), connected).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_1011_and_the_place_of_the_connection_is_free_again() {
    let client = client();
    for weak in [
        "started",
        "handle",
        "ping",
        "info",
        "pre_message",
        "post_message",
    ] {
        let mut socket = connect(&client, &format!("/ws?{weak}")).await;
        match weak {
            "ping" => socket.ping(b"").await,
            "info" => drop(client.pubsub().broadcast("news", "text", "")),
            "started" | "post_message" => {}
            _ => socket.send_text("hello").await,
        }
        assert_eq!(socket.closed().await, Some(1011), "{weak}");
    }
    let mut sound = connect(&client, "/ws").await;
    sound.send_text("hello").await;
    assert_eq!(sound.recv_text().await, "hello");
}

#[tokio::test(start_paused = true)]
async fn a_panic_before_or_behind_the_connection_leaves_its_place_free() {
    let client = client();
    let refused = TestSocket::connect(&client, "/ws?init").await.unwrap_err();
    assert_eq!(refused.status(), 500);
    for weak in ["terminate", "connection_closed"] {
        let socket = connect(&client, &format!("/ws?{weak}")).await;
        socket.close(1000, "").await;
    }
    connect(&client, "/ws").await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_shared_drops_the_message_and_no_connection() {
    let client = client();
    let mut socket = connect(&client, "/ws").await;
    client.pubsub().broadcast("news", "shared", "");
    socket.send_text("still here").await;
    assert_eq!(socket.recv_text().await, "still here");
}
