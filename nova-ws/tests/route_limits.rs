//! Limits that a route has from the router file.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::fs;
use std::time::Duration;

use nova_core::testing::TestClient;
use nova_core::{App, Group, protocol};
use nova_ws::testing::TestSocket;
use nova_ws::{AppBuilderExt, CloseReason, Connection, Frame, Outcome, WebSocket, WsLimits, reply};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

/// Echoes, and tells why it ended.
#[derive(Clone)]
struct Echo(mpsc::UnboundedSender<CloseReason>);

impl WebSocket for Echo {
    async fn handle(&mut self, frame: Frame, _conn: &mut Connection) -> Outcome {
        reply(frame)
    }

    async fn terminate(&mut self, reason: &CloseReason, _conn: &mut Connection) {
        let _ = self.0.send(reason.clone());
    }
}

type Ends = mpsc::UnboundedReceiver<CloseReason>;

/// An app with one route, `/ws`, and these limits.
fn client(limits: WsLimits) -> (TestClient, Ends) {
    let (ended, ends) = mpsc::unbounded_channel();
    let app = App::builder().websocket("echo", Echo(ended)).route((
        "/ws",
        "echo",
        protocol("ws").limits(limits),
    ));
    (TestClient::new(app.build().unwrap()), ends)
}

#[tokio::test]
async fn the_router_file_has_limits_for_all_for_a_group_and_for_a_route() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("router.toml");
    let router = r#"
limits = { ws = { message_bytes = 10, ping_interval = "1m" } }

[[group]]
limits = { ws = { message_bytes = 20 } }
routes = [
    ["/group", "echo", { protocol = "ws" }],
    ["/route", "echo", { protocol = "ws", limits = { ws = { message_bytes = 30 } } }],
]

[[group]]
routes = [["/app", "echo", { protocol = "ws" }]]
"#;
    fs::write(&file, router).unwrap();
    let (ended, _ends) = mpsc::unbounded_channel();
    let app = App::builder()
        .websocket("echo", Echo(ended))
        .router_file(file);
    let client = TestClient::new(app.build().unwrap());

    for (path, longest) in [("/app", 10), ("/group", 20), ("/route", 30)] {
        let mut socket = TestSocket::connect(&client, path).await.unwrap();
        socket.send_text(&"a".repeat(longest)).await;
        assert_eq!(socket.recv_text().await.len(), longest);
        socket.send_text(&"a".repeat(longest + 1)).await;
        assert_eq!(socket.closed().await, Some(1009), "{path}");
    }
}

#[tokio::test]
async fn a_client_that_sends_too_fast_is_1008() {
    let (client, mut ends) = client(WsLimits {
        messages_per_second: Some(5),
        ..WsLimits::default()
    });
    let mut socket = TestSocket::connect(&client, "/ws").await.unwrap();
    for _ in 0..5 {
        socket.send_text("a").await;
    }
    for _ in 0..5 {
        assert_eq!(socket.recv_text().await, "a");
    }
    // Five more at once are more than the time since the first ones allows.
    for _ in 0..5 {
        socket.send_text("b").await;
    }
    let close = socket.closed_with().await.unwrap();
    assert_eq!(close, (1008, "too many messages in a second".to_owned()));
    assert!(matches!(ends.recv().await, Some(CloseReason::Violation(_))));
}

#[tokio::test]
async fn pings_count_as_messages() {
    let (client, _ends) = client(WsLimits {
        messages_per_second: Some(1),
        ..WsLimits::default()
    });
    let mut socket = TestSocket::connect(&client, "/ws").await.unwrap();
    socket.ping(b"").await;
    socket.ping(b"").await;
    assert_eq!(socket.closed().await, Some(1008));
}

#[tokio::test]
async fn one_connection_more_than_the_limit_is_503_until_one_leaves() {
    let (client, mut ends) = client(WsLimits {
        connections: Some(2),
        ..WsLimits::default()
    });
    let first = TestSocket::connect(&client, "/ws").await.unwrap();
    let _second = TestSocket::connect(&client, "/ws").await.unwrap();
    let refused = TestSocket::connect(&client, "/ws").await.unwrap_err();
    assert_eq!(refused.status(), 503);
    assert!(refused.text().contains("too many connections"));
    assert!(refused.header("retry-after").is_some());

    first.close(1000, "").await;
    ends.recv().await.unwrap();
    while TestSocket::connect(&client, "/ws").await.is_err() {
        tokio::task::yield_now().await; // the place is free just after `terminate`
    }
}

