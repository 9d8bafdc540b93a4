//! What a request writes into the log. One test, so that no other one in this process decides what
//! `tracing` takes for unused.

use std::io;
use std::sync::{Arc, Mutex};

use nova_core::testing::TestClient;
use nova_core::{App, Error, Flow, Group, Plugin, Request, Result};
use tracing::info;
use tracing_subscriber::fmt::MakeWriter;

/// Logs in the controller, and beside it, and fails.
async fn fail(request: Request) -> Result<()> {
    info!("in the controller");
    let beside = async {
        info!("in work to be completed");
        Ok(())
    };
    request.complete(beside).await?;
    Err(Error::from(io::Error::other("broken")))
}

struct Chatty;

impl Plugin for Chatty {
    async fn pre_request(&self, _request: &mut Request) -> Result<Flow> {
        info!("in another plugin");
        Ok(Flow::Continue)
    }
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock().expect("nobody panics with it");
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Lines {
    type Writer = Lines;

    fn make_writer(&'w self) -> Lines {
        self.clone()
    }
}

#[tokio::test]
async fn every_line_that_a_request_causes_has_its_id() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let group = Group::new()
        .plugins(["correlation", "chatty"])
        .route(("/error", fail));
    let app = App::builder().plugin("chatty", Chatty).group(group);
    let client = TestClient::new(app.build().unwrap());
    let response = client.get("/error").await;

    let id = response.header("x-correlation-id").unwrap();
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for expected in [
        "in another plugin",
        "in the controller",
        "in work to be completed",
        "broken",
        "GET /error 500 in",
    ] {
        let line = log.lines().find(|line| line.contains(expected));
        assert!(
            line.is_some_and(|line| line.contains(id)),
            "{expected}: {log}"
        );
    }
    assert_eq!(log.matches("GET /error").count(), 1, "{log}");
}
