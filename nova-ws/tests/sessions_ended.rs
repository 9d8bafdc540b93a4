//! A log-out everywhere reaches open sockets.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::testing::TestClient;
use nova_core::{App, Error, Request, Result, SessionsEnded, protocol};
use nova_ws::testing::TestSocket;
use nova_ws::{Accept, AppBuilderExt, Connection, Info, Outcome, WebSocket, ok, stop_with};

// ANCHOR: handler
/// Belongs to who has logged in, for as long as they are.
#[derive(Clone, Default)]
struct Inbox {
    user: String,
}

impl WebSocket for Inbox {
    async fn init(&mut self, request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join(SessionsEnded::CHANNEL); // first: nothing falls between
        let user = request.session().user().await?;
        self.user = user.ok_or_else(|| Error::from_status(401))?;
        Ok(Accept::Yes)
    }

    async fn info(&mut self, info: Info, _conn: &mut Connection) -> Outcome {
        if let Info::Published(message) = info
            && let Ok(ended) = message.decode::<SessionsEnded>()
            && ended.user == self.user
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

async fn socket(client: &TestClient, user: &str) -> TestSocket {
    let response = client.get(&format!("/login/{user}")).await;
    let set = response.header("set-cookie").unwrap();
    let cookie = set.split(';').next().unwrap();
    let request = client.get("/inbox").header("cookie", cookie);
    TestSocket::open(request).await.unwrap()
}

#[tokio::test]
async fn who_is_logged_out_everywhere_loses_their_sockets_and_nobody_else_does() {
    let app = App::builder()
        .websocket("inbox", Inbox::default())
        .route(("/inbox", "inbox", protocol("ws")))
        .route(("/login/{user}", log_in))
        .route(("/end_all/{user}", end_all));
    let client = TestClient::new(app.build().unwrap());
    let (ann, again) = (socket(&client, "ann").await, socket(&client, "ann").await);
    let bob = socket(&client, "bob").await;

    assert_eq!(client.get("/end_all/ann").await.text(), "2");

    assert_eq!(ann.closed().await, Some(4401));
    assert_eq!(again.closed().await, Some(4401));
    assert_eq!(client.get("/end_all/bob").await.text(), "1");
    assert_eq!(bob.closed().await, Some(4401), "not before");
}
