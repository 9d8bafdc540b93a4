//! What the log has of replies that fail. One test, so that no other one in this process decides
//! what `tracing` takes for unused.

use std::io;
use std::sync::{Arc, Mutex};

use futures_util::stream;
use nova_core::testing::TestClient;
use nova_core::{App, Failure, Fallback, Head, Reply, Request, Result, sendfile, status, value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tracing_subscriber::fmt::MakeWriter;

async fn broken(_request: Request) -> Reply {
    nova_core::stream(stream::iter([
        Ok("first"),
        Err(io::Error::other("the disk is gone")),
    ]))
}

async fn missing(_request: Request) -> Reply {
    sendfile("no/such/file.txt")
}

struct Xml;

async fn unknown(_request: Request) -> Reply {
    value(Xml)
}

async fn fail(request: Request) -> Result<()> {
    let query = request.uri().query().unwrap_or_default();
    Err(io::Error::other(format!("a cause: {query}")).into())
}

/// Answers errors with `known` in them with a 404, and panics about those with `panic`.
struct Known;

impl Fallback for Known {
    async fn resolve(&self, failure: Failure, _head: &Head) -> Result<Reply, Failure> {
        match failure.error().map(ToString::to_string) {
            Some(told) if told.contains("panic") => panic!("in the fallback"),
            Some(told) if told.contains("known") => Ok(status(404).text("not here")),
            _ => Err(failure),
        }
    }
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock().expect("nobody panics with it");
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Lines {
    type Writer = Lines;

    fn make_writer(&'w self) -> Lines {
        self.clone()
    }
}

#[tokio::test]
async fn the_log_has_the_route_of_a_broken_stream_and_what_a_reply_lacks() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(lines.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let app = App::builder()
        .global_plugins(["correlation"])
        .action("reports::export", broken)
        .action("missing", missing)
        .route(("/export/{id}", "reports::export"))
        .route(("/missing", "missing"))
        .route(("/unknown", unknown))
        .route(("/fail", fail))
        .fallback(Known);
    let client = TestClient::new(app.build().unwrap());
    let mut connection = client.connect();
    let request = b"GET /export/7 HTTP/1.1\r\nhost: x\r\n\r\n";
    connection.write_all(request).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert_eq!(client.get("/missing").await.status(), 404);
    assert_eq!(client.get("/unknown").await.status(), 500);
    assert_eq!(client.get("/fail?known").await.status(), 404);
    assert_eq!(client.get("/fail?panic").await.status(), 500);

    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let id = answer.split("x-correlation-id: ").nth(1).unwrap();
    let id = id.split("\r\n").next().unwrap();
    let broken = log.lines().find(|line| line.contains("the disk is gone"));
    for expected in [
        "ERROR",
        "GET /export/7",
        "any /export/{id} → reports::export",
        id,
    ] {
        assert!(broken.unwrap().contains(expected), "{expected}: {log}");
    }
    assert_eq!(log.matches("the disk is gone").count(), 1, "{log}");

    let missing = log.lines().find(|line| line.contains("no/such/file.txt"));
    for expected in ["DEBUG", "/missing"] {
        assert!(missing.unwrap().contains(expected), "{expected}: {log}");
    }

    let unknown = log.lines().find(|line| line.contains("reply_log::Xml"));
    assert!(unknown.unwrap().contains(".reply_handler("), "{log}");

    // What a fallback answers counts as much as its answer does.
    for (told, level) in [
        ("a cause: known", "DEBUG"),
        ("a cause: panic", "ERROR"),
        (
            "the fallback `reply_log::Known` panicked: in the fallback",
            "ERROR",
        ),
    ] {
        let line = log.lines().find(|line| line.contains(told));
        assert!(
            line.is_some_and(|line| line.contains(level)),
            "{told}: {log}"
        );
    }
}
