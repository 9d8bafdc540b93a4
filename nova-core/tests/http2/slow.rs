//! Clients that take their time.

use std::time::Duration;

use nova_core::testing::TestClient;
use tokio::time::{Instant, sleep};

use super::app;
use super::frames::{
    CANCEL, DATA, END_HEADERS, ENHANCE_YOUR_CALM, Got, HEADERS, NO_ERROR, PREFACE, Raw, SETTINGS,
    WINDOW_UPDATE, frame, get, post, request_block,
};

/// Settings with which the times of all waits differ.
const TIMES: &str = "head_timeout = 3\nkeep_alive_timeout = 20\nbody_timeout = 7\nsend_timeout = 9";

async fn client() -> TestClient {
    TestClient::new(app(TIMES).unwrap())
}

#[tokio::test(start_paused = true)]
async fn half_a_preface_is_half_a_head() {
    let client = client().await;
    let mut raw = Raw::silent(&client);
    raw.send(&PREFACE[..10]).await;
    let start = Instant::now();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut raw.into_stream(), &mut answer)
        .await
        .unwrap();

    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(start.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn who_begins_nothing_is_told_to_go() {
    for beginning in [
        PREFACE.to_vec(),
        [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat(),
    ] {
        let client = client().await;
        let mut raw = Raw::silent(&client);
        raw.send(&beginning).await;
        let start = Instant::now();
        let rest = raw.rest().await;

        assert!(rest.contains(&Got::GoAway(NO_ERROR)), "{rest:?}");
        assert_eq!(start.elapsed().as_secs(), 4); // and one more to go
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_told_to_go_when_its_time_is_over() {
    let client = client().await;
    let mut raw = Raw::open(&client).await;
    raw.send(&get(1, "/")).await;
    raw.until(&Got::End(1)).await;
    let start = Instant::now();
    raw.until(&Got::GoAway(NO_ERROR)).await;

    assert_eq!(start.elapsed().as_secs(), 20);
    raw.send(&get(3, "/")).await; // on its way when the client was told
    raw.until(&Got::Status(3, 200)).await;
    raw.rest().await;
    assert_eq!(start.elapsed().as_secs(), 21);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_all_there_when_its_time_is_over_ends_the_connection() {
    let block = request_block("GET", "/", &[]);
    let continued = frame(HEADERS, 0, 1, &block);
    let ping = frame(6, 0, 0, &[0; 8]);
    for (begun, more) in [
        (&get(1, "/")[..5], &b""[..]),
        (&get(1, "/")[..20], b""),
        (&continued[..], b""),
        (&continued[..], &frame(9, 0, 1, &[])[..]),
        (&ping[..12], b""),
        (&[0][..], b""),
    ] {
        let client = client().await;
        let mut raw = Raw::open(&client).await;
        let start = Instant::now();
        raw.send(begun).await;
        sleep(Duration::from_secs(1)).await;
        raw.send(more).await; // is no reason to wait longer
        let rest = raw.rest().await;

        assert_eq!(start.elapsed().as_secs(), 3, "{begun:?} {more:?}");
        assert_eq!(rest.last(), Some(&Got::GoAway(ENHANCE_YOUR_CALM)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_is_408_and_the_connection_goes_on() {
    let client = client().await;
    let mut raw = Raw::open(&client).await;
    let start = Instant::now();
    raw.send(&post(1, "/length", &[])).await;
    raw.send(&frame(DATA, 0, 1, b"some")).await;
    sleep(Duration::from_secs(6)).await;
    raw.send(&frame(DATA, 0, 1, b"more")).await;
    raw.until(&Got::Status(1, 408)).await;

    assert_eq!(start.elapsed().as_secs(), 13);
    raw.send(&get(3, "/")).await;
    raw.until(&Got::Status(3, 200)).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_taken_is_taken_back_and_the_others_go_on() {
    let client = client().await;
    let mut raw = Raw::open(&client).await;
    let start = Instant::now();
    raw.send(&get(1, "/long")).await;
    // The window of the connection is not what is in the way.
    raw.send(&frame(WINDOW_UPDATE, 0, 0, &1_000_000u32.to_be_bytes()))
        .await;
    raw.until(&Got::Reset(1, CANCEL)).await;

    assert_eq!(start.elapsed().as_secs(), 9);
    raw.send(&get(3, "/")).await;
    raw.until(&Got::End(3)).await;
}

/// A client whose windows are so large, with one request.
async fn narrow(client: &TestClient, window: u8) -> Raw {
    let mut raw = Raw::silent(client);
    let settings = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, window]);
    raw.send(&[PREFACE, &settings, &get(1, "/")].concat()).await;
    raw
}

#[tokio::test(start_paused = true)]
async fn a_short_answer_that_is_not_taken_is_taken_back_too() {
    let client = client().await;
    let mut raw = narrow(&client, 0).await;
    let start = Instant::now();
    raw.until(&Got::Reset(1, CANCEL)).await;

    assert_eq!(start.elapsed().as_secs(), 9);
}

#[tokio::test(start_paused = true)]
async fn who_takes_half_of_a_short_answer_is_cut() {
    let client = client().await;
    let mut raw = narrow(&client, 2).await;
    let start = Instant::now();
    let rest = raw.rest().await;

    assert!(rest.contains(&Got::Data(1, 2)), "{rest:?}");
    assert_eq!(start.elapsed().as_secs(), 9);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_taken_slowly_does_not_end() {
    let client = client().await;
    let mut raw = Raw::open(&client).await;
    raw.send(&get(1, "/long")).await;
    let mut received = 0;
    while received < 1_000_000 {
        match raw.next().await.unwrap()[0] {
            Got::Data(1, length) => {
                received += length;
                sleep(Duration::from_secs(4)).await;
                let more = u32::try_from(length).unwrap().to_be_bytes();
                for stream in [0, 1] {
                    raw.send(&frame(WINDOW_UPDATE, 0, stream, &more)).await;
                }
            }
            Got::Reset(..) => panic!("it was taken back"),
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_at_all_is_cut() {
    let client = client().await;
    let mut raw = Raw::silent(&client);
    let most = i32::MAX.to_be_bytes();
    let open = [&[0, 4][..], &most].concat();
    let more = frame(WINDOW_UPDATE, 0, 0, &1_000_000_000u32.to_be_bytes());
    let beginning = [PREFACE, &frame(SETTINGS, 0, 0, &open), &more].concat();
    raw.send(&beginning).await;
    raw.send(&get(1, "/long")).await;
    sleep(Duration::from_secs(12)).await;
    let mut stream = raw.into_stream();
    let mut received = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut received).await;

    assert!(received.len() < 1_000_000, "{} bytes", received.len());
}

#[tokio::test(start_paused = true)]
async fn pings_do_not_keep_an_idle_connection() {
    let client = client().await;
    let mut raw = Raw::open(&client).await;
    raw.send(&frame(
        HEADERS,
        END_HEADERS | 1,
        1,
        &request_block("GET", "/", &[]),
    ))
    .await;
    raw.until(&Got::End(1)).await;
    let start = Instant::now();
    loop {
        sleep(Duration::from_secs(2)).await;
        if !raw.send(&frame(6, 0, 0, &[0; 8])).await {
            break;
        }
    }

    assert!(start.elapsed().as_secs() < 25);
}
