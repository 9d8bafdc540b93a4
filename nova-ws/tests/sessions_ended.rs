//! A log-out, here or everywhere, reaches open sockets.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::testing::TestClient;
use nova_core::{App, Error, Request, Result, SessionKey, SessionsEnded, protocol};
use nova_ws::testing::TestSocket;
use nova_ws::{Accept, AppBuilderExt, Connection, Info, Outcome, WebSocket, ok, stop_with};

// ANCHOR: handler
/// Belongs to who has logged in, for as long as they are.
#[derive(Clone, Default)]
struct Inbox {
    user: String,
    session: Option<SessionKey>,
}

impl WebSocket for Inbox {
    async fn init(&mut self, request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join(SessionsEnded::CHANNEL); // first: nothing falls between
        let session = request.session();
        self.session = session.key().await?;
        let user = session.user().await?;
        self.user = user.ok_or_else(|| Error::from_status(401))?;
        Ok(Accept::Yes)
    }

    async fn info(&mut self, info: Info, _conn: &mut Connection) -> Outcome {
        if let Info::Published(message) = info
            && let Ok(ended) = message.decode::<SessionsEnded>()
            && ended.includes(&self.user, self.session)
        {
            return stop_with(4401, "logged out");
        }
        ok()
    }
}
// ANCHOR_END: handler

async fn log_in(request: Request) -> Result<()> {
    let user: String = request.binding("user")?;
    request.session().log_in(&user).await
}

async fn end_all(request: Request) -> Result<String> {
    let user: String = request.binding("user")?;
    let ended = request.session().end_all_of(&user).await?;
    Ok(ended.to_string())
}

async fn end(request: Request) -> Result<()> {
    request.session().end().await
}

fn client() -> TestClient {
    let app = App::builder()
        .websocket("inbox", Inbox::default())
        .route(("/inbox", "inbox", protocol("ws")))
        .route(("/login/{user}", log_in))
        .route(("/end", end))
        .route(("/end_all/{user}", end_all));
    TestClient::new(app.build().unwrap())
}

/// A cookie of the user's, and a socket that was opened with it.
async fn browser(client: &TestClient, user: &str) -> (String, TestSocket) {
    let response = client.get(&format!("/login/{user}")).await;
    let set = response.header("set-cookie").unwrap();
    let cookie = set.split(';').next().unwrap().to_owned();
    let request = client.get("/inbox").header("cookie", &cookie);
    (cookie, TestSocket::open(request).await.unwrap())
}

async fn socket(client: &TestClient, user: &str) -> TestSocket {
    browser(client, user).await.1
}

#[tokio::test]
async fn who_logs_out_in_one_browser_loses_the_sockets_of_that_one() {
    let client = client();
    let (cookie, here) = browser(&client, "ann").await;
    let there = socket(&client, "ann").await;

    client.get("/end").header("cookie", &cookie).await;

    assert_eq!(here.closed().await, Some(4401));
    assert_eq!(client.get("/end_all/ann").await.text(), "1");
    assert_eq!(there.closed().await, Some(4401), "not before");
}

#[tokio::test]
async fn who_is_logged_out_everywhere_loses_their_sockets_and_nobody_else_does() {
    let client = client();
    let (ann, again) = (socket(&client, "ann").await, socket(&client, "ann").await);
    let bob = socket(&client, "bob").await;

    assert_eq!(client.get("/end_all/ann").await.text(), "2");

    assert_eq!(ann.closed().await, Some(4401));
    assert_eq!(again.closed().await, Some(4401));
    assert_eq!(client.get("/end_all/bob").await.text(), "1");
    assert_eq!(bob.closed().await, Some(4401), "not before");
}
