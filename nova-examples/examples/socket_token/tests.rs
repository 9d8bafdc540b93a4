use std::fs::File;
use std::io::{Read, Seek};
use std::sync::Arc;

use nova_core::testing::{TestClient, TestResponse};
use nova_core::{App, Environment, Secret};
use nova_ws::testing::TestSocket;
use nova_ws::{Whom, disconnect};
use tracing::Level;

use super::{Tokens, app, builder};

const TOKEN: &str = "s3cret~of-Ann";

fn client() -> TestClient {
    let of = |user: &str, token: &str| (user.to_owned(), Secret::from(token));
    let tokens = Tokens([of("ann", TOKEN), of("nobody", "")].into());
    let app = App::builder().environment(Environment::Dev);
    TestClient::new(builder(app, tokens).build().unwrap())
}

async fn open(client: &TestClient, offered: &str) -> Result<TestSocket, TestResponse> {
    let request = client.get("/ws").header("sec-websocket-protocol", offered);
    TestSocket::open(request).await
}

async fn refused(client: &TestClient, offered: &str) -> u16 {
    let refused = open(client, offered).await.unwrap_err();
    assert!(refused.header("sec-websocket-protocol").is_none());
    assert!(!refused.text().contains(TOKEN));
    refused.status().as_u16()
}

#[tokio::test]
async fn who_has_a_token_gets_a_socket_that_knows_them() {
    let client = client();
    let offered = format!("notes.v1, token.{TOKEN}");
    let mut ann = open(&client, &offered).await.unwrap();
    ann.send_text("hello").await;
    assert_eq!(ann.recv_text().await, r#""ann: hello""#);
}

#[tokio::test]
async fn the_answer_names_the_sub_protocol_and_never_the_token() {
    let client = client();
    let offered = format!("token.{TOKEN}, notes.v1");
    let request = client
        .get("/ws")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-protocol", &offered);
    let (answer, _) = request.upgrade().await.unwrap();

    assert_eq!(answer.header("sec-websocket-protocol"), Some("notes.v1"));
    assert!(!format!("{:?}", answer.headers()).contains(TOKEN));
}

#[tokio::test]
async fn who_has_none_or_a_wrong_one_gets_a_401() {
    let client = client();
    assert_eq!(refused(&client, "notes.v1").await, 401);
    assert_eq!(refused(&client, "notes.v1, token.").await, 401);
    assert_eq!(refused(&client, "notes.v1, token.wrong").await, 401);
    let longer = format!("notes.v1, token.{TOKEN}x");
    assert_eq!(refused(&client, &longer).await, 401);
}

#[tokio::test]
async fn who_offers_nothing_but_a_token_gets_a_400() {
    let client = client();
    assert_eq!(refused(&client, &format!("token.{TOKEN}")).await, 400);
}

#[tokio::test]
async fn the_socket_of_a_token_that_is_withdrawn_can_be_closed() {
    let client = client();
    let offered = format!("notes.v1, token.{TOKEN}");
    let socket = open(&client, &offered).await.unwrap();
    let ann = Whom::User("ann".to_owned());
    disconnect(client.pubsub(), ann, 4401, "your token is withdrawn");
    assert_eq!(socket.closed().await, Some(4401));
}

#[tokio::test]
async fn no_line_of_the_log_has_the_token() {
    let mut file = tempfile::tempfile().unwrap();
    let log = tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        .with_writer(Arc::<File>::new(file.try_clone().unwrap()))
        .finish();
    // Of all tests here, so that none of them decides what `tracing` takes for unused.
    tracing::subscriber::set_global_default(log).unwrap();
    let client = client();
    let offered = format!("notes.v1, token.{TOKEN}");
    let socket = open(&client, &offered).await.unwrap();
    refused(&client, &format!("token.{TOKEN}")).await;
    refused(&client, &format!("notes.v1, token.{TOKEN}x")).await;
    socket.close(1000, "").await;
    client.stop().await;

    let mut lines = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut lines).unwrap();
    assert!(lines.contains("a WebSocket ended"), "{lines}");
    assert!(!lines.contains(TOKEN), "{lines}");
}

#[tokio::test]
async fn its_files_are_right() {
    app().await.unwrap();
}
