//! What a handler learns and says in the life of its connection, in their order.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use bytes::Bytes;
use nova_core::pubsub::Received;
use nova_core::testing::TestClient;
use nova_core::{App, Request, Result, protocol};
use nova_ws::testing::TestSocket;
use nova_ws::{
    Accept, AppBuilderExt, CloseReason, Connection, Frame, Info, Outcome, WebSocket, WsLimits, ok,
    replies, reply,
};

/// Says what is called, and with what.
#[derive(Clone, Default)]
struct Diary {
    entries: Vec<String>,
}

impl WebSocket for Diary {
    async fn init(&mut self, request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("news");
        conn.pubsub().broadcast("news", "text", "in init");
        self.entries.push(format!("init {}", conn.path()));
        let wanted = request.header("x-protocol");
        Ok(match wanted {
            Some(name) => Accept::Protocol(name.to_owned()),
            None => Accept::Yes,
        })
    }

    async fn started(&mut self, conn: &mut Connection) -> Outcome {
        self.entries.push(format!("started {:?}", conn.protocol()));
        replies(self.entries.drain(..).map(Frame::text))
    }

    async fn handle(&mut self, frame: Frame, _conn: &mut Connection) -> Outcome {
        match frame.as_text() {
            Some("hibernate") => reply(Frame::text("zzz")).and_hibernate(),
            _ => reply(frame),
        }
    }

    async fn ping(&mut self, payload: Bytes, _conn: &mut Connection) -> Outcome {
        reply(Frame::text(format!("ping {payload:?}")))
    }

    async fn info(&mut self, info: Info, _conn: &mut Connection) -> Outcome {
        match info {
            Info::Published(message) => {
                let text = message.decode::<String>().unwrap();
                reply(Frame::text(format!("published {text}")))
            }
            _ => ok(),
        }
    }

    async fn terminate(&mut self, reason: &CloseReason, conn: &mut Connection) {
        conn.pubsub()
            .broadcast("diary", "ended", &format!("{reason:?}"));
    }
}

fn client(limits: WsLimits) -> TestClient {
    let app = App::builder().websocket("diary", Diary::default()).route((
        "/ws",
        "diary",
        protocol("ws").limits(limits),
    ));
    TestClient::new(app.build().unwrap())
}

#[tokio::test]
async fn what_started_returns_comes_first_and_then_what_init_has_heard() {
    let client = client(WsLimits::default());
    let mut socket = TestSocket::connect(&client, "/ws").await.unwrap();

    assert_eq!(socket.recv_text().await, "init /ws");
    assert_eq!(socket.recv_text().await, "started None");
    assert_eq!(socket.recv_text().await, "published in init");
}

#[tokio::test]
async fn a_ping_is_answered_and_shown_to_the_handler() {
    let client = client(WsLimits::default());
    let mut socket = TestSocket::connect(&client, "/ws").await.unwrap();
    for _ in 0..3 {
        socket.recv().await;
    }
    socket.ping(b"pulse").await;
    assert_eq!(socket.recv_text().await, "ping b\"pulse\"");
}

#[tokio::test]
async fn a_connection_that_hibernates_goes_on_where_it_was() {
    let client = client(WsLimits::default());
    let mut socket = TestSocket::connect(&client, "/ws").await.unwrap();
    for _ in 0..3 {
        socket.recv().await;
    }
    let long = "a".repeat(60_000);
    for text in [&*long, "hibernate", &*long] {
        socket.send_text(text).await;
    }
    assert_eq!(socket.recv_text().await, long);
    assert_eq!(socket.recv_text().await, "zzz");
    assert_eq!(socket.recv_text().await, long);
}

/// The status of the answer, and the sub-protocol that it names.
async fn chosen(client: &TestClient, offered: &str, wanted: &str) -> (u16, Option<String>) {
    let mut request = client
        .get("/ws")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    if !offered.is_empty() {
        request = request.header("sec-websocket-protocol", offered);
    }
    if !wanted.is_empty() {
        request = request.header("x-protocol", wanted);
    }
    let answer = match request.upgrade().await {
        Ok((answer, _)) | Err(answer) => answer,
    };
    let named = answer.header("sec-websocket-protocol").map(str::to_owned);
    (answer.status().as_u16(), named)
}

#[tokio::test]
async fn the_handler_chooses_among_the_sub_protocols_that_the_client_offers() {
    let client = client(WsLimits::default());
    let named = |name: &str| Some(name.to_owned());

    assert_eq!(chosen(&client, "a, b", "b").await, (101, named("b")));
    assert_eq!(chosen(&client, "a, b", "").await, (101, None));
    assert_eq!(chosen(&client, "", "").await, (101, None));
    assert_eq!(chosen(&client, "a, b", "c").await, (500, None));
}

#[tokio::test]
async fn the_limits_choose_the_best_sub_protocol_that_both_speak() {
    let client = client(WsLimits {
        protocols: Some(vec!["v2".into(), "v1".into()]),
        ..WsLimits::default()
    });
    let named = |name: &str| Some(name.to_owned());

    assert_eq!(chosen(&client, "v1,v2", "").await, (101, named("v2")));
    assert_eq!(chosen(&client, "v0, v1", "").await, (101, named("v1")));
    assert_eq!(chosen(&client, "v0", "").await, (400, None));
    assert_eq!(chosen(&client, "", "").await, (101, None));
    assert_eq!(chosen(&client, "v0, v1", "v0").await, (101, named("v0")));
}

#[tokio::test]
async fn a_handler_that_has_said_yes_learns_that_there_is_no_connection() {
    let client = client(WsLimits {
        protocols: Some(vec!["v1".into()]),
        ..WsLimits::default()
    });
    let mut diary = client.pubsub().mailbox();
    diary.join("diary");

    for (offered, wanted, status) in [("v0", "", 400), ("v1", "v2", 500)] {
        assert_eq!(chosen(&client, offered, wanted).await, (status, None));
        let Some(Received::Message(ended)) = diary.try_recv() else {
            panic!("`terminate` was not called for a {status}");
        };
        assert_eq!(*ended.decode::<String>().unwrap(), "Disconnected");
    }
    assert!(diary.try_recv().is_none());
}
