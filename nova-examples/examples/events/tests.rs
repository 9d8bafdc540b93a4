//! The notice board, from the request to the event.

use nova_core::testing::TestClient;
use nova_ws::testing::TestEvents;
use serde_json::json;

use super::app;

async fn client() -> TestClient {
    TestClient::new(app().await.unwrap())
}

async fn put_up(client: &TestClient, text: &str) {
    let request = client.post("/notices").json(&json!({ "text": text }));
    assert_eq!(request.await.status(), 204);
}

// ANCHOR: test
#[tokio::test]
async fn a_notice_appears_in_all_browsers() {
    let client = client().await;
    let mut ann = TestEvents::connect(&client, "/notices").await.unwrap();
    let mut bob = TestEvents::connect(&client, "/notices").await.unwrap();
    put_up(&client, "lost: one glove").await;

    for events in [&mut ann, &mut bob] {
        let event = events.recv().await;
        assert_eq!(event.name, "notice");
        assert_eq!(event.data, "lost: one glove");
    }
}

#[tokio::test]
async fn who_was_away_gets_what_was_missed_once() {
    let client = client().await;
    let mut events = TestEvents::connect(&client, "/notices").await.unwrap();
    put_up(&client, "one").await;
    assert_eq!(events.recv_data().await, "one");
    let seen = events.last_event_id().to_owned();
    drop(events);
    put_up(&client, "two").await;

    let request = client.get("/notices").header("last-event-id", &seen);
    let mut events = TestEvents::open(request).await.unwrap();
    put_up(&client, "three").await;
    assert_eq!(events.recv_data().await, "two");
    assert_eq!(events.recv_data().await, "three");
}
// ANCHOR_END: test

#[tokio::test]
async fn who_comes_to_a_board_that_was_started_again_gets_all_of_it() {
    let client = client().await;
    put_up(&client, "new").await;
    let request = client.get("/notices").header("last-event-id", "1");
    let mut events = TestEvents::open(request).await.unwrap();

    assert_eq!(events.recv_data().await, "new");
}

#[tokio::test]
async fn the_page_and_its_script_are_there() {
    let client = client().await;
    let page = client.get("/").await;
    assert!(page.text().contains("<script src=\"/page.js\">"));
    let script = client.get("/page.js").await;
    assert!(script.text().contains("new EventSource(\"/notices\")"));
}
