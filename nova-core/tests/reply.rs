//! What becomes of the things that controllers return.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::testing::TestClient;
use nova_core::{
    App, Environment, Error, IntoReply, Reply, Request, Result, ResultExt, json, redirect, status,
    text,
};
use serde_json::json;

/// The answers of an app whose only action this is, at `/`.
fn client<R: IntoReply + 'static>(answer: fn() -> R) -> TestClient {
    let app = App::builder()
        .environment(Environment::Prod)
        .action("answer", move |_: Request| {
            let reply = answer().into_reply();
            async move { reply }
        })
        .route(("/", "answer"));
    TestClient::new(app.build().unwrap())
}

#[tokio::test]
async fn json_is_201_to_a_post_and_200_to_the_rest() {
    let client = client(|| json(&json!({ "a": 1 })));

    for (method, expected) in [("POST", 201), ("GET", 200), ("PUT", 200), ("DELETE", 200)] {
        let response = client.request(method, "/").await;
        assert_eq!(response.status(), expected, "{method}");
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.text(), r#"{"a":1}"#);
    }
}

#[tokio::test]
async fn a_status_and_headers_of_ones_own_win_over_the_usual() {
    let client = client(|| {
        status(202)
            .json(&1)
            .header("Content-Type", "application/vnd.api+json")
            .header("x-a", "b")
    });
    let response = client.post("/").await;

    assert_eq!(response.status(), 202);
    let types: Vec<_> = response.headers().get_all("content-type").iter().collect();
    assert_eq!(types, ["application/vnd.api+json"]);
    assert_eq!(response.header("x-a"), Some("b"));
}

#[tokio::test]
async fn a_status_alone_has_no_body_and_no_type() {
    let response = client(|| status(200)).get("/").await;
    assert_eq!(response.header("content-length"), Some("0"));
    assert_eq!(response.header("content-type"), None);

    let response = client(|| status(204)).get("/").await;
    assert_eq!(response.status(), 204);
    assert_eq!(response.header("content-length"), None);

    let response = client(|| status(204).json(&1)).get("/").await;
    assert_eq!(response.header("content-type"), None);
}

#[tokio::test]
async fn a_redirect_is_302_with_the_location_as_given() {
    let response = client(|| redirect("/notes?a=b")).post("/").await;
    assert_eq!(response.status(), 302);
    assert_eq!(response.header("location"), Some("/notes?a=b"));

    let response = client(|| redirect("/x").with_status(303)).get("/").await;
    assert_eq!(response.status(), 303);
}

#[tokio::test]
async fn text_and_nothing_are_replies_too() {
    let response = client(|| "hé").get("/").await;
    assert_eq!(response.text(), "hé");
    assert_eq!(
        response.header("content-type"),
        Some("text/plain; charset=utf-8")
    );

    assert_eq!(client(|| ()).post("/").await.status(), 200);
    assert_eq!(
        client(|| text("a").with_status(203))
            .get("/")
            .await
            .status(),
        203
    );
}

#[tokio::test]
async fn a_reply_that_cannot_be_made_is_a_500() {
    fn bad_json() -> Reply {
        let map: std::collections::HashMap<Vec<u8>, u8> = [(vec![1], 2)].into();
        json(&map)
    }
    for answer in [
        bad_json as fn() -> Reply,
        || status(99),
        || status(101),
        || status(1000),
        || status(200).header("x-a", "a\r\nx-b: c"),
        || status(200).header("no name", "a"),
        || redirect("/\nx"),
        || text("hello").header("Content-Length", "9"),
        || text("hello").header("transfer-encoding", "chunked"),
        || text("hello").header("connection", "upgrade"),
    ] {
        let response = client(answer).get("/").await;
        assert_eq!(response.status(), 500);
        assert_eq!(
            response.text(),
            r#"{"title":"Internal Server Error","status":500}"#
        );
    }
    assert_eq!(client(|| status(599)).get("/").await.status(), 599);
    assert_eq!(client(|| status(999)).get("/").await.status(), 999);
}

#[tokio::test]
async fn an_error_has_its_status_and_only_its_own_message() {
    fn parse() -> Result<Reply> {
        let number: u8 = "x".parse().status(409)?;
        Ok(json(&number))
    }
    fn refuse() -> Result<Reply> {
        Err(Error::new(403, "not today"))
    }
    fn fail() -> Result<Reply, std::io::Error> {
        Err(std::io::Error::other("a secret"))
    }
    let response = client(parse).get("/").await;
    assert_eq!(response.status(), 409);
    assert_eq!(response.text(), r#"{"title":"Conflict","status":409}"#);

    let response = client(refuse).get("/").await;
    assert_eq!(response.status(), 403);
    assert_eq!(
        response.text(),
        r#"{"title":"Forbidden","status":403,"detail":"not today"}"#
    );

    let response = client(fail).get("/").await;
    assert_eq!(response.status(), 500);
    assert!(!response.text().contains("secret"));
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_app_lives_on() {
    async fn soon(request: Request) -> Reply {
        assert_eq!(request.path(), "/", "a panic before the first await");
        text("fine")
    }
    async fn later(request: Request) -> Reply {
        tokio::task::yield_now().await;
        soon(request).await
    }
    let app = App::builder()
        .action("soon", soon)
        .action("later", later)
        .action("at once", |request: Request| {
            assert_ne!(request.path(), "/once", "a panic before there is a future");
            async { text("fine") }
        })
        .route(("/", "soon"))
        .route(("/soon", "soon"))
        .route(("/later", "later"))
        .route(("/once", "at once"));
    let client = TestClient::new(app.build().unwrap());

    for path in ["/soon", "/later", "/once"] {
        assert_eq!(client.get(path).await.status(), 500, "{path}");
    }
    assert_eq!(client.get("/").await.text(), "fine");
}
