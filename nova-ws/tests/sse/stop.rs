//! What a stop of the app does to streams.

use std::time::Duration;

use nova_ws::sse::EndReason;
use tokio::time::{Instant, timeout};

use crate::life::Fixture;

#[tokio::test]
async fn a_stop_ends_the_stream_with_a_time_to_come_back_and_calls_terminate() {
    let mut fixture = Fixture::new();
    let mut events = fixture.events().await;
    let ended = tokio::spawn(async move {
        events.ended().await;
        events.retry()
    });
    fixture.client.stop().await;

    let retry = ended.await.unwrap().unwrap();
    assert!((500..=2_500).contains(&retry.as_millis()), "{retry:?}");
    assert_eq!(fixture.ended.try_recv(), Ok(EndReason::Shutdown));
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_clients_that_listen() {
    let fixture = Fixture::new();
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(fixture.events().await);
    }
    let begun = Instant::now();
    fixture.client.stop().await;

    // Their streams end at once; the connections are kept for the second that idle ones have.
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
    for mut events in clients {
        events.ended().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_a_while_for_a_callback_and_then_calls_terminate_all_the_same() {
    let mut fixture = Fixture::new();
    let mut events = fixture.events().await;
    fixture.tell("never");
    tokio::task::yield_now().await;
    let begun = Instant::now();
    fixture.client.stop().await;

    assert_eq!(begun.elapsed().as_secs(), 3);
    events.ended().await;
    assert_eq!(fixture.ended.try_recv(), Ok(EndReason::Shutdown));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_cut_when_the_drain_is_over_and_terminate_called_before() {
    let mut fixture = Fixture::new();
    let events = fixture.events().await;
    let text = "x".repeat(300_000); // more than the connection holds
    fixture.client.pubsub().broadcast("orders", "text", &text);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let ended = &mut fixture.ended;
    let terminated = async { timeout(Duration::from_secs(1), ended.recv()).await };
    let begun = Instant::now();
    let (stopped, reason) = tokio::join!(fixture.client.stop(), terminated);

    let () = stopped;
    assert_eq!(reason.unwrap(), Some(EndReason::Shutdown));
    assert_eq!(begun.elapsed().as_secs(), 15, "then it was cut");
    drop(events);
}
