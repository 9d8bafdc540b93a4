//! How a stop looks to clients of HTTP/2.

use std::time::Duration;

use nova_core::testing::TestClient;
use tokio::time::{Instant, sleep};

use super::frames::{Got, NO_ERROR, Raw, get};
use super::{answer, app, collect, sender};

#[tokio::test(start_paused = true)]
async fn what_is_under_way_finishes_and_the_client_is_told_to_go() {
    let client = TestClient::new(app("").unwrap());
    let mut raw = Raw::open(&client).await;
    raw.send(&get(1, "/slow")).await;
    sleep(Duration::from_secs(1)).await;
    let start = Instant::now();
    let stopped = tokio::spawn(client.stop());
    let rest = raw.rest().await;

    assert!(rest.contains(&Got::GoAway(NO_ERROR)), "{rest:?}");
    assert!(rest.contains(&Got::Status(1, 200)), "{rest:?}");
    assert!(rest.contains(&Got::End(1)), "{rest:?}");
    stopped.await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(6));
}

#[tokio::test(start_paused = true)]
async fn a_client_of_good_manners_holds_nobody_up() {
    let client = TestClient::new(app("").unwrap());
    let mut sender = sender(&client).await;
    answer(&mut sender, super::get("/")).await;
    let start = Instant::now();
    client.stop().await;

    assert!(start.elapsed() < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_listen_holds_nobody_up_for_long() {
    let client = TestClient::new(app("").unwrap());
    let _before_the_preface = client.connect();
    let mut raw = Raw::open(&client).await;
    raw.send(&get(1, "/")).await;
    raw.until(&Got::End(1)).await;
    let start = Instant::now();
    client.stop().await;

    assert!(start.elapsed() < Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_finish_is_cut_when_the_drain_is_over() {
    let client = TestClient::new(app("shutdown_drain_timeout = 3").unwrap());
    let mut sender = sender(&client).await;
    let (slow, _) = sender.send_request(super::get("/slow"), true).unwrap();
    let (long, _) = sender.send_request(super::get("/long"), true).unwrap();
    let long = long.await.unwrap().into_body();
    let start = Instant::now();
    client.stop().await;

    assert_eq!(start.elapsed().as_secs(), 3);
    assert!(slow.await.is_err());
    assert!(collect(long).await.is_err());
}
