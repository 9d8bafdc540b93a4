//! Who gets a stream, and how it is answered.

use std::time::Duration;

use futures_util::StreamExt;
use nova_core::testing::TestClient;
use nova_core::{
    Access, AccessLogOptions, AccessLogPlugin, App, CompressionOptions, CompressionPlugin,
    CorsOptions, CorsPlugin, Error, Group, Request, Result, Security, TimeoutOptions,
    TimeoutPlugin, methods, protocol, status, text,
};
use nova_ws::sse::{EndReason, Event, EventSource, Outcome, send};
use nova_ws::testing::TestEvents;
use nova_ws::{Accept, AppBuilderExt, Connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::sleep;

/// Opens as the query says, greets, and tells how it ended.
#[derive(Clone)]
struct Door(mpsc::UnboundedSender<String>);

impl EventSource for Door {
    async fn init(&mut self, request: &Request, _conn: &mut Connection) -> Result<Accept> {
        match request.uri().query() {
            Some("refuse") => Ok(Accept::Refuse(status(401).text("who are you?"))),
            Some("enough") => Ok(Accept::Refuse(status(204))),
            Some("fail") => Err(Error::new(503, "not now")),
            Some("panic") => panic!("as the query says"),
            Some("slow") => {
                sleep(Duration::from_secs(60)).await;
                Ok(Accept::Yes)
            }
            _ => Ok(Accept::Yes),
        }
    }

    async fn started(&mut self, _conn: &mut Connection) -> Outcome {
        let _ = self.0.send("started".to_owned());
        send(Event::text("hello"))
    }

    async fn terminate(&mut self, reason: &EndReason, _conn: &mut Connection) {
        let _ = self.0.send(format!("{reason:?}"));
    }
}

fn door() -> (Door, mpsc::UnboundedReceiver<String>) {
    let (sender, log) = mpsc::unbounded_channel();
    (Door(sender), log)
}

fn client() -> (TestClient, mpsc::UnboundedReceiver<String>) {
    let (door, log) = door();
    let app = App::builder()
        .event_source("door", door)
        .route(("/", "door", protocol("sse")));
    (TestClient::new(app.build().unwrap()), log)
}

/// What a client has when the app closes the connection, or when `text` has come.
async fn raw(client: &TestClient, request: &str, until: &str) -> String {
    let mut connection = client.connect();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut received = Vec::new();
    while !String::from_utf8_lossy(&received).contains(until)
        && connection.read_buf(&mut received).await.unwrap() > 0
    {}
    String::from_utf8(received).unwrap()
}

#[tokio::test]
async fn the_answer_is_a_stream_that_nobody_keeps_or_changes() {
    let (client, _) = client();
    let mut events = TestEvents::connect(&client, "/").await.unwrap();

    let answer = events.answer();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let cache_control = answer.header("cache-control");
    assert_eq!(cache_control, Some("no-store, no-transform"));
    assert_eq!(answer.header("x-accel-buffering"), Some("no"));
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert_eq!(events.recv_data().await, "hello");
    let retry = events.retry().unwrap().as_millis();
    assert!((2_000..=5_000).contains(&retry), "{retry} ms");
}

/// Never gets to sending anything.
#[derive(Clone)]
struct Hesitant;

impl EventSource for Hesitant {
    async fn started(&mut self, _conn: &mut Connection) -> Outcome {
        std::future::pending().await
    }
}

#[tokio::test]
async fn the_first_bytes_come_at_once_whatever_the_handler_does() {
    let app =
        App::builder()
            .event_source("hesitant", Hesitant)
            .route(("/", "hesitant", protocol("sse")));
    let client = TestClient::new(app.build().unwrap());
    let (_, mut body) = client.get("/").stream().await;

    let first = body.next().await.unwrap().unwrap();
    assert!(first.starts_with(b"retry: ") && first.ends_with(b"\n\n"));
}

#[tokio::test]
async fn a_client_that_takes_other_things_only_is_told_what_there_is() {
    let (client, mut log) = client();
    for accept in ["application/json", "text/html, text/event-stream;q=0"] {
        let response = client.get("/").header("accept", accept).await;
        assert_eq!(response.status(), 406, "{accept}");
    }
    let response = client.get("/").header("accept", "application/json").await;
    let problem: serde_json::Value = response.json();
    assert_eq!(
        problem["detail"],
        "there are events here: accept `text/event-stream`"
    );
    assert!(log.try_recv().is_err(), "nothing was opened");

    for accept in ["*/*", "text/*", "text/event-stream, text/html"] {
        let (answer, _) = client.get("/").header("accept", accept).stream().await;
        assert_eq!(answer.status(), 200, "{accept}");
    }
}

#[tokio::test]
async fn what_init_says_instead_is_the_answer() {
    let (client, mut log) = client();
    for (query, code) in [
        ("refuse", 401),
        ("enough", 204),
        ("fail", 503),
        ("panic", 500),
    ] {
        let refused = TestEvents::connect(&client, &format!("/?{query}")).await;
        assert_eq!(refused.unwrap_err().status(), code, "{query}");
    }
    assert_eq!(client.get("/?refuse").await.text(), "who are you?");
    assert!(log.try_recv().is_err(), "nothing was opened");
}

#[tokio::test]
async fn a_head_has_the_head_of_the_answer_and_starts_nothing() {
    let (client, mut log) = client();
    let response = client.request("HEAD", "/").await;

    assert_eq!(response.status(), 200);
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
    assert_eq!(response.header("content-length"), None);
    assert_eq!(log.recv().await.unwrap(), "Disconnected");
    assert_eq!(client.request("HEAD", "/?refuse").await.status(), 401);
}

#[tokio::test]
async fn other_methods_are_told_which_there_are() {
    let (client, _) = client();
    for method in ["POST", "PUT", "DELETE"] {
        let response = client.request(method, "/").await;
        assert_eq!(response.status(), 405, "{method}");
        assert_eq!(response.header("allow"), Some("GET, HEAD, OPTIONS"));
    }
}

#[tokio::test]
async fn a_page_of_the_same_path_is_for_who_does_not_name_events() {
    let (door, _log) = door();
    let app = App::builder()
        .event_source("door", door)
        .action("page", |_| async { text("a page") })
        .route(("/", "door", protocol("sse")))
        .route(("/", "page", methods(["get"])));
    let client = TestClient::new(app.build().unwrap());

    assert_eq!(client.get("/").await.text(), "a page");
    let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
    let response = client.get("/").header("accept", browser).await;
    assert_eq!(response.text(), "a page");
    let mut events = TestEvents::connect(&client, "/").await.unwrap();
    assert_eq!(events.recv_data().await, "hello");
}

struct Key;

impl Security for Key {
    async fn check(&self, request: &mut Request) -> Result<Access> {
        match request.header("x-key") {
            Some(_) => Ok(Access::Granted),
            None => Ok(Access::Denied(status(401))),
        }
    }
}

#[tokio::test]
async fn security_runs_before_and_its_refusal_is_the_answer() {
    let (door, mut log) = door();
    let group = Group::new()
        .security("key")
        .route(("/", "door", protocol("sse")));
    let app = App::builder()
        .event_source("door", door)
        .security("key", Key)
        .group(group);
    let client = TestClient::new(app.build().unwrap());

    let refused = TestEvents::connect(&client, "/").await.unwrap_err();
    assert_eq!(refused.status(), 401);
    assert!(log.try_recv().is_err(), "nothing was opened");
    let request = client.get("/").header("x-key", "1");
    assert!(TestEvents::open(request).await.is_ok());
}

fn client_with_plugins() -> TestClient {
    let after = Duration::from_secs(10);
    let origins = vec!["https://app.example".to_owned()];
    let group = Group::new()
        .plugin("access", AccessLogPlugin::new(AccessLogOptions::default()))
        .plugin(
            "cors",
            CorsPlugin::new(CorsOptions {
                origins,
                ..CorsOptions::default()
            }),
        )
        .plugin(
            "compression",
            CompressionPlugin::new(CompressionOptions::default()),
        )
        .plugin("timeout", TimeoutPlugin::new(TimeoutOptions { after }))
        .route(("/", "door", protocol("sse")));
    let app = App::builder().event_source("door", door().0).group(group);
    TestClient::new(app.build().unwrap())
}

#[tokio::test]
async fn plugins_see_the_answer_and_leave_its_bytes_alone() {
    let client = client_with_plugins();
    let request = client
        .get("/")
        .header("accept-encoding", "gzip, br, zstd")
        .header("origin", "https://app.example");
    let mut events = TestEvents::open(request).await.unwrap();

    let answer = events.answer();
    assert_eq!(answer.header("content-encoding"), None);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://app.example")
    );
    assert_eq!(events.recv_data().await, "hello");
}

