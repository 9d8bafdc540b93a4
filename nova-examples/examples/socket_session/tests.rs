use nova_core::testing::{TestClient, TestRequest, TestResponse};
use nova_ws::testing::TestSocket;

use super::app;

async fn client() -> TestClient {
    TestClient::new(app().await.unwrap())
}

/// A `POST` of the page's own.
fn post<'c>(client: &'c TestClient, path: &str) -> TestRequest<'c> {
    client.post(path).header("sec-fetch-site", "same-origin")
}

/// The cookie of somebody who has just logged in.
async fn log_in(client: &TestClient, user: &str) -> String {
    let answer = post(client, "/login").form(&[("user", user)]).await;
    let cookie = answer.header("set-cookie").unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

async fn open(client: &TestClient, cookie: &str) -> Result<TestSocket, TestResponse> {
    TestSocket::open(client.get("/ws").header("cookie", cookie)).await
}

#[tokio::test]
async fn who_has_logged_in_gets_a_socket_that_knows_them() {
    let client = client().await;
    let cookie = log_in(&client, "ann").await;
    let mut ann = open(&client, &cookie).await.unwrap();
    ann.send_text("hello").await;
    assert_eq!(ann.recv_text().await, r#""ann: hello""#);
}

#[tokio::test]
async fn who_has_not_gets_a_401_and_no_socket() {
    let client = client().await;
    assert_eq!(open(&client, "").await.unwrap_err().status(), 401);
}

#[tokio::test]
async fn a_page_of_another_site_gets_no_socket_with_the_cookie_and_cannot_log_out() {
    let client = client().await;
    let cookie = log_in(&client, "ann").await;
    let foreign = client
        .get("/ws")
        .header("cookie", &cookie)
        .header("origin", "https://evil.example");
    assert_eq!(TestSocket::open(foreign).await.unwrap_err().status(), 403);

    let foreign = client.post("/logout").header("cookie", &cookie);
    let foreign = foreign.header("sec-fetch-site", "cross-site").await;
    assert_eq!(foreign.status(), 403);
    assert!(open(&client, &cookie).await.is_ok());
}

#[tokio::test]
async fn a_log_out_closes_the_sockets_of_that_session_alone() {
    let client = client().await;
    let (here, there) = (log_in(&client, "ann").await, log_in(&client, "ann").await);
    let socket = open(&client, &here).await.unwrap();
    let mut other = open(&client, &there).await.unwrap();

    post(&client, "/logout").header("cookie", &here).await;

    let close = socket.closed_with().await;
    assert_eq!(close, Some((4401, "logged out".to_owned())));
    assert_eq!(open(&client, &here).await.unwrap_err().status(), 401);
    other.send_text("still here").await;
    assert_eq!(other.recv_text().await, r#""ann: still here""#);
}

#[tokio::test]
async fn a_log_out_everywhere_closes_all_sockets_of_the_user_and_nobody_else_s() {
    let client = client().await;
    let (here, there) = (log_in(&client, "ann").await, log_in(&client, "ann").await);
    let one = open(&client, &here).await.unwrap();
    let two = open(&client, &there).await.unwrap();
    let cookie = log_in(&client, "bob").await;
    let mut bob = open(&client, &cookie).await.unwrap();

    let everywhere = post(&client, "/logout/everywhere").header("cookie", &here);
    assert_eq!(everywhere.await.status(), 200);

    let close = Some((4401, "logged out".to_owned()));
    assert_eq!(one.closed_with().await, close);
    assert_eq!(two.closed_with().await, close);
    bob.send_text("alone").await;
    assert_eq!(bob.recv_text().await, r#""bob: alone""#);
}

#[tokio::test]
async fn who_logs_in_anew_loses_the_sockets_of_before() {
    let client = client().await;
    let before = log_in(&client, "ann").await;
    let socket = open(&client, &before).await.unwrap();

    let again = post(&client, "/login").header("cookie", &before);
    again.form(&[("user", "bob")]).await;

    assert_eq!(socket.closed().await, Some(4401));
}
