//! How long a stream is silent, and what may wait for it.

use std::time::Duration;

use futures_util::StreamExt;
use nova_core::pubsub::Message;
use nova_core::testing::{TestBody, TestClient};
use nova_core::{App, Request, Result, protocol};
use nova_ws::sse::{EndReason, Event, EventSource, Outcome, Shared, ok, send_all};
use nova_ws::testing::TestEvents;
use nova_ws::{Accept, AppBuilderExt, Connection, Info};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::life::Fixture;

/// Sends what is broadcast on `feed`, but for the topic `busy`; a lot at first, if it is asked to.
#[derive(Clone)]
struct Feed {
    much: bool,
    ended: mpsc::UnboundedSender<EndReason>,
}

/// About three times what may wait.
const MUCH: u32 = 300;

fn long(number: u32) -> String {
    format!("{number} {}", "x".repeat(10_000))
}

impl EventSource for Feed {
    async fn init(&mut self, request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("feed");
        self.much = request.uri().query() == Some("much");
        Ok(Accept::Yes)
    }

    async fn started(&mut self, _conn: &mut Connection) -> Outcome {
        match self.much {
            true => send_all((0..MUCH).map(|number| Event::text(long(number)))),
            false => ok(),
        }
    }

    fn shared(message: &Message) -> Shared {
        match message.topic() {
            "busy" => Shared::Info,
            _ => Shared::Event(Event::text(&**message.decode::<String>().unwrap())),
        }
    }

    async fn info(&mut self, _info: Info, _conn: &mut Connection) -> Outcome {
        sleep(Duration::from_secs(60)).await;
        ok()
    }

    async fn terminate(&mut self, reason: &EndReason, _conn: &mut Connection) {
        let _ = self.ended.send(reason.clone());
    }
}

fn client() -> (TestClient, mpsc::UnboundedReceiver<EndReason>) {
    let (sender, ended) = mpsc::unbounded_channel();
    let feed = Feed {
        much: false,
        ended: sender,
    };
    let app = App::builder()
        .event_source("feed", feed)
        .route(("/", "feed", protocol("sse")));
    (TestClient::new(app.build().unwrap()), ended)
}

/// What comes next, and how long it took.
async fn next(body: &mut TestBody) -> (String, Duration) {
    let begun = Instant::now();
    let bytes = body.next().await.unwrap().unwrap();
    (String::from_utf8(bytes.to_vec()).unwrap(), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_silent_for_25_s_has_a_comment() {
    let (client, _) = client();
    let (_, mut body) = client.get("/").stream().await;
    assert!(next(&mut body).await.0.starts_with("retry: "));
    let comment = (":\n\n".to_owned(), Duration::from_secs(25));
    assert_eq!(next(&mut body).await, comment);
    assert_eq!(next(&mut body).await, comment);

    sleep(Duration::from_secs(20)).await;
    client.pubsub().broadcast("feed", "text", "news");
    assert_eq!(next(&mut body).await.0, "data: news\n\n");
    assert_eq!(next(&mut body).await, comment, "25 s after the news");
}

#[tokio::test(start_paused = true)]
async fn comments_go_on_while_a_callback_waits() {
    let (client, _) = client();
    let (_, mut body) = client.get("/").stream().await;
    next(&mut body).await;
    client.pubsub().broadcast("feed", "busy", "");

    let comment = (":\n\n".to_owned(), Duration::from_secs(25));
    assert_eq!(next(&mut body).await, comment);
    assert_eq!(next(&mut body).await, comment);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_between_two_events_and_nobody_else_is() {
    let (client, mut ended) = client();
    let mut slow = TestEvents::connect(&client, "/").await.unwrap();
    let mut quick = TestEvents::connect(&client, "/").await.unwrap();
    let mut sent = 0;
    let reason = loop {
        client.pubsub().broadcast("feed", "text", &long(sent));
        assert_eq!(quick.recv_data().await, long(sent));
        sent += 1;
        if let Ok(reason) = ended.try_recv() {
            break reason;
        }
        assert!(sent < 1_000, "{sent} events wait");
    };
    assert_eq!(reason, EndReason::TooSlow);
    assert!(sent > 100, "not before a mebibyte waits");

    for number in 0.. {
        // What had left is whole, and the end is one.
        match slow.recv_or_end().await {
            Some(event) => assert_eq!(event.data, long(number)),
            None => break,
        }
        assert!(number < 100, "what waited was thrown away");
    }
    client.pubsub().broadcast("feed", "text", "still here");
    assert_eq!(quick.recv_data().await, "still here");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_busy_for_too_long_has_its_client_come_back() {
    let (client, mut ended) = client();
    let mut events = TestEvents::connect(&client, "/").await.unwrap();
    client.pubsub().broadcast("feed", "busy", "");
    tokio::task::yield_now().await;
    for _ in 0..17_000 {
        client.pubsub().broadcast("feed", "text", "x");
    }
    assert_eq!(ended.recv().await, Some(EndReason::TooSlow));
    assert!(events.recv_or_end().await.is_none());
}

#[tokio::test]
async fn what_one_callback_sends_waits_for_the_client_however_much_it_is() {
    let (client, _ended) = client();
    let mut events = TestEvents::connect(&client, "/?much").await.unwrap();
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    client.pubsub().broadcast("feed", "text", "news");

    for number in 0..MUCH {
        assert_eq!(events.recv_data().await, long(number));
    }
    assert_eq!(events.recv_data().await, "news");
}

#[tokio::test]
async fn a_client_that_hangs_up_while_much_waits_for_it_is_noticed() {
    let (client, mut ended) = client();
    let events = TestEvents::connect(&client, "/?much").await.unwrap();
    drop(events);
    assert_eq!(ended.recv().await, Some(EndReason::Disconnected));
}

#[tokio::test]
async fn ten_thousand_clients_that_come_and_go_leave_no_member_behind() {
    let fixture = Fixture::new();
    let mut ended = fixture.ended;
    for _ in 0..100 {
        let mut clients = Vec::new();
        for _ in 0..100 {
            clients.push(TestEvents::connect(&fixture.client, "/").await.unwrap());
        }
        drop(clients);
        for _ in 0..100 {
            assert_eq!(ended.recv().await, Some(EndReason::Disconnected));
        }
    }
    let members = fixture.client.pubsub().get_local_members("orders");
    assert!(members.is_empty());
}
