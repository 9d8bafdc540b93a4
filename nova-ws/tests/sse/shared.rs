//! The event that all clients of a handler get for a message.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nova_core::pubsub::Message;
use nova_core::testing::TestClient;
use nova_core::{App, Request, Result, protocol};
use nova_ws::sse::{Event, EventSource, Outcome, Shared, send};
use nova_ws::testing::TestEvents;
use nova_ws::{Accept, AppBuilderExt, Connection, Info};

/// Sends every message of a channel to all who listen, as it is.
#[derive(Clone)]
struct News;

// ANCHOR: by_topic
impl EventSource for News {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("news");
        Ok(Accept::Yes)
    }

    fn shared(message: &Message) -> Shared {
        match message.topic() {
            "internal" => Shared::Nothing,
            topic => Shared::Event(Event::json(message.payload()).name(topic)),
        }
    }
}
// ANCHOR_END: by_topic

#[tokio::test]
async fn a_message_can_be_an_event_with_the_name_of_its_topic() {
    let app = App::builder()
        .event_source("news", News)
        .route(("/", "news", protocol("sse")));
    let client = TestClient::new(app.build().unwrap());
    let mut events = TestEvents::connect(&client, "/").await.unwrap();
    client.pubsub().broadcast("news", "internal", "secret");
    client.pubsub().broadcast("news", "rain", "umbrella");

    let event = events.recv().await;
    assert_eq!((&*event.name, &*event.data), ("rain", "\"umbrella\""));
}

static CALLS: AtomicUsize = AtomicUsize::new(0);

/// Counts how often its shared event is made, and says in it who made it.
#[derive(Clone)]
struct Counting;

impl EventSource for Counting {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("counting");
        Ok(Accept::Yes)
    }

    fn shared(_message: &Message) -> Shared {
        let call = CALLS.fetch_add(1, Ordering::SeqCst);
        Shared::Event(Event::text(format!("{call} {:?}", thread::current().id())))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_made_once_for_each_message_and_never_by_the_broadcaster() {
    let app = App::builder()
        .event_source("counting", Counting)
        .route(("/", "counting", protocol("sse")))
        .build()
        .unwrap();
    let pubsub = app.pubsub().clone();
    let client = TestClient::new(app);
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(TestEvents::connect(&client, "/").await.unwrap());
    }
    let broadcaster = thread::spawn(move || {
        for _ in 0..10 {
            pubsub.broadcast("counting", "topic", &());
        }
        format!("{:?}", thread::current().id())
    });
    let broadcaster = broadcaster.join().unwrap();

    for number in 0..10 {
        let first = clients[0].recv_data().await;
        assert!(first.starts_with(&format!("{number} ")), "{first}");
        assert!(!first.ends_with(&broadcaster), "{first}");
        for events in &mut clients[1..] {
            assert_eq!(events.recv_data().await, first);
        }
    }
    assert_eq!(CALLS.load(Ordering::SeqCst), 10);
}

/// Shares by topic: an event, nothing, a panic, what cannot be written, or its own state.
#[derive(Clone)]
struct ByTopic(u32);

impl EventSource for ByTopic {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("topics");
        Ok(Accept::Yes)
    }

    async fn info(&mut self, _info: Info, _conn: &mut Connection) -> Outcome {
        self.0 += 1;
        send(Event::text(format!("info {}", self.0)))
    }

    fn shared(message: &Message) -> Shared {
        match message.topic() {
            "nothing" => Shared::Nothing,
            "panic" => panic!("no event for this"),
            "wrong" => Shared::Event(Event::text("").name("a\nb")),
            "map" => {
                let map: std::collections::HashMap<Vec<u8>, u8> = [(vec![1], 2)].into();
                Shared::Event(Event::json(&map))
            }
            "info" => Shared::Info,
            topic => Shared::Event(Event::text(topic)),
        }
    }
}

#[tokio::test]
async fn nothing_and_what_cannot_be_made_are_left_out_and_the_order_is_kept() {
    let app =
        App::builder()
            .event_source("topics", ByTopic(0))
            .route(("/", "topics", protocol("sse")));
    let client = TestClient::new(app.build().unwrap());
    let mut clients = Vec::new();
    for _ in 0..2 {
        clients.push(TestEvents::connect(&client, "/").await.unwrap());
    }
    for topic in [
        "a", "nothing", "info", "panic", "b", "wrong", "map", "info", "c",
    ] {
        client.pubsub().broadcast("topics", topic, &());
    }

    for events in &mut clients {
        for expected in ["a", "info 1", "b", "info 2", "c"] {
            assert_eq!(events.recv_data().await, expected);
        }
    }
}
