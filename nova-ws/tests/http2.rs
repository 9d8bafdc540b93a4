//! WebSockets on streams of HTTP/2 (RFC 8441): they are what they are over HTTP/1.1.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use nova_core::App;
use nova_core::testing::TestClient;
use nova_ws::{Accept, AppBuilderExt, Connection, Frame, Outcome, Shared, WebSocket, reply};
use tokio::time::{Instant, sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

#[derive(Clone)]
struct Echo;

impl WebSocket for Echo {
    async fn init(
        &mut self,
        request: &nova_core::Request,
        conn: &mut Connection,
    ) -> nova_core::Result<Accept> {
        assert_eq!(request.version(), http::Version::HTTP_2);
        conn.join("news");
        Ok(Accept::Yes)
    }

    async fn handle(&mut self, frame: Frame, _conn: &mut Connection) -> Outcome {
        reply(frame)
    }

    fn shared(message: &nova_core::pubsub::Message) -> Shared {
        Shared::text(message.decode::<String>().unwrap().as_str())
    }
}

fn client() -> TestClient {
    let app = App::builder()
        .websocket("echo", Echo)
        .route(("/ws", "echo", nova_core::protocol("ws")))
        .route(("/page", |_: nova_core::Request| async { "page" }));
    TestClient::new(app.build().unwrap())
}

type Sender = SendRequest<Empty<Bytes>>;

/// A connection whose client knows the settings of the server.
async fn connect(client: &TestClient) -> Sender {
    let io = TokioIo::new(client.connect());
    let (mut sender, connection) = handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    page(&mut sender).await;
    sender
}

async fn page(sender: &mut Sender) {
    let request = Request::get("http://a/page").body(Empty::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "page");
}

async fn ask(sender: &mut Sender, path: &str, protocol: &str, origin: &str) -> Response<Incoming> {
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri(format!("http://a{path}"))
        .header("sec-websocket-version", "13")
        .header("origin", origin)
        .extension(match protocol {
            "websocket" => Protocol::from_static("websocket"),
            _ => Protocol::from_static("connect-udp"),
        })
        .body(Empty::new())
        .unwrap();
    sender.send_request(request).await.unwrap()
}

async fn open(sender: &mut Sender) -> WebSocketStream<TokioIo<Upgraded>> {
    let answer = ask(sender, "/ws", "websocket", "http://a").await;
    assert_eq!(answer.status(), StatusCode::OK);
    for name in ["connection", "upgrade", "sec-websocket-accept"] {
        assert!(!answer.headers().contains_key(name), "{name}");
    }
    let upgraded = hyper::upgrade::on(answer).await.unwrap();
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await
}

#[tokio::test]
async fn two_sockets_and_requests_share_a_connection() {
    let client = client();
    let mut sender = connect(&client).await;
    let mut sockets = [open(&mut sender).await, open(&mut sender).await];
    for socket in &mut sockets {
        for text in ["short", &"long".repeat(10_000)] {
            socket.send(Message::text(text)).await.unwrap();
            assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(text));
        }
    }
    page(&mut sender).await;
    client.pubsub().broadcast("news", "text", "to all");
    for socket in &mut sockets {
        let heard = socket.next().await.unwrap().unwrap();
        assert_eq!(heard, Message::text("to all"));
    }
}

#[tokio::test]
async fn what_is_no_good_is_refused_with_the_status_of_http_1_1() {
    let client = client();
    let mut sender = connect(&client).await;
    for (path, protocol, origin, status) in [
        ("/ws", "websocket", "http://other", 403),
        ("/none", "websocket", "http://a", 404),
        ("/page", "websocket", "http://a", 400),
        ("/ws", "connect-udp", "http://a", 501),
    ] {
        let answer = ask(&mut sender, path, protocol, origin).await;
        assert_eq!(answer.status(), status, "{path} {protocol} {origin}");
    }
    let request = Request::get("http://a/ws").body(Empty::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 426);
}

#[tokio::test]
async fn a_close_frame_is_answered_and_the_connection_goes_on() {
    let client = client();
    let mut sender = connect(&client).await;
    let mut socket = open(&mut sender).await;
    socket.close(None).await.unwrap();
    while let Some(Ok(message)) = socket.next().await {
        assert!(message.is_close());
    }
    page(&mut sender).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_a_socket_is_not_idle() {
    let client = client();
    let mut sender = connect(&client).await;
    let mut socket = open(&mut sender).await;
    for n in 0..5 {
        sleep(Duration::from_secs(9)).await;
        socket.send(Message::text(n.to_string())).await.unwrap();
        while socket.next().await.unwrap().unwrap() != Message::text(n.to_string()) {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_closes_sockets_at_once_and_does_not_wait_for_the_drain() {
    let client = client();
    let mut sender = connect(&client).await;
    let mut socket = open(&mut sender).await;
    let start = Instant::now();
    let closed = tokio::spawn(async move {
        let Some(Ok(Message::Close(Some(frame)))) = socket.next().await else {
            panic!("there is no close frame");
        };
        while socket.next().await.is_some() {}
        u16::from(frame.code)
    });
    client.stop().await;

    assert_eq!(closed.await.unwrap(), 1001);
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
}
