//! The cost of a request: an app beside bare hyper with a service of the same answers.
//!
//! `cargo bench -p nova-core --bench request`. Both are served in memory, over one kept connection
//! each, interleaved in one process; what counts is the ratio.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nova_core::testing::TestClient;
use nova_core::{App, Flow, Group, Plugin, json, methods, view};
use tokio::io::DuplexStream;

const ROUNDS: usize = 15;
const REQUESTS: u32 = 5_000;

struct Nothing;

impl Plugin for Nothing {
    async fn pre_request(&self, _request: &mut nova_core::Request) -> nova_core::Result<Flow> {
        Ok(Flow::Continue)
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    runtime.block_on(compare());
}

async fn compare() {
    let folder = tempfile::tempdir().expect("there is room");
    std::fs::write(folder.path().join("page.html"), VIEW).expect("there is room");
    let client = TestClient::new(app(folder.path()));
    let mut bare = connect(bare_hyper()).await;
    let mut nova = connect(client.connect()).await;
    let cookie = log_in(&client).await;

    println!("nobody listens to the log");
    let rows = [
        ("an action", "/hello"),
        ("with a binding", "/notes/7"),
        ("with five plugins", "/plugins"),
        ("with a correlation id", "/correlated"),
        ("with a session", "/session"),
        ("a view", "/page"),
    ];
    measure(&mut bare, &mut nova, &cookie, &rows).await;

    println!("\na line for each request, as JSON, to nowhere");
    let subscriber = tracing_subscriber::fmt().json().with_writer(std::io::sink);
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let rows = [
        ("an action", "/hello"),
        ("with a correlation id", "/correlated"),
    ];
    measure(&mut bare, &mut nova, &cookie, &rows).await;
}

type Sender = SendRequest<Empty<Bytes>>;

async fn measure(bare: &mut Sender, nova: &mut Sender, cookie: &str, rows: &[(&str, &str)]) {
    let mut times = vec![Vec::new(); rows.len() + 1];
    for _ in 0..ROUNDS {
        times[0].push(requests(bare, "/hello", cookie).await);
        for (times, (_, path)) in times[1..].iter_mut().zip(rows) {
            times.push(requests(nova, path, cookie).await);
        }
    }
    let medians: Vec<f64> = times
        .iter_mut()
        .map(|times| {
            times.sort();
            times[ROUNDS / 2].as_secs_f64() * 1e6 / f64::from(REQUESTS)
        })
        .collect();
    println!("{:<22} µs per request   ratio to bare hyper", "");
    let names = rows.iter().map(|(name, _)| *name);
    for (name, median) in ["bare hyper"].into_iter().chain(names).zip(&medians) {
        println!("{name:<22} {median:>14.2}   {:.2}", median / medians[0]);
    }
}

/// About what a small page has: a loop, and values to escape.
const VIEW: &str = "<ul>{% for note in notes %}<li>{{ note }}</li>{% endfor %}</ul>";

fn app(views: &std::path::Path) -> App {
    let plugins = ["a", "b", "c", "d", "e"];
    let mut builder = App::builder()
        .views(views)
        .action("hello", |_| async { json("hello") })
        .action("note", |request: nova_core::Request| async move {
            let id: i64 = request.binding("id")?;
            Ok::<_, nova_core::Error>(json(&id))
        })
        .action("page", |_| async {
            view(&BTreeMap::from([("notes", ["milk and <b>eggs</b>"; 10])]))
        })
        .action("log_in", |request: nova_core::Request| async move {
            request.session().insert("user", "ann").await
        })
        .action("session", |request: nova_core::Request| async move {
            let user: Option<String> = request.session().get("user").await?;
            Ok::<_, nova_core::Error>(json(&user))
        })
        .route(("/hello", "hello", methods(["get"])))
        .route(("/notes/{id}", "note", methods(["get"])))
        .route(("/page", "page", methods(["get"])))
        .route(("/log_in", "log_in", methods(["post"])))
        .route(("/session", "session", methods(["get"])))
        .group(
            Group::new()
                .plugins(["correlation"])
                .route(("/correlated", "hello")),
        )
        .group(Group::new().plugins(plugins).route(("/plugins", "hello")));
    for name in plugins {
        builder = builder.plugin(name, Nothing);
    }
    builder.build().expect("the app is correct")
}

async fn log_in(client: &TestClient) -> String {
    let response = client.post("/log_in").await;
    let cookie = response.header("set-cookie").expect("a session begins");
    cookie.split(';').next().unwrap_or_default().to_owned()
}

fn bare_hyper() -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let service = service_fn(|_: Request<hyper::body::Incoming>| async {
        let response = Response::builder()
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from_static(b"\"hello\"")))
            .expect("the response is valid");
        Ok::<_, Infallible>(response)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(10))
        .serve_connection(TokioIo::new(theirs), service);
    tokio::spawn(connection);
    ours
}

async fn connect(stream: DuplexStream) -> Sender {
    let (sender, connection) = handshake(TokioIo::new(stream))
        .await
        .expect("a connection in memory does not fail");
    tokio::spawn(connection);
    sender
}

async fn requests(sender: &mut Sender, path: &str, cookie: &str) -> Duration {
    let start = Instant::now();
    for _ in 0..REQUESTS {
        let request = Request::builder()
            .uri(path)
            .header("host", "localhost")
            .header("cookie", cookie)
            .body(Empty::new())
            .expect("the request is valid");
        sender.ready().await.expect("the connection stays");
        let response = sender.send_request(request).await.expect("an answer comes");
        assert_eq!(response.status(), 200);
        response
            .into_body()
            .collect()
            .await
            .expect("the body comes");
    }
    start.elapsed()
}
