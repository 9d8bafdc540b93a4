//! The frame that all connections of a handler send for a message.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};

use nova_core::pubsub::Message;
use nova_core::testing::TestClient;
use nova_core::{App, Request, Result, protocol};
use nova_ws::testing::TestSocket;
use nova_ws::{
    Accept, AppBuilderExt, Connection, Frame, Info, Outcome, Shared, WebSocket, ok, reply,
};

static CALLS: AtomicUsize = AtomicUsize::new(0);

/// Counts how often its shared frame is made, and says in it who made it.
#[derive(Clone)]
struct Counting;

impl WebSocket for Counting {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("counting");
        Ok(Accept::Yes)
    }

    fn shared(_message: &Message) -> Shared {
        let call = CALLS.fetch_add(1, Ordering::SeqCst);
        Shared::text(format!("{call} {:?}", thread::current().id()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_made_once_for_each_message_and_never_by_the_broadcaster() {
    let app = App::builder()
        .websocket("counting", Counting)
        .route(("/ws", "counting", protocol("ws")))
        .build()
        .unwrap();
    let pubsub = app.pubsub().clone();
    let client = TestClient::new(app);
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(TestSocket::connect(&client, "/ws").await.unwrap());
    }
    let broadcaster: ThreadId = thread::spawn(move || {
        for _ in 0..10 {
            pubsub.broadcast("counting", "topic", &());
        }
        thread::current().id()
    })
    .join()
    .unwrap();

    let mut first = Vec::new();
    for _ in 0..10 {
        first.push(sockets[0].recv_text().await);
    }
    assert!(
        first
            .iter()
            .all(|text| !text.ends_with(&format!("{broadcaster:?}")))
    );
    for socket in &mut sockets[1..] {
        for expected in &first {
            assert_eq!(socket.recv_text().await, *expected);
        }
    }
    assert_eq!(CALLS.load(Ordering::SeqCst), 10);
}

/// Shares by topic: a frame, nothing, a panic, what cannot be encoded, or its own state.
#[derive(Clone)]
struct ByTopic(u32);

impl WebSocket for ByTopic {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("topics");
        Ok(Accept::Yes)
    }

    async fn info(&mut self, info: Info, _conn: &mut Connection) -> Outcome {
        self.0 += 1;
        match info {
            Info::Published(message) => {
                reply(Frame::text(format!("{} {}", message.topic(), self.0)))
            }
            _ => ok(),
        }
    }

    fn shared(message: &Message) -> Shared {
        match message.topic() {
            "nothing" => Shared::Nothing,
            "panic" => panic!("no frame for this"),
            "map" => {
                let map: std::collections::HashMap<Vec<u8>, u8> = [(vec![1], 2)].into();
                Shared::json(&map)
            }
            "info" => Shared::Info,
            topic => Shared::text(topic),
        }
    }
}

#[tokio::test]
async fn nothing_and_what_cannot_be_made_are_left_out_and_the_order_is_kept() {
    let app =
        App::builder()
            .websocket("topics", ByTopic(0))
            .route(("/ws", "topics", protocol("ws")));
    let client = TestClient::new(app.build().unwrap());
    let mut sockets = Vec::new();
    for _ in 0..2 {
        sockets.push(TestSocket::connect(&client, "/ws").await.unwrap());
    }
    for topic in ["a", "nothing", "info", "panic", "b", "map", "info", "c"] {
        client.pubsub().broadcast("topics", topic, &());
    }

    for socket in &mut sockets {
        for expected in ["a", "info 1", "b", "info 2", "c"] {
            assert_eq!(socket.recv_text().await, expected);
        }
    }
}
