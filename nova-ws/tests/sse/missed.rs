//! A client that comes back gets what it has missed.

use std::sync::{Arc, Mutex};

use nova_core::pubsub::PubSub;
use nova_core::testing::TestClient;
use nova_core::{App, Request, Result, protocol};
use nova_ws::sse::{Event, EventSource, Outcome, last_event_id, ok, send, send_all};
use nova_ws::testing::TestEvents;
use nova_ws::{Accept, AppBuilderExt, Connection, Info};

/// What has happened so far. The number of a line is its id.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    fn add(&self, pubsub: &PubSub, line: &str) {
        let mut lines = self.0.lock().unwrap();
        lines.push(line.to_owned());
        // With the lock, so that lines are told in their order.
        pubsub.broadcast("journal", "line", &lines.len());
    }
}

// ANCHOR: missed
#[derive(Clone)]
struct Lines {
    journal: Journal,
    /// The last line that the client has.
    seen: usize,
}

impl EventSource for Lines {
    async fn init(&mut self, request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("journal"); // first: nothing falls between
        self.seen = last_event_id(request).unwrap_or(0);
        Ok(Accept::Yes)
    }

    async fn started(&mut self, _conn: &mut Connection) -> Outcome {
        self.rest()
    }

    async fn info(&mut self, info: Info, _conn: &mut Connection) -> Outcome {
        match info {
            Info::Published(_) => self.rest(),
            _ => ok(),
        }
    }
}

impl Lines {
    /// What the client does not have yet.
    fn rest(&mut self) -> Outcome {
        let lines = self.journal.0.lock().unwrap();
        let new = lines.iter().enumerate().skip(self.seen);
        let events = send_all(new.map(|(number, line)| Event::text(line).id(number + 1)));
        self.seen = lines.len();
        events
    }
}
// ANCHOR_END: missed

fn client() -> (TestClient, Journal) {
    let journal = Journal::default();
    let lines = Lines {
        journal: journal.clone(),
        seen: 0,
    };
    let app = App::builder()
        .event_source("lines", lines)
        .route(("/", "lines", protocol("sse")));
    (TestClient::new(app.build().unwrap()), journal)
}

#[tokio::test]
async fn who_comes_back_gets_what_was_missed_and_then_what_is_new() {
    let (client, journal) = client();
    let mut events = TestEvents::connect(&client, "/").await.unwrap();
    journal.add(client.pubsub(), "one");
    assert_eq!(events.recv_data().await, "one");
    let seen = events.last_event_id().to_owned();
    drop(events);
    journal.add(client.pubsub(), "two");
    journal.add(client.pubsub(), "three");

    let request = client.get("/").header("last-event-id", &seen);
    let mut events = TestEvents::open(request).await.unwrap();
    journal.add(client.pubsub(), "four");
    for expected in ["two", "three", "four"] {
        assert_eq!(events.recv_data().await, expected);
    }
    assert_eq!(events.last_event_id(), "4");
}

#[tokio::test]
async fn an_id_that_is_none_of_the_apps_stands_for_a_client_that_has_nothing() {
    let (client, journal) = client();
    journal.add(client.pubsub(), "one");
    for made_up in ["", "x", "-1", "1.5", "99999999999999999999999"] {
        let request = client.get("/").header("last-event-id", made_up);
        let mut events = TestEvents::open(request).await.unwrap();
        assert_eq!(events.recv_data().await, "one", "{made_up:?}");
    }
}

/// Tells what the client has said.
#[derive(Clone, Default)]
struct Echo(Option<String>);

impl EventSource for Echo {
    async fn init(&mut self, request: &Request, _conn: &mut Connection) -> Result<Accept> {
        self.0 = last_event_id(request);
        Ok(Accept::Yes)
    }

    async fn started(&mut self, _conn: &mut Connection) -> Outcome {
        send(Event::json(&self.0))
    }
}

#[tokio::test]
async fn an_id_may_be_any_text() {
    let app =
        App::builder()
            .event_source("echo", Echo::default())
            .route(("/", "echo", protocol("sse")));
    let client = TestClient::new(app.build().unwrap());
    let mut events = TestEvents::connect(&client, "/").await.unwrap();
    assert_eq!(events.recv_data().await, "null");

    let request = client.get("/").header("last-event-id", "Zoë, 7");
    let mut events = TestEvents::open(request).await.unwrap();
    assert_eq!(events.recv_data().await, r#""Zoë, 7""#);
}