#[tokio::test(start_paused = true)]
async fn the_timeout_is_for_the_opening_and_never_cuts_a_stream() {
    let client = client_with_plugins();
    let refused = TestEvents::connect(&client, "/?slow").await.unwrap_err();
    assert_eq!(refused.status(), 503);

    let (_, mut body) = client.get("/").stream().await;
    sleep(Duration::from_secs(60)).await;
    let mut received = Vec::new();
    while !received.ends_with(b":\n\n:\n\n") {
        received.extend(body.next().await.unwrap().unwrap());
    }
    assert!(received.starts_with(b"retry: "));
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_events_and_no_chunks() {
    let (client, _) = client();
    let answer = raw(&client, "GET / HTTP/1.0\r\n\r\n", "hello\n\n").await;

    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200 "), "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
    assert!(body.starts_with("retry: "), "{body}");
    assert!(body.ends_with("\n\ndata: hello\n\n"), "{body}");
}

#[tokio::test]
async fn the_connection_is_kept_behind_a_stream_that_has_ended() {
    #[derive(Clone)]
    struct Brief;

    impl EventSource for Brief {
        async fn started(&mut self, _conn: &mut Connection) -> Outcome {
            send(Event::text("all")).and_stop()
        }
    }

    let app = App::builder()
        .event_source("brief", Brief)
        .route(("/", "brief", protocol("sse")))
        .route(("/next", |_: Request| async { text("next") }));
    let client = TestClient::new(app.build().unwrap());
    let requests = "GET / HTTP/1.1\r\nhost: x\r\n\r\n\
                    GET /next HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answers = raw(&client, requests, "\r\n\r\nnext").await;

    let (first, _) = answers.split_once("0\r\n\r\nHTTP/1.1 200 OK").unwrap();
    assert!(first.contains("data: all\n\n"), "{answers}");
}
