//! Who may upgrade, and what the others are told (RFC 6455 §4.2).

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::time::Duration;

use nova_core::testing::{TestClient, TestResponse};
use nova_core::{
    App, Environment, Error, Flow, Head, Plugin, Request, Response, Result, methods, protocol,
};
use nova_core::{redirect, status, text};
use nova_ws::sse::{EndReason, EventSource};
use nova_ws::testing::{TestEvents, TestSocket};
use nova_ws::{
    Accept, AppBuilderExt, CloseReason, Connection, Frame, Outcome, WebSocket, WsLimits, reply,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tower::util::MapResponseLayer;

/// Accepts or refuses as the query says, and tells when it ends.
#[derive(Clone)]
struct Door(mpsc::UnboundedSender<CloseReason>);

impl WebSocket for Door {
    async fn init(&mut self, request: &Request, _conn: &mut Connection) -> Result<Accept> {
        match request.uri().query() {
            Some("refuse") => Ok(Accept::Refuse(status(401).header("x-why", "no ticket"))),
            Some("redirect") => Ok(Accept::Refuse(redirect("/login"))),
            Some("fail") => Err(Error::new(409, "taken")),
            Some("panic") => panic!("a secret"),
            _ => Ok(Accept::Yes),
        }
    }

    async fn handle(&mut self, frame: Frame, _conn: &mut Connection) -> Outcome {
        reply(frame)
    }

    async fn terminate(&mut self, reason: &CloseReason, _conn: &mut Connection) {
        let _ = self.0.send(reason.clone());
    }
}

/// Gives every answer, the 101 too, a header, or another status.
struct Marks;

impl Plugin for Marks {
    async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
        match request.header("x-stop") {
            Some("panic") => panic!("in a plugin"),
            Some(_) => Ok(Flow::Stop(status(403))),
            None => Ok(Flow::Continue),
        }
    }

    async fn post_request(&self, head: &Head, response: &mut Response) -> Result<Flow> {
        response
            .headers_mut()
            .insert("x-marked", http::HeaderValue::from_static("yes"));
        if head.header("x-spoil").is_some() {
            *response.status_mut() = http::StatusCode::IM_A_TEAPOT;
        }
        Ok(Flow::Continue)
    }
}

fn client() -> (TestClient, mpsc::UnboundedReceiver<CloseReason>) {
    let (log, ended) = mpsc::unbounded_channel();
    let app = App::builder()
        .environment(Environment::Prod)
        .plugin("marks", Marks)
        .global_plugins(["marks"])
        .websocket("door", Door(log))
        .action("page", |_| async { text("page") })
        .route(("/door", "door", protocol("ws")))
        .route(("/both", "door", protocol("ws")))
        .route(("/both", "page", methods(["get", "post"])));
    (TestClient::new(app.build().unwrap()), ended)
}