#[tokio::test]
async fn one_connection_more_from_an_address_is_429_and_others_come_in() {
    let (client, _ends) = client(WsLimits {
        connections_per_address: Some(1),
        ..WsLimits::default()
    });
    let open = |peer: &'static str| TestSocket::open(client.get("/ws").peer(peer));
    let _ann = open("192.0.2.1:1000").await.unwrap();
    let refused = open("192.0.2.1:2000").await.unwrap_err();
    assert_eq!(refused.status(), 429);
    open("192.0.2.2:1000").await.unwrap();
}

#[tokio::test]
async fn a_refused_handshake_takes_no_place() {
    let (client, _ends) = client(WsLimits {
        connections: Some(1),
        ..WsLimits::default()
    });
    let foreign = client
        .get("/ws")
        .header("host", "a.example")
        .header("origin", "https://b.example");
    assert_eq!(TestSocket::open(foreign).await.unwrap_err().status(), 403);
    TestSocket::connect(&client, "/ws").await.unwrap();
}

#[tokio::test]
async fn the_routes_of_a_group_share_its_places() {
    let (ended, _ends) = mpsc::unbounded_channel();
    let group = Group::new()
        .limits(WsLimits {
            connections: Some(1),
            ..WsLimits::default()
        })
        .route(("/one", "echo", protocol("ws")))
        .route(("/two", "echo", protocol("ws")));
    let app = App::builder().websocket("echo", Echo(ended)).group(group);
    let client = TestClient::new(app.build().unwrap());
    let _one = TestSocket::connect(&client, "/one").await.unwrap();

    let refused = TestSocket::connect(&client, "/two").await.unwrap_err();
    assert_eq!(refused.status(), 503);
}

#[tokio::test]
async fn a_listed_origin_may_connect_and_another_may_not() {
    let (client, _ends) = client(WsLimits {
        origins: Some(vec!["https://good.example".into()]),
        ..WsLimits::default()
    });
    let open = |origin: &'static str| {
        let request = client.get("/ws").header("host", "own.example");
        TestSocket::open(request.header("origin", origin))
    };
    for welcome in [
        "https://good.example",
        "https://GOOD.example",
        "http://own.example",
    ] {
        assert!(open(welcome).await.is_ok(), "{welcome}");
    }
    for stranger in [
        "http://good.example",
        "https://good.example:444",
        "https://good.example.evil.example",
        "null",
    ] {
        let refused = open(stranger).await.unwrap_err();
        assert_eq!(refused.status(), 403, "{stranger}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_1001_and_messages_put_it_off() {
    let (client, mut ends) = client(WsLimits {
        idle_timeout: Some(Duration::from_secs(60)),
        ping_interval: Some(Duration::from_secs(3_600)),
        ..WsLimits::default()
    });
    let mut socket = TestSocket::connect(&client, "/ws").await.unwrap();
    for _ in 0..4 {
        sleep(Duration::from_secs(50)).await;
        socket.send_text("a").await;
        socket.recv_within(Duration::from_secs(1)).await;
    }
    let since = Instant::now();
    assert_eq!(ends.recv().await, Some(CloseReason::Idle));
    let waited = since.elapsed().as_secs();
    assert!((59..=64).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_gone_after_the_interval_and_the_time_out() {
    let (client, mut ends) = client(WsLimits {
        ping_interval: Some(Duration::from_secs(5)),
        pong_timeout: Some(Duration::from_secs(2)),
        ..WsLimits::default()
    });
    let _silent = TestSocket::connect(&client, "/ws").await.unwrap();
    let since = Instant::now();
    assert_eq!(ends.recv().await, Some(CloseReason::Silent));
    assert_eq!(since.elapsed().as_secs(), 7);
}

#[tokio::test]
async fn a_stop_has_the_code_of_the_route_and_says_when_to_come_back() {
    let (client, _ends) = client(WsLimits {
        stop_code: Some(1012),
        ..WsLimits::default()
    });
    let socket = TestSocket::connect(&client, "/ws").await.unwrap();
    let (close, ()) = tokio::join!(socket.closed_with(), client.stop());

    let (code, reason) = close.unwrap();
    assert_eq!(code, 1012);
    let retry: u64 = reason.strip_prefix("retry=").unwrap().parse().unwrap();
    assert!((500..=2_500).contains(&retry), "{retry} ms");
}
