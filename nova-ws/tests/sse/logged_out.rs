//! A log-out, here or everywhere, ends streams, and keeps their clients from coming back.

use nova_core::testing::TestClient;
use nova_core::{App, Error, Request, Result, protocol};
use nova_ws::sse::{EndReason, EventSource};
use nova_ws::testing::TestEvents;
use nova_ws::{Accept, AppBuilderExt, Connection};
use tokio::sync::mpsc;

/// Belongs to who has logged in.
#[derive(Clone)]
struct Inbox {
    ended: mpsc::UnboundedSender<EndReason>,
}

impl EventSource for Inbox {
    // ANCHOR: init
    async fn init(&mut self, request: &Request, conn: &mut Connection) -> Result<Accept> {
        let user = request.session().user().await?;
        let user = user.ok_or_else(|| Error::from_status(401))?;
        conn.join(&format!("inbox:{user}"));
        Ok(Accept::Yes)
    }
    // ANCHOR_END: init

    async fn terminate(&mut self, reason: &EndReason, _conn: &mut Connection) {
        let _ = self.ended.send(reason.clone());
    }
}

async fn log_in(request: Request) -> Result<()> {
    request.session().log_in("ann").await
}

async fn log_out(request: Request) -> Result<()> {
    request.session().end().await
}

async fn log_out_everywhere(request: Request) -> Result<()> {
    request.session().end_all_of("ann").await?;
    Ok(())
}

#[tokio::test]
async fn who_is_logged_out_loses_the_stream_and_is_refused_when_coming_back() {
    let (ended, mut ends) = mpsc::unbounded_channel();
    let app = App::builder()
        .event_source("inbox", Inbox { ended })
        .route(("/inbox", "inbox", protocol("sse")))
        .route(("/login", log_in))
        .route(("/logout", log_out))
        .route(("/logout_everywhere", log_out_everywhere));
    let client = TestClient::new(app.build().unwrap());
    for way in ["/logout", "/logout_everywhere"] {
        let response = client.get("/login").await;
        let cookie = response.header("set-cookie").unwrap();
        let cookie = cookie.split(';').next().unwrap();
        let request = |path: &str| client.get(path).header("cookie", cookie);
        let mut events = TestEvents::open(request("/inbox")).await.unwrap();
        assert_eq!(request(way).await.status(), 200);

        events.ended().await;
        let reason = ends.recv().await.unwrap();
        assert!(matches!(reason, EndReason::Ordered { code: 4401, .. }));
        let refused = TestEvents::open(request("/inbox")).await.unwrap_err();
        assert_eq!(refused.status(), 401, "{way}");
    }
}
