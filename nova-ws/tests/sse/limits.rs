//! Limits that a route has from the router file.

use std::fs;
use std::time::Duration;

use futures_util::StreamExt;
use nova_core::pubsub::Message;
use nova_core::testing::TestClient;
use nova_core::{App, Request, Result, protocol};
use nova_ws::sse::{EndReason, Event, EventSource, Shared, SseLimits};
use nova_ws::testing::TestEvents;
use nova_ws::{Accept, AppBuilderExt, Connection};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Sends what is broadcast on `feed`.
#[derive(Clone)]
struct Feed(mpsc::UnboundedSender<EndReason>);

impl EventSource for Feed {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("feed");
        Ok(Accept::Yes)
    }

    fn shared(message: &Message) -> Shared {
        Shared::Event(Event::text(&**message.decode::<String>().unwrap()))
    }

    async fn terminate(&mut self, reason: &EndReason, _conn: &mut Connection) {
        let _ = self.0.send(reason.clone());
    }
}

type Ends = mpsc::UnboundedReceiver<EndReason>;

fn client(limits: SseLimits) -> (TestClient, Ends) {
    let (ended, ends) = mpsc::unbounded_channel();
    let app = App::builder().event_source("feed", Feed(ended)).route((
        "/",
        "feed",
        protocol("sse").limits(limits),
    ));
    (TestClient::new(app.build().unwrap()), ends)
}

#[tokio::test(start_paused = true)]
async fn the_router_file_has_limits_for_all_for_a_group_and_for_a_route() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("router.toml");
    let router = r#"
limits = { sse = { comment_interval = 10 } }

[[group]]
limits = { sse = { comment_interval = 20 } }
routes = [
    ["/group", "feed", { protocol = "sse" }],
    ["/route", "feed", { protocol = "sse", limits = { sse = { comment_interval = "30s" } } }],
]

[[group]]
routes = [["/app", "feed", { protocol = "sse" }]]
"#;
    fs::write(&file, router).unwrap();
    let (ended, _ends) = mpsc::unbounded_channel();
    let app = App::builder().event_source("feed", Feed(ended));
    let client = TestClient::new(app.router_file(file).build().unwrap());

    for (path, seconds) in [("/app", 10), ("/group", 20), ("/route", 30)] {
        let (_, mut body) = client.get(path).stream().await;
        body.next().await.unwrap().unwrap();
        let begun = Instant::now();
        assert_eq!(body.next().await.unwrap().unwrap(), ":\n\n");
        assert_eq!(begun.elapsed(), Duration::from_secs(seconds), "{path}");
    }
}

#[tokio::test]
async fn as_many_bytes_may_wait_as_the_limit_says() {
    let (client, mut ends) = client(SseLimits {
        outgoing_bytes: Some(1_000),
        ..SseLimits::default()
    });
    let _events = TestEvents::connect(&client, "/").await.unwrap();
    let mut sent = 0;
    while ends.try_recv().is_err() {
        client
            .pubsub()
            .broadcast("feed", "text", &"x".repeat(10_000));
        sent += 1;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(sent < 80, "800 KB wait");
    }
}

#[tokio::test]
async fn one_stream_more_than_the_limit_is_503_until_one_leaves() {
    let (client, mut ends) = client(SseLimits {
        connections: Some(2),
        ..SseLimits::default()
    });
    let first = TestEvents::connect(&client, "/").await.unwrap();
    let _second = TestEvents::connect(&client, "/").await.unwrap();
    let refused = TestEvents::connect(&client, "/").await.unwrap_err();
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.header("retry-after"), Some("10"));

    drop(first);
    assert_eq!(ends.recv().await, Some(EndReason::Disconnected));
    let again = async {
        // The place is free when the handler has had its say.
        loop {
            match TestEvents::connect(&client, "/").await {
                Ok(events) => return events,
                Err(refused) => assert_eq!(refused.status(), 503),
            }
        }
    };
    again.await;
}

#[tokio::test]
async fn one_stream_more_to_an_address_than_the_limit_is_429() {
    let (client, _ends) = client(SseLimits {
        connections_per_address: Some(1),
        ..SseLimits::default()
    });
    let from = |address: &str| TestEvents::open(client.get("/").peer(address));
    let _first = from("192.0.2.1:1").await.unwrap();
    assert_eq!(from("192.0.2.1:2").await.unwrap_err().status(), 429);
    assert!(from("192.0.2.2:1").await.is_ok());
}

#[test]
fn a_limit_that_is_none_is_told_when_the_app_is_built() {
    let (ended, _ends) = mpsc::unbounded_channel();
    let nobody = SseLimits {
        connections: Some(0),
        ..SseLimits::default()
    };
    let endless = SseLimits {
        comment_interval: Some(Duration::MAX),
        ..SseLimits::default()
    };
    for (limits, expected) in [
        (nobody, "a `connections` of 0 lets nobody in"),
        (
            endless,
            "a `comment_interval` is above 0 and at most a year",
        ),
    ] {
        let app = App::builder()
            .event_source("feed", Feed(ended.clone()))
            .route(("/", "feed", protocol("sse").limits(limits)));
        let told = app.build().unwrap_err().to_string();
        let expected = format!("the limits of `sse` are wrong: {expected}");
        assert!(told.contains(&expected), "{told}");
    }
}
