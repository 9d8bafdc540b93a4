//! The life of a connection: frames, channels, outcomes, the end.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::time::Duration;

use nova_core::pubsub::{Message, PubSub};
use nova_core::testing::TestClient;
use nova_core::{App, AppBuilder, Request, Result, protocol};
use nova_ws::testing::TestSocket;
use nova_ws::{
    Accept, AppBuilderExt, CloseReason, Connection, Frame, Info, Outcome, Shared, WebSocket, ok,
    replies, reply, stop, stop_with,
};
use tokio::sync::mpsc;

/// Does what the frames say, and tells when it ends.
#[derive(Clone)]
struct Obedient {
    frames: u32,
    ended: mpsc::UnboundedSender<CloseReason>,
}

impl WebSocket for Obedient {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("orders");
        Ok(Accept::Yes)
    }

    async fn handle(&mut self, frame: Frame, conn: &mut Connection) -> Outcome {
        self.frames += 1;
        match frame.as_text() {
            Some("count") => reply(Frame::text(self.frames.to_string())),
            Some("three") => replies(["a", "b", "c"].map(Frame::text)),
            Some("nothing") => ok(),
            Some("leave") => {
                conn.leave("orders");
                reply(Frame::text("left"))
            }
            Some("say") => {
                conn.pubsub().broadcast("orders", "text", "said");
                ok()
            }
            Some("tell others") => {
                conn.pubsub().broadcast_from("orders", "text", "told");
                reply(Frame::text("done"))
            }
            Some("who") => reply(Frame::text(conn.id().to_string())),
            Some("stop") => stop(),
            Some("bye") => reply(Frame::text("bye")).and_stop(),
            Some("4001") => stop_with(4001, "as you wish"),
            Some("1005") => stop_with(1005, ""),
            Some("panic") => panic!("as you wish"),
            Some("never") => std::future::pending().await,
            Some(_) => ok(),
            None => reply(Frame::binary(frame.as_bytes().to_vec())),
        }
    }

    async fn info(&mut self, info: Info, _conn: &mut Connection) -> Outcome {
        let Info::Published(message) = info else {
            return ok();
        };
        match message.topic() {
            "panic" => panic!("in info"),
            "slow" => tokio::time::sleep(Duration::from_secs(1)).await,
            "never" => std::future::pending().await,
            _ => {}
        }
        let text = message.decode::<String>().unwrap();
        reply(Frame::text(format!("{text} {}", self.frames)))
    }

    async fn terminate(&mut self, reason: &CloseReason, conn: &mut Connection) {
        assert!(!conn.leave("orders"), "the membership has ended before");
        let _ = self.ended.send(reason.clone());
    }
}

struct Fixture {
    client: TestClient,
    ended: mpsc::UnboundedReceiver<CloseReason>,
}

impl Fixture {
    fn new() -> Self {
        Fixture::of(App::builder())
    }

    fn of(app: AppBuilder) -> Self {
        let (sender, ended) = mpsc::unbounded_channel();
        let obedient = Obedient {
            frames: 0,
            ended: sender,
        };
        let app = app
            .websocket("obedient", obedient)
            .route(("/ws", "obedient", protocol("ws")))
            .build()
            .unwrap();
        Fixture {
            client: TestClient::new(app),
            ended,
        }
    }

    async fn socket(&self) -> TestSocket {
        TestSocket::connect(&self.client, "/ws").await.unwrap()
    }

    fn pubsub(&self) -> &PubSub {
        self.client.pubsub()
    }

    async fn ended(&mut self) -> CloseReason {
        self.ended.recv().await.unwrap()
    }
}

#[tokio::test]
async fn each_connection_has_a_state_of_its_own() {
    let fixture = Fixture::new();
    let (mut ann, mut bob) = (fixture.socket().await, fixture.socket().await);
    ann.send_text("nothing").await;
    ann.send_text("count").await;
    bob.send_text("count").await;

    assert_eq!(ann.recv_text().await, "2");
    assert_eq!(bob.recv_text().await, "1");
}

#[tokio::test]
async fn replies_leave_in_their_order_and_binary_stays_binary() {
    let fixture = Fixture::new();
    let mut socket = fixture.socket().await;
    socket.send_text("three").await;
    for expected in ["a", "b", "c"] {
        assert_eq!(socket.recv_text().await, expected);
    }
    socket.send(Frame::binary(vec![0, 255])).await;
    let frame = socket.recv().await;
    assert!(frame.is_binary());
    assert_eq!(frame.as_bytes(), [0, 255]);
}

#[tokio::test]
async fn what_is_broadcast_after_init_joined_arrives_with_the_sender_included() {
    let fixture = Fixture::new();
    let (mut ann, mut bob) = (fixture.socket().await, fixture.socket().await);
    fixture.pubsub().broadcast("orders", "text", "hello");
    assert_eq!(ann.recv_text().await, "hello 0");
    assert_eq!(bob.recv_text().await, "hello 0");

    ann.send_text("say").await;
    assert_eq!(ann.recv_text().await, "said 1");
    assert_eq!(bob.recv_text().await, "said 0");
    ann.send_text("tell others").await;
    assert_eq!(ann.recv_text().await, "done");
    assert_eq!(bob.recv_text().await, "told 0");
}

