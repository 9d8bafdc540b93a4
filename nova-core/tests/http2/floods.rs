//! Clients that make work, or hold what they do not use.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nova_core::testing::TestClient;
use nova_core::{App, Request};

use super::app;
use super::frames::{
    CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Got, HEADERS, PING,
    PRIORITY, REFUSED_STREAM, RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE, block, frame, get, post,
    request_block,
};

/// Sends this over and over until the client is told to go; gives how often, and all that came.
async fn flood(client: &TestClient, one: impl Fn(u32) -> Vec<u8>, most: u32) -> (u32, Vec<Got>) {
    let mut raw = Raw::open(client).await;
    let (mut got, mut count) = (Vec::new(), 0);
    let is_over = |got: &[Got]| got.iter().any(|got| matches!(got, Got::GoAway(_)));
    while count < most && !is_over(&got) && raw.send(&one(count)).await {
        count += 1;
        while let Some(one) = raw.ready().await {
            got.extend(one);
        }
    }
    got.extend(raw.rest().await);
    (count, got)
}

fn is_told(got: &[Got]) -> bool {
    got.contains(&Got::GoAway(ENHANCE_YOUR_CALM))
}

#[tokio::test(start_paused = true)]
async fn frames_that_ask_for_nothing_end_the_connection_when_they_are_too_many() {
    let client = TestClient::new(app("").unwrap());
    for (kind, payload) in [
        (PING, &[0; 8][..]),
        (SETTINGS, &[]),
        (PRIORITY, &[0, 0, 0, 9, 16]),
        (WINDOW_UPDATE, &[0, 0, 0, 1]),
        (0x42, b"unknown"),
    ] {
        let stream = u32::from(kind == PRIORITY);
        let (count, got) = flood(&client, |_| frame(kind, 0, stream, payload), 20_000).await;

        assert!(count < 20_000, "{kind}");
        assert!(is_told(&got), "{kind}: {:?}", got.last());
    }
}

#[tokio::test(start_paused = true)]
async fn a_few_of_them_harm_nobody() {
    let client = TestClient::new(app("").unwrap());
    let mut raw = Raw::open(&client).await;
    for _ in 0..100 {
        raw.send(&frame(PING, 0, 0, &[0; 8])).await;
        raw.send(&frame(PRIORITY, 0, 7, &[0, 0, 0, 0, 16])).await;
        raw.until(&Got::Pong).await;
    }
    raw.send(&get(1, "/")).await;
    raw.until(&Got::End(1)).await;
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_taken_back_at_once_end_the_connection() {
    let client = TestClient::new(app("").unwrap());
    let reset = |n| {
        let stream = 2 * n + 1;
        let reset = frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
        [get(stream, "/slow"), reset].concat()
    };
    let (count, got) = flood(&client, reset, 10_000).await;

    assert!(count < 1000, "{count}");
    assert!(is_told(&got), "{:?}", got.last());
}

#[tokio::test(start_paused = true)]
async fn requests_that_the_server_has_to_take_back_end_the_connection() {
    for bad in [
        // MadeYouReset (CVE-2025-8671): frames that are errors of their stream.
        |stream| frame(WINDOW_UPDATE, 0, stream, &[0x7f, 0xff, 0xff, 0xff]),
        |stream| {
            frame(
                PRIORITY,
                0,
                stream,
                &[&stream.to_be_bytes()[..], &[16]].concat(),
            )
        },
        |stream| frame(DATA, END_STREAM, stream, b"more than nothing"),
    ] {
        let client = TestClient::new(app("").unwrap());
        let reset = |n| {
            let stream = 2 * n + 1;
            let begun = post(stream, "/slow", &[("content-length", "1")]);
            [begun, bad(stream)].concat()
        };
        let (count, got) = flood(&client, reset, 10_000).await;

        assert!(count < 1000, "{count}");
        assert!(is_told(&got), "{:?}", got.last());
    }
}

#[tokio::test(start_paused = true)]
async fn heads_of_a_stream_that_the_server_has_taken_back_end_the_connection() {
    let client = TestClient::new(app("").unwrap());
    let head = |n| match n {
        0 => {
            let bad = frame(WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0xff, 0xff]);
            [post(1, "/slow", &[]), bad].concat()
        }
        _ => post(1, "/slow", &[]),
    };
    let (count, got) = flood(&client, head, 20_000).await;

    assert!(count < 2_000, "{count}");
    assert!(is_told(&got), "{:?}", got.last());
}

#[tokio::test(start_paused = true)]
async fn who_takes_answers_back_now_and_then_goes_on() {
    let client = TestClient::new(app("").unwrap());
    let mut raw = Raw::open(&client).await;
    for n in 0..2000 {
        let stream = 2 * n + 1;
        raw.send(&get(stream, "/")).await;
        raw.until(&Got::Status(stream, 200)).await;
        raw.send(&frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes()))
            .await;
    }
    raw.send(&get(9_999, "/")).await;
    raw.until(&Got::Status(9_999, 200)).await;
}

