use std::time::Duration;

use nova_core::testing::{TestClient, TestResponse};
use nova_core::{App, Environment, Secret};
use nova_ws::testing::TestSocket;
use serde_json::Value;
use tokio::time::advance;

use super::{MOST, Tickets, Tokens, app, builder};

fn client() -> TestClient {
    let tokens = Tokens([("ann".to_owned(), Secret::from("right"))].into());
    let app = App::builder().environment(Environment::Dev);
    TestClient::new(builder(app, tokens, &Tickets::new()).build().unwrap())
}

async fn ask(client: &TestClient, token: &str) -> TestResponse {
    let bearer = format!("Bearer {token}");
    client
        .post("/ticket")
        .header("authorization", &bearer)
        .await
}

async fn ticket(client: &TestClient) -> String {
    let issued: Value = ask(client, "right").await.json();
    issued["ticket"].as_str().unwrap().to_owned()
}

async fn open(client: &TestClient, ticket: &str) -> Result<TestSocket, u16> {
    let socket = TestSocket::connect(client, &format!("/ws?ticket={ticket}")).await;
    socket.map_err(|refused| refused.status().as_u16())
}

#[tokio::test]
async fn a_ticket_opens_a_socket_that_knows_who_asked_for_it() {
    let client = client();
    let mut ann = open(&client, &ticket(&client).await).await.unwrap();
    ann.send_text("hello").await;
    assert_eq!(ann.recv_text().await, r#""ann: hello""#);
}

#[tokio::test]
async fn a_ticket_is_for_one_socket() {
    let client = client();
    let ticket = ticket(&client).await;
    let _first = open(&client, &ticket).await.unwrap();
    assert_eq!(open(&client, &ticket).await.unwrap_err(), 401);
}

#[tokio::test]
async fn of_two_who_come_with_one_ticket_together_one_gets_in() {
    let client = client();
    let ticket = ticket(&client).await;
    let both = tokio::join!(open(&client, &ticket), open(&client, &ticket));
    assert!(matches!(both, (Ok(_), Err(401)) | (Err(401), Ok(_))));
}

#[tokio::test(start_paused = true)]
async fn a_ticket_is_good_for_30_seconds() {
    let client = client();
    let (early, late) = (ticket(&client).await, ticket(&client).await);
    advance(Duration::from_secs(29)).await;
    assert!(open(&client, &early).await.is_ok());
    advance(Duration::from_secs(1)).await;
    assert_eq!(open(&client, &late).await.unwrap_err(), 401);
}

#[tokio::test]
async fn who_has_no_ticket_gets_a_401_and_no_socket() {
    let client = client();
    assert_eq!(open(&client, "").await.unwrap_err(), 401);
    assert_eq!(open(&client, "made-up").await.unwrap_err(), 401);
    let refused = TestSocket::connect(&client, "/ws").await.unwrap_err();
    assert_eq!(refused.status(), 401);
}

#[tokio::test]
async fn who_has_no_token_gets_no_ticket() {
    let client = client();
    for token in ["", "wrong", "right2"] {
        let refused = ask(&client, token).await;
        assert_eq!(refused.status(), 401, "{token}");
        assert!(refused.header("www-authenticate").is_some());
    }
}

#[tokio::test]
async fn no_cache_keeps_a_ticket() {
    let answer = ask(&client(), "right").await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[test]
fn tickets_that_nobody_uses_make_room_for_new_ones() {
    let tickets = Tickets::new();
    for _ in 0..MOST + 1_000 {
        tickets.issue("ann").unwrap();
    }
    let newest = tickets.issue("bob").unwrap();
    tickets.0.run_pending_tasks();
    assert!(tickets.0.entry_count() <= MOST);
    assert_eq!(tickets.redeem(&newest).as_deref(), Some("bob"));
}

#[tokio::test]
async fn its_files_are_right() {
    app().await.unwrap();
}
