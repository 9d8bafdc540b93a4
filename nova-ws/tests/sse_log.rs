//! What the log has of sources of events that make mistakes. One test, so that no other one in this
//! process decides what `tracing` takes for unused.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::io;
use std::sync::{Arc, Mutex};

use nova_core::pubsub::Message;
use nova_core::testing::TestClient;
use nova_core::{App, Request, Result, protocol};
use nova_ws::sse::{EndReason, Event, EventSource, Outcome, Shared, send};
use nova_ws::testing::TestEvents;
use nova_ws::{Accept, AppBuilderExt, Connection, Info};
use tokio::sync::mpsc;
use tracing_subscriber::fmt::MakeWriter;

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[derive(Clone)]
struct Clumsy(mpsc::UnboundedSender<()>);

impl EventSource for Clumsy {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("clumsy");
        Ok(Accept::Yes)
    }

    async fn started(&mut self, _conn: &mut Connection) -> Outcome {
        send(Event::text("x").name("a\nb"))
    }

    fn shared(message: &Message) -> Shared {
        match message.topic() {
            "shared" => panic!("in shared"),
            _ => Shared::Info,
        }
    }

    async fn info(&mut self, _info: Info, _conn: &mut Connection) -> Outcome {
        panic!("in info")
    }

    async fn terminate(&mut self, _reason: &EndReason, _conn: &mut Connection) {
        let _ = self.0.send(());
        panic!("in terminate")
    }
}

#[tokio::test]
async fn each_mistake_is_there_with_the_route_or_the_handler() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_ansi(false)
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let (sender, mut ended) = mpsc::unbounded_channel();
    let app = App::builder()
        .event_source("clumsy", Clumsy(sender))
        .route(("/of/{whom}", "clumsy", protocol("sse")));
    let client = TestClient::new(app.build().unwrap());
    let mut events = TestEvents::connect(&client, "/of/ann").await.unwrap();
    client.pubsub().broadcast("clumsy", "shared", "");
    client.pubsub().broadcast("clumsy", "info", "");
    events.ended().await;
    ended.recv().await.unwrap();
    client.stop().await;

    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for expected in [
        "an event of `started`: the name of an event is one line without NUL, and \"a\\nb\" is not",
        "`info` panicked: in info",
        "`terminate` panicked: in terminate",
    ] {
        let mut found = log.lines().filter(|line| line.contains(expected));
        let line = found
            .next()
            .unwrap_or_else(|| panic!("{expected}\nis not in\n{log}"));
        assert!(
            line.contains("/of/{whom}") && line.contains("/of/ann"),
            "{line}"
        );
    }
    let expected = "::Clumsy`: it panicked: in shared";
    assert!(log.contains(expected), "{log}");
}
