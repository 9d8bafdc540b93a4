//! What `[server]` may say of HTTP/2.

use nova_core::testing::TestClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::app;
use super::frames::{Got, PREFACE, Raw};

#[test]
fn what_makes_no_sense_is_told_at_the_start_with_its_place() {
    for line in [
        "http2 = 'no'",
        "http2_streams = 0",
        "http2_window = 1000",
        "http2_window = 4_000_000_000",
    ] {
        let told = app(line).unwrap_err();
        let (name, _) = line.split_once(' ').unwrap();
        assert!(told.contains(&format!("`{name}` is wrong")), "{told}");
        assert!(told.contains("nova.toml:2:"), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_want_it_has_http_1_1_alone() {
    let client = TestClient::new(app("http2 = false").unwrap());
    let mut stream = client.connect();
    stream.write_all(PREFACE).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();

    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn the_limits_are_announced() {
    let settings = "http2_streams = 7\nhttp2_window = 400_000\nhead_limit = 20_000";
    let client = TestClient::new(app(settings).unwrap());
    let mut raw = Raw::open(&client).await;
    let Some([Got::Settings(settings)]) = raw.next().await.as_deref().map(|got| [got[0].clone()])
    else {
        panic!("the settings come first");
    };
    let (settings, []) = settings.as_chunks::<6>() else {
        panic!("{settings:?}");
    };
    let mut settings: Vec<(u8, u32)> = settings
        .iter()
        .map(|[_, name, value @ ..]| (*name, u32::from_be_bytes(*value)))
        .collect();
    settings.sort_unstable();

    // RFC 9113 §6.5.2: streams, window, frame, header list; RFC 8441 §3: WebSockets.
    let announced = [(3, 7), (4, 100_000), (5, 16_384), (6, 20_000), (8, 1)];
    assert_eq!(settings, announced);
}