#[tokio::test(start_paused = true)]
async fn a_header_block_that_does_not_end_ends_the_connection() {
    let client = TestClient::new(app("").unwrap());
    let empty = |n| match n {
        0 => frame(HEADERS, END_STREAM, 1, &request_block("GET", "/", &[])),
        _ => frame(CONTINUATION, 0, 1, &[]),
    };
    let full = |n| match n {
        0 => frame(HEADERS, END_STREAM, 1, &request_block("GET", "/", &[])),
        _ => frame(CONTINUATION, 0, 1, &block(&[("a", &"b".repeat(16_000))])),
    };
    for (count, got) in [
        flood(&client, empty, 10_000).await,
        flood(&client, full, 10_000).await,
    ] {
        assert!(count < 10_000);
        assert!(is_told(&got), "{:?}", got.last());
        assert!(!got.contains(&Got::Status(1, 200)));
    }
}

#[tokio::test(start_paused = true)]
async fn empty_data_ends_the_connection() {
    let client = TestClient::new(app("").unwrap());
    for payload in [&b""[..], b"x"] {
        let data = |n| match n {
            0 => post(1, "/slow", &[]),
            _ => frame(DATA, 0, 1, payload),
        };
        let (count, got) = flood(&client, data, 100_000).await;

        assert!(count < 100_000);
        assert!(is_told(&got), "{:?}", got.last());
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_head_is_431_and_a_far_too_long_one_ends_the_connection() {
    let client = TestClient::new(app("head_limit = 10_000").unwrap());
    for (length, refusal) in [
        (8_000, Got::Status(1, 200)),
        (11_000, Got::Status(1, 431)),
        (60_000, Got::GoAway(ENHANCE_YOUR_CALM)),
    ] {
        let mut raw = Raw::open(&client).await;
        let block = request_block("GET", "/", &[("a", &"b".repeat(length))]);
        let parts: Vec<&[u8]> = block.chunks(16_000).collect();
        for (n, part) in parts.iter().enumerate() {
            let kind = if n == 0 { HEADERS } else { CONTINUATION };
            let last = if n + 1 == parts.len() { END_HEADERS } else { 0 };
            let first = if n == 0 { END_STREAM } else { 0 };
            raw.send(&frame(kind, first | last, 1, part)).await;
        }
        raw.until(&refusal).await;
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_fields_are_431() {
    let client = TestClient::new(app("head_fields = 20").unwrap());
    for (count, status) in [(19, 200), (21, 431)] {
        let mut raw = Raw::open(&client).await;
        let fields = vec![("a", "b"); count];
        let block = request_block("GET", "/", &fields);
        raw.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &block))
            .await;
        raw.until(&Got::Status(1, status)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_block_that_grows_when_it_is_decompressed_is_refused() {
    let client = TestClient::new(app("").unwrap());
    let mut raw = Raw::open(&client).await;
    // One long field that is remembered (RFC 7541 §6.2.1), and then named again and again by one byte.
    let value = "b".repeat(4000);
    let mut bomb = request_block("GET", "/", &[]);
    let literal = block(&[("a", &value)]);
    bomb.push(0x40);
    bomb.extend(&literal[1..]);
    bomb.extend([0xbe; 10_000]);
    raw.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &bomb))
        .await;
    let rest = raw.rest().await;

    assert!(is_told(&rest), "{rest:?}");
    assert!(!rest.contains(&Got::Status(1, 200)));
}

#[tokio::test(start_paused = true)]
async fn more_streams_than_announced_are_refused_and_the_others_go_on() {
    let client = TestClient::new(app("http2_streams = 3").unwrap());
    let mut raw = Raw::open(&client).await;
    for stream in [1, 3, 5, 7] {
        raw.send(&get(stream, "/slow")).await;
    }
    raw.until(&Got::Reset(7, REFUSED_STREAM)).await;
    for stream in [1, 3, 5] {
        raw.until(&Got::End(stream)).await;
    }
    raw.send(&get(9, "/")).await;
    raw.until(&Got::Status(9, 200)).await;
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_taken_back_hold_nothing() {
    struct Running(Arc<AtomicUsize>);
    impl Drop for Running {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let running = Arc::new(AtomicUsize::new(0));
    let action = {
        let running = running.clone();
        move |_: Request| {
            running.fetch_add(1, Ordering::SeqCst);
            let running = Running(running.clone());
            async move {
                let _running = running;
                std::future::pending::<()>().await;
            }
        }
    };
    let client = TestClient::new(App::builder().route(("/", action)).build().unwrap());
    let mut raw = Raw::open(&client).await;
    for n in 0..50 {
        let stream = 2 * n + 1;
        raw.send(&get(stream, "/")).await;
        raw.send(&frame(PING, 0, 0, &[0; 8])).await;
        raw.until(&Got::Pong).await;
        raw.send(&frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes()))
            .await;
    }
    while running.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_that_nobody_reads_are_held_up_to_the_window() {
    let client = TestClient::new(app("http2_window = 65_536\nbody_limit = 10_000_000").unwrap());
    let mut raw = Raw::open(&client).await;
    raw.send(&post(1, "/slow", &[])).await;
    let mut updates = 0;
    for _ in 0..4 {
        raw.send(&frame(DATA, 0, 1, &[0; 4_096])).await;
        raw.send(&frame(PING, 0, 0, &[0; 8])).await;
        loop {
            let got = raw.next().await.unwrap();
            updates += got
                .iter()
                .filter(|got| **got == Got::Other(WINDOW_UPDATE))
                .count();
            if got.contains(&Got::Pong) {
                break;
            }
        }
    }

    assert!(updates <= 1, "{updates}"); // that of the connection, at the beginning
}
