//! What a client may send, what may wait for it, and how it is found to be gone.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::time::Duration;

use nova_core::testing::TestClient;
use nova_core::{App, Request, Result, Upgraded, protocol};
use nova_ws::testing::TestSocket;
use nova_ws::{
    Accept, AppBuilderExt, CloseReason, Connection, Frame, Outcome, Shared, WebSocket, WsLimits,
    ok, reply,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

/// Echoes frames, sends what is broadcast on `feed`, and tells why it ended.
#[derive(Clone)]
struct Echo(mpsc::UnboundedSender<CloseReason>);

impl WebSocket for Echo {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("feed");
        Ok(Accept::Yes)
    }

    async fn handle(&mut self, frame: Frame, _conn: &mut Connection) -> Outcome {
        reply(frame)
    }

    fn shared(message: &nova_core::pubsub::Message) -> Shared {
        Shared::text(&**message.decode::<String>().unwrap())
    }

    async fn terminate(&mut self, reason: &CloseReason, _conn: &mut Connection) {
        let _ = self.0.send(reason.clone());
    }
}

fn client() -> (TestClient, mpsc::UnboundedReceiver<CloseReason>) {
    client_with(WsLimits::default())
}

fn client_with(limits: WsLimits) -> (TestClient, mpsc::UnboundedReceiver<CloseReason>) {
    let (log, ended) = mpsc::unbounded_channel();
    let app = App::builder()
        .limits(limits)
        .websocket("echo", Echo(log))
        .route(("/ws", "echo", protocol("ws")));
    (TestClient::new(app.build().unwrap()), ended)
}

/// A connection for bytes of the test's own.
async fn raw(client: &TestClient) -> Upgraded {
    let request = client
        .get("/ws")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    request.upgrade().await.unwrap().1
}