#[tokio::test]
async fn a_connection_is_a_member_until_it_leaves_or_ends() {
    let mut fixture = Fixture::new();
    let mut socket = fixture.socket().await;
    socket.send_text("who").await;
    let id = socket.recv_text().await;
    let members = fixture.pubsub().get_local_members("orders");
    assert_eq!(
        members.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [id]
    );

    socket.send_text("leave").await;
    assert_eq!(socket.recv_text().await, "left");
    assert!(fixture.pubsub().get_local_members("orders").is_empty());

    let other = fixture.socket().await;
    drop(other);
    assert_eq!(fixture.ended().await, CloseReason::Disconnected);
    assert!(fixture.pubsub().get_local_members("orders").is_empty());
}

#[tokio::test]
async fn the_end_that_a_handler_chooses_has_its_code() {
    let mut fixture = Fixture::new();
    for (order, code) in [("stop", 1000), ("4001", 4001), ("1005", 1011)] {
        let mut socket = fixture.socket().await;
        socket.send_text(order).await;
        assert_eq!(socket.closed().await, Some(code), "{order}");
        assert_eq!(fixture.ended().await, CloseReason::Stopped);
    }
    let mut socket = fixture.socket().await;
    socket.send_text("bye").await;
    assert_eq!(socket.recv_text().await, "bye");
    assert_eq!(socket.closed().await, Some(1000));
}

#[tokio::test]
async fn a_handler_that_panics_ends_its_own_connection_with_1011() {
    let mut fixture = Fixture::new();
    let (mut ann, mut bob) = (fixture.socket().await, fixture.socket().await);
    ann.send_text("panic").await;
    assert_eq!(ann.closed().await, Some(1011));
    assert_eq!(
        fixture.ended().await,
        CloseReason::Panicked("as you wish".into())
    );

    bob.send_text("count").await;
    assert_eq!(bob.recv_text().await, "1");
    fixture.pubsub().broadcast("orders", "panic", "");
    assert_eq!(bob.closed().await, Some(1011));
    assert_eq!(
        fixture.ended().await,
        CloseReason::Panicked("in info".into())
    );
}

#[tokio::test]
async fn the_handler_learns_how_the_client_closed() {
    let mut fixture = Fixture::new();
    fixture.socket().await.close(4000, "enough").await;
    let expected = CloseReason::Remote {
        code: Some(4000),
        reason: "enough".into(),
    };
    assert_eq!(fixture.ended().await, expected);
}

#[tokio::test(start_paused = true)]
async fn later_messages_wait_for_an_info_that_takes_its_time() {
    let fixture = Fixture::new();
    let mut socket = fixture.socket().await;
    fixture.pubsub().broadcast("orders", "slow", "first");
    fixture.pubsub().broadcast("orders", "text", "second");

    assert_eq!(socket.recv_text().await, "first 0");
    assert_eq!(socket.recv_text().await, "second 0");
}

#[tokio::test]
async fn a_stop_closes_with_1001_and_calls_terminate() {
    let mut fixture = Fixture::new();
    let socket = fixture.socket().await;
    let closed = tokio::spawn(socket.closed());
    fixture.client.stop().await;

    assert_eq!(closed.await.unwrap(), Some(1001));
    assert_eq!(fixture.ended.recv().await.unwrap(), CloseReason::Shutdown);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_a_while_for_a_callback_and_then_calls_terminate_all_the_same() {
    let mut fixture = Fixture::new();
    let mut socket = fixture.socket().await;
    socket.send_text("count").await;
    socket.recv_text().await;
    fixture.pubsub().broadcast("orders", "never", "");
    tokio::task::yield_now().await;
    let closed = tokio::spawn(socket.closed());
    let start = tokio::time::Instant::now();
    fixture.client.stop().await;

    assert_eq!(closed.await.unwrap(), Some(1001));
    assert_eq!(fixture.ended.recv().await.unwrap(), CloseReason::Shutdown);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn terminate_is_called_in_time_though_the_client_does_not_answer_the_close() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nova.toml");
    std::fs::write(&file, "[server]\nshutdown_drain_timeout = 2\n").unwrap();
    let mut fixture = Fixture::of(App::builder().config_file(&file));
    let _silent = fixture.socket().await;
    let mut busy = fixture.socket().await;
    busy.send_text("count").await;
    busy.recv_text().await;
    busy.send_text("never").await;
    tokio::task::yield_now().await;

    fixture.client.stop().await;

    for _ in 0..2 {
        assert_eq!(fixture.ended.try_recv(), Ok(CloseReason::Shutdown));
    }
}

/// Joins in `init` and lets the message come before the upgrade is done.
#[derive(Clone)]
struct Early;

impl WebSocket for Early {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("early");
        conn.pubsub().broadcast("early", "text", "before the 101");
        Ok(Accept::Yes)
    }

    fn shared(message: &Message) -> Shared {
        Shared::text(&**message.decode::<String>().unwrap())
    }
}

#[tokio::test]
async fn what_is_broadcast_during_init_is_delivered_after_the_101() {
    let app = App::builder()
        .websocket("early", Early)
        .route(("/early", "early", protocol("ws")));
    let client = TestClient::new(app.build().unwrap());
    let mut socket = TestSocket::connect(&client, "/early").await.unwrap();

    assert_eq!(socket.recv_text().await, "before the 101");
}
