//! The code of the book's page on WebSockets.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::pubsub::Message;
use nova_core::testing::TestClient;
use nova_core::{App, AppBuilder, Extension, Group, Plugin, Request, Result, protocol};
use nova_ws::testing::TestSocket;
use nova_ws::{
    Accept, AppBuilderExt, CloseReason, Connection, Frame, Info, MessageFlow, MessagePlugin,
    Outcome, Shared, WebSocket, Whom, WsLimits, disconnect, message_hooks, ok, reply, stop_with,
};

const ROUTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/book/router.toml");

// ANCHOR: life
#[derive(Clone, Default)]
struct Room {
    name: String,
}

impl WebSocket for Room {
    /// Before the upgrade.
    async fn init(&mut self, request: &Request, conn: &mut Connection) -> Result<Accept> {
        self.name = request.binding("name")?;
        conn.join(&self.name);
        Ok(Accept::Yes)
    }

    /// The first frames.
    async fn started(&mut self, _conn: &mut Connection) -> Outcome {
        reply(Frame::text(format!("This is {}.", self.name)))
    }

    /// A message of the client's.
    async fn handle(&mut self, frame: Frame, conn: &mut Connection) -> Outcome {
        match frame.as_text() {
            Some("bye") => reply(Frame::text("See you.")).and_stop(),
            Some(text) => {
                conn.pubsub().broadcast(&self.name, "said", text);
                ok()
            }
            None => stop_with(1003, "text only"),
        }
    }

    /// What all connections send for a message of a channel.
    fn shared(message: &Message) -> Shared {
        match message.topic() {
            "said" => Shared::json(message.payload()),
            _ => Shared::Info,
        }
    }

    /// What one connection does with the others, and with what is sent to it alone.
    async fn info(&mut self, info: Info, conn: &mut Connection) -> Outcome {
        match info {
            Info::Published(message) if message.topic() == "closed" => {
                conn.leave(&self.name);
                reply(Frame::text(format!("{} is closed.", self.name)))
            }
            Info::Sent(message) => match message.decode::<String>() {
                Ok(text) => reply(Frame::text(&**text)),
                Err(_) => ok(),
            },
            _ => ok(),
        }
    }

    /// The end.
    async fn terminate(&mut self, _reason: &CloseReason, conn: &mut Connection) {
        conn.pubsub()
            .broadcast(&self.name, "said", "Somebody left.");
    }
}
// ANCHOR_END: life

/// Sends what takes long when it is done.
#[derive(Clone)]
struct Reports;

impl WebSocket for Reports {
    // ANCHOR: sender
    async fn started(&mut self, conn: &mut Connection) -> Outcome {
        let sender = conn.sender();
        tokio::spawn(async move {
            let report = long_work().await;
            sender.send("report", &report);
        });
        ok()
    }
    // ANCHOR_END: sender

    async fn info(&mut self, info: Info, _conn: &mut Connection) -> Outcome {
        match info {
            Info::Sent(message) => reply(Frame::json(message.payload()).unwrap()),
            _ => ok(),
        }
    }
}

async fn long_work() -> String {
    "42 pages".to_owned()
}

/// Takes its user from the path.
#[derive(Clone)]
struct Own;

impl WebSocket for Own {
    async fn init(&mut self, request: &Request, conn: &mut Connection) -> Result<Accept> {
        let user: String = request.binding("user")?;
        conn.set_user(&user);
        Ok(Accept::Yes)
    }
}

// ANCHOR: disconnect
async fn ban(request: Request) -> Result<String> {
    let user: String = request.binding("user")?;
    let told = disconnect(request.pubsub(), Whom::User(user), 4403, "banned");
    Ok(format!("{} connections are closed", told.members))
}
// ANCHOR_END: disconnect

// ANCHOR: plugin
/// Lets nobody shout.
#[derive(Clone)]
struct Quiet;

impl Plugin for Quiet {
    fn extension(&self) -> Option<Extension> {
        Some(message_hooks(self.clone()))
    }
}

impl MessagePlugin for Quiet {
    async fn pre_message(&self, frame: Frame, _conn: &Connection) -> MessageFlow {
        match frame.as_text() {
            Some(text) if text.ends_with('!') => MessageFlow::Stop(ok()),
            _ => MessageFlow::Continue(frame),
        }
    }
}
// ANCHOR_END: plugin

fn app() -> AppBuilder {
    // ANCHOR: register
    let quiet =
        Group::new()
            .plugin("quiet", Quiet)
            .route(("/quiet/{name}", "room", protocol("ws")));
    let app = App::builder()
        .websocket("room", Room::default())
        .group(quiet)
        // ANCHOR_END: register
        .websocket("reports", Reports)
        .websocket("own", Own)
        .route(("/reports", "reports", protocol("ws")))
        .route(("/own/{user}", "own", protocol("ws")))
        .route(("/ban/{user}", ban));
    app.action("create", |mut request: Request| async move {
        request.body().await.map(|_| ())
    })
}

