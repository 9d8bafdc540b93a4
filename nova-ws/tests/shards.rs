//! What shards write to TCP connections, which they do past the connections' tasks.

#![expect(clippy::unwrap_used, reason = "a test")]

use futures_util::{SinkExt, StreamExt};
use nova_core::pubsub::{Message, PubSub};
use nova_core::{App, Request, Result, protocol};
use nova_ws::{
    Accept, AppBuilderExt, CloseReason, Connection, Frame, Info, Outcome, Shared, WebSocket,
    WsLimits, ok, reply,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite};

/// Shares texts, asks each connection about the topic `info`, and tells how connections end.
#[derive(Clone)]
struct All {
    ends: mpsc::UnboundedSender<CloseReason>,
    go_on: std::sync::Arc<tokio::sync::Semaphore>,
}

impl WebSocket for All {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("all");
        conn.join_topics("chosen", &["wanted"]);
        Ok(Accept::Yes)
    }

    async fn handle(&mut self, frame: Frame, conn: &mut Connection) -> Outcome {
        if frame.as_text() == Some("leave") {
            conn.leave("all");
            return reply(Frame::text("left"));
        }
        if let Some(text) = frame.as_text() {
            conn.pubsub().broadcast_from("all", "text", text);
        }
        ok()
    }

    async fn info(&mut self, _info: Info, _conn: &mut Connection) -> Outcome {
        self.go_on.acquire().await.unwrap().forget();
        reply(Frame::text("info"))
    }

    fn shared(message: &Message) -> Shared {
        match message.topic() {
            "info" => Shared::Info,
            "nothing" => Shared::Nothing,
            _ => Shared::text(message.decode::<String>().unwrap().as_str()),
        }
    }

    async fn terminate(&mut self, reason: &CloseReason, _conn: &mut Connection) {
        let _ = self.ends.send(reason.clone());
    }
}

struct Served {
    address: std::net::SocketAddr,
    pubsub: PubSub,
    ends: mpsc::UnboundedReceiver<CloseReason>,
    go_on: std::sync::Arc<tokio::sync::Semaphore>,
}

async fn served() -> Served {
    served_with(WsLimits::default()).await
}

async fn served_with(limits: WsLimits) -> Served {
    let (sender, ends) = mpsc::unbounded_channel();
    let go_on = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let all = All {
        ends: sender,
        go_on: go_on.clone(),
    };
    let app =
        App::builder()
            .limits(limits)
            .websocket("all", all)
            .route(("/ws", "all", protocol("ws")));
    let app = app.build().unwrap();
    let pubsub = app.pubsub().clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(app.serve(listener, std::future::pending()));
    Served {
        address,
        pubsub,
        ends,
        go_on,
    }
}

impl Served {
    async fn connect(&self) -> WebSocketStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let url = format!("ws://{}/ws", self.address);
        client_async(url, stream).await.unwrap().0
    }
}