/// The answer to a handshake in which some headers are other than they should be.
async fn handshake(client: &TestClient, changes: &[(&str, &str)]) -> TestResponse {
    let mut headers = vec![
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for change in changes {
        headers.retain(|(name, _)| *name != change.0);
    }
    headers.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    let mut request = client.get("/door").header("host", "localhost:8080");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    match request.upgrade().await {
        Ok((accepted, _)) => accepted,
        Err(refused) => refused,
    }
}

#[tokio::test]
async fn the_101_answers_the_key_and_carries_what_plugins_add() {
    let (client, _) = client();
    let accepted = handshake(&client, &[]).await;

    assert_eq!(accepted.status(), 101);
    // The answer to the sample key of RFC 6455 §1.3.
    assert_eq!(
        accepted.header("sec-websocket-accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    assert_eq!(accepted.header("upgrade"), Some("websocket"));
    assert_eq!(accepted.header("connection"), Some("upgrade"));
    assert_eq!(accepted.header("x-marked"), Some("yes"));
}

#[tokio::test]
async fn a_handshake_that_is_none_says_what_it_misses() {
    let (client, _) = client();
    for (changes, expected) in [
        ([("upgrade", "")], 426),
        ([("upgrade", "h2c")], 426),
        ([("connection", "keep-alive")], 426),
        ([("sec-websocket-version", "")], 426),
        ([("sec-websocket-version", "8")], 426),
        ([("sec-websocket-key", "")], 400),
        ([("sec-websocket-key", "c2hvcnQ=")], 400),
        ([("sec-websocket-key", "no base64")], 400),
        ([("content-length", "3")], 400),
    ] {
        let refused = handshake(&client, &changes).await;
        assert_eq!(refused.status(), expected, "{changes:?}");
        assert!(!refused.body().is_empty());
    }
    for change in [("sec-websocket-version", "8"), ("upgrade", "")] {
        let refused = handshake(&client, &[change]).await;
        assert_eq!(refused.header("sec-websocket-version"), Some("13"));
        assert_eq!(refused.header("upgrade"), Some("websocket"));
    }
}

#[tokio::test]
async fn an_origin_is_absent_or_the_host() {
    let (client, _) = client();
    let twice = client
        .get("/door")
        .header("origin", "http://localhost")
        .header("origin", "http://evil.example");
    assert_eq!(TestSocket::open(twice).await.unwrap_err().status(), 403);
    for (origin, expected) in [
        ("http://localhost:8080", 101),
        ("https://LOCALHOST:8080", 101),
        ("http://localhost", 403),
        ("http://evil.example", 403),
        ("http://localhost:8080.evil.example", 403),
        ("null", 403),
    ] {
        let answer = handshake(&client, &[("origin", origin)]).await;
        assert_eq!(answer.status(), expected, "{origin}");
    }
}

#[tokio::test]
async fn init_may_refuse_with_any_reply_and_nothing_is_upgraded() {
    let (client, mut ended) = client();
    for (path, expected) in [
        ("/door?refuse", 401),
        ("/door?redirect", 302),
        ("/door?fail", 409),
        ("/door?panic", 500),
    ] {
        let refused = TestSocket::connect(&client, path).await.unwrap_err();
        assert_eq!(refused.status(), expected, "{path}");
        assert!(!refused.text().contains("secret"));
    }
    let refused = TestSocket::connect(&client, "/door?refuse")
        .await
        .unwrap_err();
    assert_eq!(refused.header("x-why"), Some("no ticket"));
    assert!(ended.try_recv().is_err(), "what never began does not end");
}

/// Logs its client out while it accepts it.
#[derive(Clone)]
struct LogsOut(Door);

impl WebSocket for LogsOut {
    async fn init(&mut self, request: &Request, _conn: &mut Connection) -> Result<Accept> {
        request.session().user().await?;
        match request.uri().query() {
            Some("unoffered") => Ok(Accept::Protocol("b".into())),
            _ => {
                request.session().end_all_of("ann").await?;
                Ok(Accept::Yes)
            }
        }
    }

    async fn terminate(&mut self, reason: &CloseReason, conn: &mut Connection) {
        self.0.terminate(reason, conn).await;
    }
}

impl EventSource for LogsOut {
    async fn init(&mut self, request: &Request, conn: &mut Connection) -> Result<Accept> {
        WebSocket::init(self, request, conn).await
    }

    async fn terminate(&mut self, _reason: &EndReason, conn: &mut Connection) {
        self.0.terminate(&CloseReason::Disconnected, conn).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_accepted_hears_that_nothing_comes_of_it() {
    let (log, mut ended) = mpsc::unbounded_channel();
    let protocols = WsLimits {
        protocols: Some(vec!["a".into()]),
        connections: Some(1),
        ..WsLimits::default()
    };
    let logs_out = LogsOut(Door(log));
    let app = App::builder()
        .websocket("door", logs_out.0.clone())
        .websocket("logs_out", logs_out.clone())
        .event_source("events", logs_out)
        .route(("/speaks", "door", protocol("ws").limits(protocols)))
        .route(("/logs_out", "logs_out", protocol("ws")))
        .route(("/events", "events", protocol("sse")))
        .route(("/login", |request: Request| async move {
            request.session().log_in("ann").await
        }));
    let client = TestClient::new(app.build().unwrap());
    let cookie = async || {
        let answer = client.get("/login").await;
        answer.header("set-cookie").unwrap().to_owned()
    };

    let mut hears = async || timeout(Duration::from_secs(5), ended.recv()).await;

    let others = [("/speaks", 400, "x"), ("/logs_out?unoffered", 500, "a")];
    for (path, expected, offered) in others.repeat(2) {
        let request = client.get(path).header("sec-websocket-protocol", offered);
        let refused = TestSocket::open(request).await.unwrap_err();
        assert_eq!(refused.status(), expected, "{path}");
        assert_eq!(hears().await, Ok(Some(CloseReason::Disconnected)));
    }
    let request = client.get("/logs_out").header("cookie", &cookie().await);
    assert_eq!(TestSocket::open(request).await.unwrap_err().status(), 401);
    assert_eq!(hears().await, Ok(Some(CloseReason::Disconnected)));
    let request = client.get("/events").header("cookie", &cookie().await);
    assert_eq!(TestEvents::open(request).await.unwrap_err().status(), 401);
    assert_eq!(hears().await, Ok(Some(CloseReason::Disconnected)));
}

#[tokio::test]
async fn a_plugin_that_stops_or_panics_lets_no_upgrade_through() {
    let (client, _) = client();

    for (value, expected) in [("yes", 403), ("panic", 500)] {
        let request = client.get("/door").header("x-stop", value);
        let refused = TestSocket::open(request).await.unwrap_err();
        assert_eq!(refused.status(), expected);
    }
}

#[tokio::test]
async fn a_plugin_that_changes_the_101_ends_the_handler() {
    let (client, mut ended) = client();
    let request = client.get("/door").header("x-spoil", "yes");
    let refused = TestSocket::open(request).await.unwrap_err();

    assert_eq!(refused.status(), 418);
    assert_eq!(ended.recv().await, Some(CloseReason::Disconnected));
}

/// Never lets an answer go.
struct Holds;

impl Plugin for Holds {
    async fn post_request(&self, _head: &Head, _response: &mut Response) -> Result<Flow> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_before_the_101_ends_the_handler() {
    let (log, mut ended) = mpsc::unbounded_channel();
    let app = App::builder()
        .plugin("holds", Holds)
        .global_plugins(["holds"])
        .websocket("door", Door(log))
        .route(("/door", "door", protocol("ws")));
    let client = TestClient::new(app.build().unwrap());
    let mut raw = client.connect();
    let request = "GET /door HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                   sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    raw.write_all(request.as_bytes()).await.unwrap();
    tokio::task::yield_now().await;
    drop(raw);

    assert_eq!(ended.recv().await, Some(CloseReason::Disconnected));
}

#[tokio::test]
async fn a_frame_right_behind_the_handshake_follows_the_101() {
    let (client, _) = client();
    let mut raw = client.connect();
    let mut bytes =
        b"GET /door HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            .to_vec();
    bytes.extend(b"\x81\x82\0\0\0\0hi");
    raw.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\x81\x02hi") {
        answer.push(raw.read_u8().await.unwrap());
    }

    assert!(answer.starts_with(b"HTTP/1.1 101 "));
}

#[tokio::test]
async fn a_path_can_have_a_page_and_a_socket() {
    let (client, _) = client();

    assert_eq!(client.get("/both").await.text(), "page");
    assert_eq!(client.post("/both").await.text(), "page");
    let mut socket = TestSocket::connect(&client, "/both").await.unwrap();
    socket.send_text("hi").await;
    assert_eq!(socket.recv_text().await, "hi");
}

#[tokio::test]
async fn other_methods_than_get_are_405() {
    let (client, _) = client();
    let response = client.post("/door").await;

    assert_eq!(response.status(), 405);
    assert_eq!(response.header("allow"), Some("GET, OPTIONS"));
    let both = client.delete("/both").await;
    assert_eq!(both.header("allow"), Some("GET, HEAD, POST, OPTIONS"));
}

#[tokio::test]
async fn a_socket_opens_through_a_layer() {
    let (log, _ended) = mpsc::unbounded_channel();
    let teapot = MapResponseLayer::new(|mut response: Response| {
        if response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
            *response.status_mut() = http::StatusCode::IM_A_TEAPOT;
        }
        response
    });
    let app = App::builder()
        .websocket("door", Door(log))
        .route(("/door", "door", protocol("ws")))
        .layer(teapot);
    let client = TestClient::new(app.build().unwrap());
    let mut socket = TestSocket::connect(&client, "/door").await.unwrap();
    socket.send_text("hello").await;
    assert_eq!(socket.recv_text().await, "hello");
    let refused = TestSocket::connect(&client, "/door?refuse").await;
    assert_eq!(refused.unwrap_err().status(), 418);
}
