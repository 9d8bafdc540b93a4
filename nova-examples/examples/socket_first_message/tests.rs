use nova_core::testing::TestClient;
use nova_core::{App, Environment, Secret};
use nova_ws::Frame;
use nova_ws::testing::TestSocket;
use tokio::runtime::Handle;
use tokio::time::{Duration, Instant, sleep};

use super::{Tokens, app, builder};

const TOKEN: &str = r#"{"token":"right"}"#;

fn client() -> TestClient {
    let tokens = Tokens([("ann".to_owned(), Secret::from("right"))].into());
    let app = App::builder().environment(Environment::Dev);
    TestClient::new(builder(app, tokens).build().unwrap())
}

async fn open(client: &TestClient) -> TestSocket {
    TestSocket::connect(client, "/ws").await.unwrap()
}

/// A socket that is logged in.
async fn ann(client: &TestClient) -> TestSocket {
    let mut ann = open(client).await;
    ann.send_text(TOKEN).await;
    assert_eq!(ann.recv_text().await, r#""welcome, ann""#);
    ann
}

fn say(client: &TestClient, text: &str) -> usize {
    client.pubsub().broadcast("room", "said", text).members
}

#[tokio::test]
async fn who_has_logged_in_is_heard_and_hears() {
    let client = client();
    let (mut one, mut two) = (ann(&client).await, ann(&client).await);
    one.send_text("hello").await;
    assert_eq!(one.recv_text().await, r#""ann: hello""#);
    assert_eq!(two.recv_text().await, r#""ann: hello""#);
}

#[tokio::test]
async fn before_the_log_in_nothing_is_sent_and_no_channel_joined() {
    let client = client();
    let mut socket = open(&client).await;
    socket.ping(b"").await;
    assert_eq!(say(&client, "before"), 0);

    socket.send_text(TOKEN).await;
    assert_eq!(
        socket.recv_text().await,
        r#""welcome, ann""#,
        "the first frame"
    );
    assert_eq!(say(&client, "after"), 1);
    assert_eq!(socket.recv_text().await, r#""after""#);
}

#[tokio::test]
async fn a_first_message_that_logs_nobody_in_is_4401() {
    let client = client();
    for wrong in [r#"{"token":"wrong"}"#, r#"{"token":""}"#, "hello", "right"] {
        let mut socket = open(&client).await;
        socket.send_text(wrong).await;
        assert_eq!(socket.closed().await, Some(4401), "{wrong}");
    }
    let mut socket = open(&client).await;
    socket.send(Frame::binary(vec![0xff])).await;
    assert_eq!(socket.closed().await, Some(4401));
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_within_10_seconds_is_4408() {
    let client = client();
    let since = Instant::now();
    let socket = open(&client).await;
    sleep(Duration::from_secs(8)).await; // longer than `closed` waits
    assert_eq!(socket.closed().await, Some(4408));
    assert_eq!(since.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn pings_are_no_log_in() {
    let client = client();
    let mut socket = open(&client).await;
    sleep(Duration::from_secs(8)).await;
    socket.ping(b"").await;
    assert_eq!(socket.closed().await, Some(4408));
}

#[tokio::test(start_paused = true)]
async fn who_has_logged_in_stays() {
    let client = client();
    let mut ann = ann(&client).await;
    sleep(Duration::from_secs(11)).await;
    ann.send_text("hello").await;
    assert_eq!(ann.recv_text().await, r#""ann: hello""#);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_or_logs_in_leaves_no_timer_behind() {
    let client = client();
    let tasks = || Handle::current().metrics().num_alive_tasks();
    // What the handler has once for all its connections comes with the first, and stays.
    let _first = ann(&client).await;
    sleep(Duration::from_millis(1)).await;
    let (before, since) = (tasks(), Instant::now());
    let stranger = open(&client).await;
    let ann = ann(&client).await;
    assert!(tasks() > before);

    stranger.close(1000, "").await;
    ann.close(1000, "").await;
    while tasks() > before {
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(since.elapsed().as_secs(), 0, "and not after their time");
}

#[tokio::test]
async fn its_files_are_right() {
    app().await.unwrap();
}
