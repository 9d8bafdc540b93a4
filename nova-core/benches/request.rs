//! The cost of a request: an app beside bare hyper with a service of the same answers.
//!
//! `cargo bench -p nova-core --bench request`. Both are served in memory, over one kept connection
//! each, interleaved in one process; what counts is the ratio.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

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
use nova_core::{App, Flow, Group, Plugin, json, methods};
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
    let client = TestClient::new(app());
    let mut bare = connect(bare_hyper()).await;
    let mut nova = connect(client.connect()).await;
    let mut times = vec![Vec::new(); 4];
    for _ in 0..ROUNDS {
        times[0].push(requests(&mut bare, "/hello").await);
        times[1].push(requests(&mut nova, "/hello").await);
        times[2].push(requests(&mut nova, "/notes/7").await);
        times[3].push(requests(&mut nova, "/plugins").await);
    }
    let names = [
        "bare hyper",
        "an action",
        "with a binding",
        "with five plugins",
    ];
    let medians: Vec<f64> = times
        .iter_mut()
        .map(|times| {
            times.sort();
            times[ROUNDS / 2].as_secs_f64() * 1e6 / f64::from(REQUESTS)
        })
        .collect();
    println!("{:<20} µs per request   ratio to bare hyper", "");
    for (name, median) in names.iter().zip(&medians) {
        println!("{name:<20} {median:>14.2}   {:.2}", median / medians[0]);
    }
}

fn app() -> App {
    let plugins = ["a", "b", "c", "d", "e"];
    let mut builder = App::builder()
        .action("hello", |_| async { json("hello") })
        .action("note", |request: nova_core::Request| async move {
            let id: i64 = request.binding("id")?;
            Ok::<_, nova_core::Error>(json(&id))
        })
        .route(("/hello", "hello", methods(["get"])))
        .route(("/notes/{id}", "note", methods(["get"])))
        .group(Group::new().plugins(plugins).route(("/plugins", "hello")));
    for name in plugins {
        builder = builder.plugin(name, Nothing);
    }
    builder.build().expect("the app is correct")
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

async fn connect(stream: DuplexStream) -> SendRequest<Empty<Bytes>> {
    let (sender, connection) = handshake(TokioIo::new(stream))
        .await
        .expect("a connection in memory does not fail");
    tokio::spawn(connection);
    sender
}

async fn requests(sender: &mut SendRequest<Empty<Bytes>>, path: &str) -> Duration {
    let start = Instant::now();
    for _ in 0..REQUESTS {
        let request = Request::builder()
            .uri(path)
            .header("host", "localhost")
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
