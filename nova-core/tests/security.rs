//! Who may pass: the security functions of groups.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nova_core::testing::TestClient;
use nova_core::{
    Access, App, Environment, Error, Flow, Group, Head, Plugin, Request, Response, Result,
    Security, methods, redirect, status, text,
};

struct ByHeader;

struct User(String);

impl Security for ByHeader {
    async fn check(&self, request: &mut Request) -> Result<Access> {
        Ok(match request.header("x-who") {
            None => Access::denied(),
            Some("guest") => Access::Granted,
            Some("stranger") => Access::Denied(redirect("/login")),
            Some("banned") => {
                let reply = status(403).header("x-why", "banned");
                Access::Denied(reply.text("go away"))
            }
            Some("broken") => return Err(Error::new(503, "ask later")),
            Some("panic") => panic!("no"),
            Some(name) => Access::granted_as(User(name.to_owned())),
        })
    }
}

/// Says that it has seen the answer, and who it was for.
struct Audit;

impl Plugin for Audit {
    async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
        assert!(request.auth_data::<User>().is_err(), "plugins come first");
        Ok(Flow::Continue)
    }

    async fn post_request(&self, head: &Head, response: &mut Response) -> Result<Flow> {
        let who = head.auth_data::<User>().map_or("nobody", |user| &user.0);
        let headers = response.headers_mut();
        headers.insert("x-audit", http::HeaderValue::from_str(who).unwrap());
        Ok(Flow::Continue)
    }
}

fn client(calls: &Arc<AtomicUsize>) -> TestClient {
    let calls = Arc::clone(calls);
    let hello = move |request: Request| {
        calls.fetch_add(1, Ordering::Relaxed);
        async move { Ok::<_, Error>(request.auth_data::<User>()?.0.clone()) }
    };
    let guarded = Group::new()
        .plugins(["audit"])
        .security("by_header")
        .route(("/guarded", hello, methods(["get"])))
        .route(("/guests", |_: Request| async { "welcome" }));
    let app = App::builder()
        .environment(Environment::Prod)
        .plugin("audit", Audit)
        .security("by_header", ByHeader)
        .group(guarded)
        .route(("/open", |request: Request| async move {
            request
                .auth_data::<User>()
                .map(|_| ())
                .map_err(|error| error.with_status(418))
        }));
    TestClient::new(app.build().unwrap())
}

#[tokio::test]
async fn who_may_pass_is_known_to_the_controller_and_to_later_plugins() {
    let calls = Arc::default();
    let client = client(&calls);
    let response = client.get("/guarded").header("x-who", "ann").await;

    assert_eq!(response.text(), "ann");
    assert_eq!(response.header("x-audit"), Some("ann"));
    assert_eq!(
        client.get("/guests").header("x-who", "guest").await.text(),
        "welcome"
    );
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn who_may_not_pass_gets_the_answer_and_the_controller_is_not_called() {
    let calls = Arc::default();
    let client = client(&calls);
    for (who, status, body) in [
        ("stranger", 302, ""),
        ("banned", 403, "go away"),
        (
            "broken",
            503,
            r#"{"title":"Service Unavailable","status":503,"detail":"ask later"}"#,
        ),
        (
            "panic",
            500,
            r#"{"title":"Internal Server Error","status":500}"#,
        ),
    ] {
        let response = client.get("/guarded").header("x-who", who).await;
        assert_eq!(
            (response.status().as_u16(), response.text()),
            (status, body),
            "{who}"
        );
        assert_eq!(response.header("x-audit"), Some("nobody"), "{who}");
    }
    let response = client.get("/guarded").await;
    assert_eq!((response.status().as_u16(), response.text()), (401, ""));
    let response = client.get("/guarded").header("x-who", "stranger").await;
    assert_eq!(response.header("location"), Some("/login"));
    let response = client.get("/guarded").header("x-who", "banned").await;
    assert_eq!(response.header("x-why"), Some("banned"));
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_refusal_without_a_status_is_a_401() {
    struct Text;
    impl Security for Text {
        async fn check(&self, _request: &mut Request) -> Result<Access> {
            Ok(Access::Denied(text("no").header("x-why", "closed")))
        }
    }
    let group = Group::new()
        .security("text")
        .route(("/", |_: Request| async { "not reached" }));
    let app = App::builder().security("text", Text).group(group);
    let client = TestClient::new(app.build().unwrap());
    for method in ["GET", "POST"] {
        let response = client.request(method, "/").await;
        assert_eq!((response.status().as_u16(), response.text()), (401, "no"));
        assert_eq!(response.header("x-why"), Some("closed"));
    }
}

#[tokio::test]
async fn a_group_without_security_is_open_and_has_no_auth_data() {
    let client = client(&Arc::default());
    assert_eq!(
        client.get("/open").header("x-who", "ann").await.status(),
        418
    );
    // Neither what no route answers nor what the router answers itself is guarded.
    assert_eq!(client.post("/guarded").await.status(), 405);
    assert_eq!(client.request("OPTIONS", "/guarded").await.status(), 204);
}

#[test]
fn a_security_function_that_nobody_registered_is_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("router.toml");
    let group =
        |security: &str| format!("[[group]]\nsecurity = {security}\nroutes = [[\"/\", \"x\"]]\n");
    let told = |security: &str| {
        std::fs::write(&file, group(security)).unwrap();
        let app = App::builder()
            .security("auth::session", ByHeader)
            .action("x", |_| async { "x" })
            .router_file(&file);
        app.build().map(|_| ()).map_err(|errors| errors.to_string())
    };
    assert_eq!(told("false"), Ok(()));
    assert_eq!(told("\"auth::session\""), Ok(()));
    for (security, expected) in [
        (
            "\"auth::sesion\"",
            "no security function is registered as `auth::sesion`",
        ),
        (
            "\"auth::sesion\"",
            "help: a similar name is registered: `auth::session`",
        ),
        (
            "\"bearer\"",
            "help: register it with `.security(\"bearer\", …)`",
        ),
        (
            "true",
            "`security` is `false` or the name of a security function, such as \
                  `\"auth::session\"`, not `true`",
        ),
        ("[1]", "not an array"),
    ] {
        let told = told(security).unwrap_err();
        assert!(
            told.contains("router.toml:2:12") && told.contains(expected),
            "{told}"
        );
    }
    let group = Group::new()
        .security("nobody")
        .route(("/", |_: Request| async { "x" }));
    let told = App::builder().group(group).build().unwrap_err().to_string();
    assert!(told.contains("security.rs:"), "{told}");
}