async fn text(socket: &mut WebSocketStream<TcpStream>) -> String {
    match socket.next().await {
        Some(Ok(tungstenite::Message::Text(text))) => text.to_string(),
        other => panic!("no text: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_gets_every_text_in_order_and_the_sender_none_of_its_own() {
    let served = served().await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(served.connect().await);
    }
    for number in 0..500 {
        served.pubsub.broadcast("all", "text", &number.to_string());
    }
    for socket in &mut sockets {
        for number in 0..500 {
            assert_eq!(text(socket).await, number.to_string());
        }
    }

    sockets[0].send("by one".into()).await.unwrap();
    for socket in &mut sockets[1..] {
        assert_eq!(text(socket).await, "by one");
    }
    served.pubsub.broadcast("all", "text", "next");
    assert_eq!(text(&mut sockets[0]).await, "next");
}

#[tokio::test]
async fn frames_wait_behind_an_info_that_waits_and_leave_in_the_order_of_the_messages() {
    let served = served().await;
    let mut socket = served.connect().await;
    for topic in ["first", "info", "third", "info", "fifth"] {
        served.pubsub.broadcast("all", topic, topic);
    }

    assert_eq!(text(&mut socket).await, "first");
    served.go_on.add_permits(1);
    assert_eq!(text(&mut socket).await, "info");
    assert_eq!(text(&mut socket).await, "third");
    served.pubsub.broadcast("all", "sixth", "sixth");
    served.go_on.add_permits(1);
    for expected in ["info", "fifth", "sixth"] {
        assert_eq!(text(&mut socket).await, expected);
    }
}

#[tokio::test]
async fn of_a_channel_with_chosen_topics_only_those_arrive() {
    let served = served().await;
    let mut socket = served.connect().await;
    for topic in ["wanted", "other", "wanted"] {
        served.pubsub.broadcast("chosen", topic, topic);
    }
    served.pubsub.broadcast("all", "last", "last");
    for expected in ["wanted", "wanted", "last"] {
        assert_eq!(text(&mut socket).await, expected);
    }
}

#[tokio::test]
async fn of_more_messages_than_a_shard_holds_those_on_the_channel_are_told_to_try_again_later() {
    const HELD: usize = 16 * 1024;
    let mut served = served().await;
    let mut on_it = served.connect().await;
    let mut not_on_it = served.connect().await;
    not_on_it.send("leave".into()).await.unwrap();
    assert_eq!(text(&mut not_on_it).await, "left");

    // The shard has no turn before all are there.
    served.pubsub.broadcast("all", "first", "first");
    for _ in 0..HELD {
        served.pubsub.broadcast("all", "nothing", "");
    }

    assert_eq!(text(&mut on_it).await, "first");
    match on_it.next().await {
        Some(Ok(tungstenite::Message::Close(Some(close)))) => {
            assert_eq!(u16::from(close.code), 1013);
        }
        other => panic!("no close: {other:?}"),
    }
    drop(on_it);
    assert_eq!(served.ends.recv().await, Some(CloseReason::TooSlow));
    served.pubsub.broadcast("chosen", "wanted", "wanted");
    assert_eq!(text(&mut not_on_it).await, "wanted");
}

#[tokio::test]
async fn who_does_not_read_is_found_to_be_too_slow_and_holds_up_nobody() {
    let mut served = served().await;
    let _silent = served.connect().await;
    let mut reader = served.connect().await;
    let long = "x".repeat(256 * 1024);
    let mut sent = 0;
    let reason = loop {
        served.pubsub.broadcast("all", "long", &long);
        sent += 1;
        assert_eq!(text(&mut reader).await.len(), long.len());
        match served.ends.try_recv() {
            Ok(reason) => break reason,
            // The kernel holds some megabytes for a connection, and the outlet one.
            Err(_) if sent < 200 => {}
            // What is left is the time for the closing handshake.
            Err(_) => break served.ends.recv().await.unwrap(),
        }
    };
    assert_eq!(reason, CloseReason::TooSlow);
    served.pubsub.broadcast("all", "last", "last");
    assert_eq!(text(&mut reader).await, "last");
}

#[tokio::test]
async fn a_client_that_does_not_read_gets_whole_frames_up_to_its_close() {
    let mut served = served_with(WsLimits {
        outgoing_bytes: Some(1_000),
        ..WsLimits::default()
    })
    .await;
    let mut socket = served.connect().await;
    let long = "a".repeat(1_500);
    while served.ends.is_empty() {
        for _ in 0..10 {
            served.pubsub.broadcast("all", "text", &long);
        }
        tokio::task::yield_now().await;
        // The connection has its time for the closing: read as soon as it is a member no more.
        if served.pubsub.get_local_members("all").is_empty() {
            break;
        }
    }

    let mut texts = 0;
    let close = loop {
        match socket.next().await.unwrap().unwrap() {
            tungstenite::Message::Text(text) => assert_eq!(text.as_str(), long),
            tungstenite::Message::Close(close) => break close.unwrap(),
            other => panic!("neither a text nor a close: {other:?}"),
        }
        texts += 1;
    };
    assert_eq!(u16::from(close.code), 1013);
    assert!(texts > 10);
    assert_eq!(served.ends.recv().await, Some(CloseReason::TooSlow));
    assert!(served.pubsub.stats().lost > 0);
}

#[tokio::test]
async fn a_connection_that_comes_when_the_pubsub_is_closed_is_told_to_go() {
    let mut served = served().await;
    served.pubsub.close();
    for _ in 0..2 {
        let mut socket = served.connect().await;
        match socket.next().await.unwrap().unwrap() {
            tungstenite::Message::Close(close) => assert_eq!(u16::from(close.unwrap().code), 1001),
            other => panic!("no close: {other:?}"),
        }
        drop(socket);
        assert_eq!(served.ends.recv().await, Some(CloseReason::Shutdown));
    }
}
