//! The table as data, and why a route matched or did not.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::{
    Access, App, BoxFuture, Group, Head, Opening, Outcome, ProtocolHandler, Request, Result,
    Router, Security, methods, protocol, status, text,
};

struct Socket;

impl ProtocolHandler for Socket {
    fn claims(&self, _head: &Head) -> bool {
        true
    }

    fn open(&self, _request: Request) -> BoxFuture<'_, Result<Opening>> {
        Box::pin(async { Ok(Opening::Refused(status(403))) })
    }
}

struct Guard;

impl Security for Guard {
    async fn check(&self, _request: &mut Request) -> Result<Access> {
        Ok(Access::Granted)
    }
}

fn router() -> Router {
    let app = App::builder()
        .action("notes::index", |_| async { text("index") })
        .action("notes::show", |_| async { text("show") })
        .security("auth::guard", Guard)
        .protocol_handler("ws", "updates", Socket)
        .global_plugins(["correlation"])
        .group(
            Group::new()
                .prefix("/api")
                .security("auth::guard")
                .route(("/notes", "notes::index", methods(["get", "post"])))
                .route(("/notes/{id}", "notes::show", methods(["get"]).name("note")))
                .route(("/notes/new", "notes::index", methods(["get"])))
                .route((404, "notes::index")),
        )
        .group(
            Group::new()
                .host("ws.example.com")
                .route(("/updates", "updates", protocol("ws"))),
        )
        .group(
            Group::new()
                .plugins(["request"])
                .route(("/files/{*rest}", "notes::show")),
        );
    app.build().unwrap().router().clone()
}

#[test]
fn the_table_is_data() {
    let routes = serde_json::to_value(router().routes()).unwrap();
    let show = routes
        .as_array()
        .unwrap()
        .iter()
        .find(|route| route["name"] == "note");
    let mut show = show.unwrap().clone();
    let origin = show.as_object_mut().unwrap().remove("origin").unwrap();
    assert!(origin.as_str().unwrap().contains("tests/explain.rs:"));
    let expected = serde_json::json!({
        "methods": ["GET"], "path": "/api/notes/{id}",
        "protocol": "http", "handler": "notes::show", "name": "note",
        "security": "auth::guard", "plugins": ["correlation"],
    });
    assert_eq!(show, expected);
    let page = routes.as_array().unwrap().last().unwrap();
    assert_eq!(page["status"], 404);
    assert_eq!(page.get("security"), None, "a page is for who was refused");
    assert_eq!(page["plugins"], serde_json::json!([]));
    let requests: Vec<String> = router().routes().iter().map(|one| one.requests()).collect();
    let expected = [
        "GET, POST /api/notes",
        "GET /api/notes/{id}",
        "GET /api/notes/new",
        "ws ws.example.com/updates",
        "any /files/{*rest}",
        "404 /api",
    ];
    assert_eq!(requests, expected);
}

#[test]
fn an_explanation_names_the_route_that_answers_and_what_it_binds() {
    let explanation = router().explain("get", "/api/notes/a%20b?x=1");
    let Outcome::Answered {
        requests,
        handler,
        bindings,
        ..
    } = &explanation.outcome
    else {
        panic!("{explanation}");
    };
    assert_eq!(
        (&**requests, &**handler),
        ("GET /api/notes/{id}", "notes::show")
    );
    assert_eq!(bindings, &[("id".to_owned(), "a b".to_owned())]);
}

#[test]
fn an_explanation_says_why_each_near_route_does_not_answer() {
    for (method, target, handler, reason) in [
        (
            "GET",
            "/api/nots",
            "/api/notes",
            "segment 2 is `notes`, and here `nots`",
        ),
        (
            "GET",
            "/API/notes",
            "/api/notes",
            "upper and lower case differ",
        ),
        (
            "GET",
            "/api/notes/7/edit",
            "/api/notes/{id}",
            "it ends before `/edit`",
        ),
        (
            "DELETE",
            "/api/notes",
            "/api/notes",
            "it answers GET, POST, and not DELETE",
        ),
        (
            "GET",
            "/api/notes/new",
            "/api/notes/{id}",
            "`/api/notes/new` is more particular",
        ),
        (
            "GET",
            "/api/notes//",
            "/api/notes",
            "two slashes at the end",
        ),
        (
            "GET",
            "/updates",
            "/updates",
            "for the host `ws.example.com`, and the request names none",
        ),
        (
            "GET",
            "ws://www.example.com./updates",
            "/updates",
            "for the host `ws.example.com`, and not `www.example.com`",
        ),
        (
            "POST",
            "http://ws.example.com/updates",
            "/updates",
            "answers upgrades to `ws` only",
        ),
        ("GET", "/api", "/api/notes", "it goes on with `/notes`"),
    ] {
        let explanation = router().explain(method, target);
        let near = explanation
            .others
            .iter()
            .find(|near| near.route.path == handler);
        let near = near.unwrap_or_else(|| panic!("{handler} is not near: {explanation}"));
        assert!(
            near.reason.contains(reason),
            "{method} {target}: {}",
            near.reason
        );
        assert!(explanation.to_string().contains(reason), "{explanation}");
    }
}

#[test]
fn an_explanation_tells_every_other_outcome() {
    for (method, target, outcome) in [
        ("GET", "ws://ws.example.com/updates", "`updates` answers"),
        (
            "GET",
            "ws://WS.example.com.:80/updates",
            "`updates` answers",
        ),
        (
            "GET",
            "api/notes/7",
            "GET /api/notes/7: `notes::show` answers",
        ),
        (
            "DELETE",
            "/api/notes",
            "405, as the methods here are GET, HEAD, POST, OPTIONS",
        ),
        ("OPTIONS", "/api/notes", "204, as no route answers OPTIONS"),
        ("GET", "/files/%zz", "400, as a `%` in it encodes nothing"),
        ("GET", "/zzz", "404, as no route has the path"),
    ] {
        let explanation = router().explain(method, target).to_string();
        assert!(explanation.contains(outcome), "{explanation}");
    }
    assert!(router().explain("GET", "/zzz").others.is_empty());
}
