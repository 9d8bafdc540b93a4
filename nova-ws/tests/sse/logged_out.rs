//! A log-out everywhere ends streams, and keeps the client from coming back.

use nova_core::testing::TestClient;
use nova_core::{App, Request, Result, SessionsEnded, protocol, status};
use nova_ws::sse::{EventSource, Outcome, ok, stop};
use nova_ws::testing::TestEvents;
use nova_ws::{Accept, AppBuilderExt, Connection, Info};

// ANCHOR: handler
/// Belongs to who has logged in, for as long as they are.
#[derive(Clone, Default)]
struct Inbox {
    user: String,
}

impl EventSource for Inbox {
    async fn init(&mut self, request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join(SessionsEnded::CHANNEL); // first: nothing falls between
        match request.session().user().await? {
            Some(user) => self.user = user,
            // A browser comes back after everything else.
            None => return Ok(Accept::Refuse(status(204))),
        }
        Ok(Accept::Yes)
    }

    async fn info(&mut self, info: Info, _conn: &mut Connection) -> Outcome {
        if let Info::Published(message) = info
            && let Ok(ended) = message.decode::<SessionsEnded>()
            && ended.user == self.user
        {
            return stop();
        }
        ok()
    }
}
// ANCHOR_END: handler

#[tokio::test]
async fn who_is_logged_out_loses_the_stream_and_is_told_not_to_come_back() {
    let app = App::builder()
        .event_source("inbox", Inbox::default())
        .route(("/inbox", "inbox", protocol("sse")))
        .route(("/login", |request: Request| async move {
            request.session().log_in("ann").await
        }))
        .route(("/end_all", |request: Request| async move {
            request
                .session()
                .end_all_of("ann")
                .await
                .map(|ended| ended.to_string())
        }));
    let client = TestClient::new(app.build().unwrap());
    let response = client.get("/login").await;
    let cookie = response.header("set-cookie").unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let request = || client.get("/inbox").header("cookie", cookie);
    let mut events = TestEvents::open(request()).await.unwrap();
    client.get("/end_all").await;

    events.ended().await;
    assert_eq!(TestEvents::open(request()).await.unwrap_err().status(), 204);
}
