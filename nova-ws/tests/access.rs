//! All that a security function can say, before an upgrade as before a controller.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nova_core::testing::TestClient;
use nova_core::{
    Access, App, Error, Flow, Group, Plugin, Request, Result, Security, bytes, protocol, redirect,
    status,
};
use nova_ws::testing::TestSocket;
use nova_ws::{Accept, AppBuilderExt, Connection, WebSocket};

/// Says what the query asks for.
struct ByQuery;

impl Security for ByQuery {
    async fn check(&self, request: &mut Request) -> Result<Access> {
        Ok(match request.uri().query() {
            Some("yes") => Access::Granted,
            Some("yes-with-data") => Access::granted_as("ann".to_owned()),
            Some("no-with-headers") => Access::Denied(status(401).header("x-why", "unknown")),
            Some("no-with-status") => Access::Denied(status(403).header("x-why", "banned")),
            Some("no-with-body") => Access::Denied(bytes("go away").with_status(403)),
            Some("redirect") => Access::Denied(redirect("/login")),
            Some("basic") => Access::unauthorized_basic("sockets"),
            Some("error") => return Err(Error::new(503, "ask later")),
            Some("panic") => panic!("in the security function"),
            Some("late-panic") => {
                tokio::task::yield_now().await;
                panic!("in the security function, later");
            }
            _ => Access::denied(),
        })
    }
}

/// Panics before the security function is asked.
struct Fragile;

impl Plugin for Fragile {
    async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
        match request.uri().query() {
            Some("plugin-error") => Err(Error::new(418, "no")),
            Some("plugin-panic") => panic!("in the plugin"),
            Some("plugin-stop") => Ok(Flow::Stop(status(204))),
            _ => Ok(Flow::Continue),
        }
    }
}

/// Counts those that have got in.
#[derive(Clone)]
struct Counter(Arc<AtomicUsize>);

impl WebSocket for Counter {
    async fn init(&mut self, request: &Request, _conn: &mut Connection) -> Result<Accept> {
        self.0.fetch_add(1, Ordering::Relaxed);
        assert_eq!(
            request.auth_data::<String>().is_ok(),
            request.uri().query() == Some("yes-with-data")
        );
        Ok(Accept::Yes)
    }
}

/// A client of an app in which a controller and a handler stand behind the same guard, and how many
/// requests have reached either.
fn client() -> (TestClient, Arc<AtomicUsize>) {
    let reached = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reached);
    let controller = move |_: Request| {
        count.fetch_add(1, Ordering::Relaxed);
        async { "in" }
    };
    let guarded = Group::new()
        .plugin("fragile", Fragile)
        .security("by_query")
        .route(("/page", controller))
        .route(("/socket", "counter", protocol("ws")));
    let app = App::builder()
        .security("by_query", ByQuery)
        .websocket("counter", Counter(Arc::clone(&reached)))
        .group(guarded);
    (TestClient::new(app.build().unwrap()), reached)
}

#[tokio::test]
async fn a_yes_leads_to_the_controller_and_to_the_handler() {
    let (client, reached) = client();
    for query in ["yes", "yes-with-data"] {
        assert_eq!(client.get(&format!("/page?{query}")).await.text(), "in");
        let request = client.get(&format!("/socket?{query}"));
        TestSocket::open(request).await.unwrap();
    }
    assert_eq!(reached.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn every_other_answer_is_the_same_on_a_page_and_on_a_socket_and_leads_to_neither() {
    let (client, reached) = client();
    for (query, expected, header, body) in [
        ("no", 401, None, Some("")),
        ("no-with-headers", 401, Some(("x-why", "unknown")), Some("")),
        ("no-with-status", 403, Some(("x-why", "banned")), Some("")),
        ("no-with-body", 403, None, Some("go away")),
        ("redirect", 302, Some(("location", "/login")), Some("")),
        (
            "basic",
            401,
            Some((
                "www-authenticate",
                "Basic realm=\"sockets\", charset=\"UTF-8\"",
            )),
            Some(""),
        ),
        ("error", 503, None, None),
        ("panic", 500, None, None),
        ("late-panic", 500, None, None),
        ("plugin-error", 418, None, None),
        ("plugin-panic", 500, None, None),
        ("plugin-stop", 204, None, Some("")),
    ] {
        let page = client.get(&format!("/page?{query}")).await;
        let request = client.get(&format!("/socket?{query}"));
        let socket = TestSocket::open(request).await.unwrap_err();
        for response in [page, socket] {
            assert_eq!(response.status(), expected, "{query}");
            if let Some((name, value)) = header {
                assert_eq!(response.header(name), Some(value), "{query}");
            }
            if let Some(body) = body {
                assert_eq!(response.text(), body, "{query}");
            }
        }
    }
    assert_eq!(reached.load(Ordering::Relaxed), 0);
}