/// A frame with this first byte, masked with zeroes, which change nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | short as u8),
        medium @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((medium as u16).to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// The code of the close frame with which the app answers, when it is the next thing.
async fn close_code(raw: &mut Upgraded) -> u16 {
    let mut head = [0; 4];
    raw.read_exact(&mut head).await.unwrap();
    assert_eq!(head[0], 0x88, "a close frame");
    u16::from_be_bytes([head[2], head[3]])
}

#[tokio::test]
async fn a_message_of_64_kib_passes_and_a_longer_one_is_1009() {
    let (client, mut ended) = client();
    let mut socket = TestSocket::connect(&client, "/ws").await.unwrap();
    let longest = "a".repeat(64 * 1024);
    socket.send_text(&longest).await;
    assert_eq!(socket.recv_text().await, longest);

    socket.send_text(&format!("{longest}a")).await;
    assert_eq!(socket.closed().await, Some(1009));
    assert!(matches!(
        ended.recv().await,
        Some(CloseReason::Violation(_))
    ));
}

#[tokio::test]
async fn a_message_in_fragments_is_bounded_as_a_whole() {
    let (client, _) = client();
    let mut raw = raw(&client).await;
    raw.write_all(&frame(0x01, &[b'a'; 40_000])).await.unwrap();
    raw.write_all(&frame(0x80, &[b'a'; 40_000])).await.unwrap();

    assert_eq!(close_code(&mut raw).await, 1009);
}

#[tokio::test]
async fn what_breaks_the_protocol_has_its_code() {
    let (client, mut ended) = client();
    for (bytes, expected) in [
        (vec![0x81, 0x01, b'a'], 1002),           // not masked
        (frame(0x83, b"a"), 1002),                // an unknown opcode
        (frame(0xc1, b"a"), 1002),                // a reserved bit
        (frame(0x80, b"a"), 1002),                // a continuation of nothing
        (frame(0x09, b"a"), 1002),                // a ping in fragments
        (frame(0x89, &[0; 126]), 1002),           // a ping that is too long
        (frame(0x81, &[0xff]), 1007),             // no UTF-8
        (frame(0x81, &[0xed, 0xa0, 0x80]), 1007), // half a surrogate pair
    ] {
        let mut raw = raw(&client).await;
        raw.write_all(&bytes).await.unwrap();
        assert_eq!(close_code(&mut raw).await, expected, "{bytes:?}");
        drop(raw);
        assert!(matches!(
            ended.recv().await,
            Some(CloseReason::Violation(_))
        ));
    }
}

#[tokio::test]
async fn fragments_arrive_whole_with_pings_between_them_answered() {
    let (client, _) = client();
    let mut raw = raw(&client).await;
    raw.write_all(&frame(0x01, b"hel")).await.unwrap();
    raw.write_all(&frame(0x89, b"ping")).await.unwrap();
    raw.write_all(&frame(0x80, b"lo")).await.unwrap();

    let mut pong = [0; 6];
    raw.read_exact(&mut pong).await.unwrap();
    assert_eq!(&pong, b"\x8a\x04ping");
    let mut text = [0; 7];
    raw.read_exact(&mut text).await.unwrap();
    assert_eq!(&text, b"\x81\x05hello");
}

#[tokio::test]
async fn a_client_that_breaks_off_in_a_frame_is_disconnected() {
    let (client, mut ended) = client();
    let mut raw = raw(&client).await;
    raw.write_all(&frame(0x81, b"hello")[..8]).await.unwrap();
    drop(raw);

    assert_eq!(ended.recv().await, Some(CloseReason::Disconnected));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed_and_slows_nobody() {
    let (client, mut ended) = client();
    let mut slow = raw(&client).await;
    let mut quick = TestSocket::connect(&client, "/ws").await.unwrap();
    let text = "a".repeat(50_000);
    // The pipe in memory holds 64 KiB, the app another MiB.
    for _ in 0..30 {
        client.pubsub().broadcast("feed", "text", &text);
        assert_eq!(quick.recv_text().await, text);
    }

    assert_eq!(client.pubsub().get_local_members("feed").len(), 1);
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).await.unwrap();
    assert_eq!(ended.recv().await, Some(CloseReason::TooSlow));
    assert!(client.pubsub().stats().lost > 0);
    assert!(
        rest.len() < 1024 * 1024 + 200_000,
        "{} bytes waited",
        rest.len()
    );
    // The close frame stands behind what waited, for a client that reads in the end.
    let close = rest
        .windows(4)
        .rposition(|four| four[0] == 0x88 && four[2..] == 1013u16.to_be_bytes());
    assert!(close.is_some_and(|at| at + 64 > rest.len()));
}

#[tokio::test]
async fn a_burst_that_is_longer_than_all_that_may_wait_reaches_a_client_that_reads() {
    let (client, mut ended) = client();
    let mut socket = TestSocket::connect(&client, "/ws").await.unwrap();
    let text = "a".repeat(400);
    for number in 0..10_000 {
        client
            .pubsub()
            .broadcast("feed", "text", &format!("{number} {text}"));
    }
    for number in 0..10_000 {
        let frame = socket.recv_text().await;
        assert!(frame.starts_with(&format!("{number} ")), "{frame}");
    }
    assert!(ended.try_recv().is_err());
}

#[tokio::test]
async fn a_frame_that_is_longer_than_all_that_may_wait_reaches_a_client_that_reads() {
    let (client, mut ended) = client();
    let mut socket = TestSocket::connect(&client, "/ws").await.unwrap();
    let long = "a".repeat(3 * 1024 * 1024);
    for _ in 0..2 {
        client.pubsub().broadcast("feed", "text", &long);
        assert_eq!(socket.recv_text().await.len(), long.len());
    }
    assert!(ended.try_recv().is_err());
}

#[tokio::test]
async fn a_batch_that_is_longer_than_all_that_may_wait_reaches_a_client_that_reads() {
    let (client, mut ended) = client_with(WsLimits {
        outgoing_bytes: Some(1_000),
        ..WsLimits::default()
    });
    let mut socket = TestSocket::connect(&client, "/ws").await.unwrap();
    let text = "a".repeat(100);
    for _ in 0..64 {
        client.pubsub().broadcast("feed", "text", &text);
    }
    for _ in 0..64 {
        assert_eq!(socket.recv_text().await, text);
    }
    assert!(ended.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_whose_ping_still_waits_is_there_as_long_as_it_reads() {
    let (client, mut ended) = client();
    let mut raw = raw(&client).await;
    client
        .pubsub()
        .broadcast("feed", "text", &"a".repeat(900_000));
    let mut buffer = vec![0; 1000];
    for _ in 0..120 {
        sleep(Duration::from_secs(1)).await;
        raw.read_exact(&mut buffer).await.unwrap();
    }

    assert!(ended.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_only_listens_stays_for_ever() {
    let (client, mut ended) = client();
    let mut socket = TestSocket::connect(&client, "/ws").await.unwrap();
    for _ in 0..10 {
        let broadcast = async {
            sleep(Duration::from_secs(600)).await;
            client.pubsub().broadcast("feed", "text", "still there?");
        };
        // Reading answers the pings.
        let read = socket.recv_within(Duration::from_secs(3600));
        let (frame, ()) = tokio::join!(read, broadcast);
        assert_eq!(frame.as_text(), Some("still there?"));
    }
    assert!(ended.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_no_ping_is_gone_after_45_seconds() {
    let (client, mut ended) = client();
    let mut raw = raw(&client).await;
    let start = Instant::now();

    assert_eq!(ended.recv().await, Some(CloseReason::Silent));
    assert_eq!(start.elapsed().as_secs(), 45);
    let mut rest = Vec::new();
    raw.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"\x89\x00", "one ping");
}

/// Tells how much waits for its shard when a frame of the client's is handled.
#[derive(Clone)]
struct Look(mpsc::UnboundedSender<usize>);

impl WebSocket for Look {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("feed");
        Ok(Accept::Yes)
    }

    async fn handle(&mut self, _frame: Frame, conn: &mut Connection) -> Outcome {
        let fullest = conn.pubsub().inspect().fullest;
        let _ = self.0.send(fullest.map_or(0, |queue| queue.waiting));
        ok()
    }

    fn shared(_message: &nova_core::pubsub::Message) -> Shared {
        Shared::text("x")
    }
}

fn look() -> (TestClient, mpsc::UnboundedReceiver<usize>) {
    let (log, looks) = mpsc::unbounded_channel();
    let app = App::builder()
        .websocket("look", Look(log))
        .route(("/ws", "look", protocol("ws")));
    (TestClient::new(app.build().unwrap()), looks)
}

#[tokio::test]
async fn a_client_is_not_read_while_much_waits_for_the_shards_of_its_handler() {
    let (client, mut looks) = look();
    let mut socket = TestSocket::connect(&client, "/ws").await.unwrap();
    socket.send_text("quiet").await;
    assert_eq!(looks.recv().await, Some(0));

    // The connection's task is woken by the frame, and then the shard by the messages.
    socket.send_text("busy").await;
    for _ in 0..5_000 {
        client.pubsub().broadcast("feed", "text", "x");
    }
    assert_eq!(client.pubsub().inspect().fullest.unwrap().waiting, 5_000);
    let waited = looks.recv().await.unwrap();
    assert!(waited <= 1_024, "{waited} waited");
}

#[tokio::test(start_paused = true)]
async fn a_message_beyond_the_16384_that_may_wait_for_a_shard_closes_its_members_with_1013() {
    let (client, _looks) = look();
    let mut socket = TestSocket::connect(&client, "/ws").await.unwrap();
    for _ in 0..16 * 1024 {
        let report = client.pubsub().broadcast("feed", "text", "x");
        assert_eq!((report.members, report.lost), (1, 0));
    }
    let report = client.pubsub().broadcast("feed", "text", "x");
    assert_eq!((report.members, report.lost), (0, 1));

    for _ in 0..16 * 1024 {
        assert_eq!(socket.recv_text().await, "x");
    }
    assert_eq!(socket.closed().await, Some(1013));
}