fn client() -> TestClient {
    TestClient::new(app().router_file(ROUTER).build().unwrap())
}

/// A socket that has been greeted.
async fn open(client: &TestClient, path: &str) -> TestSocket {
    let mut socket = TestSocket::connect(client, path).await.unwrap();
    assert_eq!(socket.recv_text().await, "This is tea.");
    socket
}

#[tokio::test]
async fn a_connection_has_its_life() {
    let client = client();
    let mut ann = open(&client, "/rooms/tea").await;
    let mut bob = open(&client, "/rooms/tea").await;
    ann.send_text("hello").await;
    assert_eq!(ann.recv_text().await, r#""hello""#);
    assert_eq!(bob.recv_text().await, r#""hello""#);

    ann.send_text("bye").await;
    assert_eq!(ann.recv_text().await, "See you.");
    assert_eq!(ann.closed().await, Some(1000));
    assert_eq!(bob.recv_text().await, r#""Somebody left.""#);

    client.pubsub().broadcast("tea", "closed", "");
    assert_eq!(bob.recv_text().await, "tea is closed.");
    bob.send(Frame::binary("x")).await;
    assert_eq!(bob.closed().await, Some(1003));
}

#[tokio::test]
async fn a_task_sends_to_its_connection() {
    let client = client();
    let mut socket = TestSocket::connect(&client, "/reports").await.unwrap();
    assert_eq!(socket.recv_text().await, r#""42 pages""#);
}

#[tokio::test]
async fn who_is_banned_is_disconnected() {
    let client = client();
    let ann = TestSocket::connect(&client, "/own/ann").await.unwrap();
    let _bob = TestSocket::connect(&client, "/own/bob").await.unwrap();
    let answer = client.get("/ban/ann").await;
    assert_eq!(answer.text(), "1 connections are closed");
    assert_eq!(ann.closed_with().await, Some((4403, "banned".to_owned())));
}

#[tokio::test]
async fn a_plugin_drops_messages() {
    let client = client();
    let mut ann = open(&client, "/quiet/tea").await;
    ann.send_text("hello!").await;
    ann.send_text("hello").await;
    assert_eq!(ann.recv_text().await, r#""hello""#);
}

#[tokio::test]
async fn the_file_has_limits_at_three_levels() {
    let client = client();
    for (path, most) in [
        ("/short", 65_536),
        ("/notes", 1_048_576),
        ("/pictures", 16_777_216),
    ] {
        let post = |length: usize| client.post(path).body(vec![b'x'; length]);
        assert_eq!(post(most).await.status(), 200, "{path}");
        assert_eq!(post(most + 1).await.status(), 413, "{path}");
    }
    has_limits(client).await;
}

#[tokio::test]
async fn limits_in_rust_are_those_of_the_file() {
    // ANCHOR: limits
    let app = app()
        .limits(WsLimits {
            connections: Some(50_000),
            ..WsLimits::default()
        })
        .group(
            Group::new()
                .limits(WsLimits {
                    message_bytes: Some(4_096),
                    connections_per_address: Some(20),
                    ..WsLimits::default()
                })
                .route((
                    "/rooms/{name}",
                    "room",
                    protocol("ws").limits(WsLimits {
                        messages_per_second: Some(20),
                        ..WsLimits::default()
                    }),
                )),
        );
    // ANCHOR_END: limits
    has_limits(TestClient::new(app.build().unwrap())).await;
}

async fn has_limits(client: TestClient) {
    let mut socket = open(&client, "/rooms/tea").await;
    socket.send_text(&"a".repeat(4_096)).await;
    assert_eq!(socket.recv_text().await.len(), 4_098, "with its quotes");
    socket.send_text(&"a".repeat(4_097)).await;
    assert_eq!(socket.closed().await, Some(1009));

    let mut socket = open(&client, "/rooms/tea").await;
    for _ in 0..40 {
        socket.send_text("quick").await;
    }
    assert_eq!(socket.closed().await, Some(1008));

    let from_there = || client.get("/rooms/tea").peer("192.0.2.1:1000");
    let mut open = Vec::new();
    for _ in 0..20 {
        open.push(TestSocket::open(from_there()).await.unwrap());
    }
    let refused = TestSocket::open(from_there()).await.unwrap_err();
    assert_eq!(refused.status(), 429);
}

// ANCHOR: test
#[tokio::test]
async fn who_is_in_a_room_hears_what_is_said_there() {
    let client = TestClient::new(app().router_file(ROUTER).build().unwrap());
    let mut ann = TestSocket::connect(&client, "/rooms/tea").await.unwrap();
    assert_eq!(ann.recv_text().await, "This is tea.");

    client
        .pubsub()
        .broadcast("tea", "said", "The kettle is on.");

    assert_eq!(ann.recv_text().await, r#""The kettle is on.""#);
}
// ANCHOR_END: test
