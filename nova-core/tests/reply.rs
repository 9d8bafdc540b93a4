//! What becomes of the things that controllers return.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::testing::TestClient;
use nova_core::{
    App, Environment, Error, IntoReply, Reply, Request, Result, ResultExt, bytes, html, json,
    redirect, status, text,
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
            .header("content-type", "application/vnd.api+json")
            .header("x-a", "b")
    });
    let response = client.post("/").await;

    assert_eq!(response.status(), 202);
    assert_eq!(
        response.header("content-type"),
        Some("application/vnd.api+json")
    );
    assert_eq!(response.header("x-a"), Some("b"));
}

#[tokio::test]
async fn a_content_type_in_any_spelling_takes_the_place_of_the_usual_one() {
    for answer in [
        (|| json(&1).header("Content-Type", "a/b")) as fn() -> Reply,
        || status(200).header("CONTENT-TYPE", "a/b").text("text"),
        || {
            html("x")
                .header("content-type", "c/d")
                .header("Content-Type", "a/b")
        },
        || bytes("x").content_type("a/b"),
    ] {
        let response = client(answer).get("/").await;
        let types: Vec<_> = response.headers().get_all("content-type").iter().collect();
        assert_eq!(types, ["a/b"]);
    }
}

#[tokio::test]
async fn a_page_has_the_status_and_the_type_that_its_reply_has() {
    let views = tempfile::tempdir().unwrap();
    std::fs::write(views.path().join("feed.html"), "<feed>{{ title }}</feed>").unwrap();
    let page = |_: Request| async {
        let page = status(203).view(&json!({ "title": "'" })).named("feed");
        page.header("content-type", "application/atom+xml")
    };
    let app = App::builder().views(views.path()).route(("/", page));
    let response = TestClient::new(app.build().unwrap()).post("/").await;

    assert_eq!(response.status(), 203);
    assert_eq!(
        response.header("content-type"),
        Some("application/atom+xml")
    );
    assert_eq!(response.text(), "<feed>&#x27;</feed>");
}

#[tokio::test]
async fn status_headers_and_body_come_in_any_order() {
    for answer in [
        (|| status(202).header("x-a", "b").json(&1)) as fn() -> Reply,
        || status(202).json(&1).header("x-a", "b"),
        || json(&1).with_status(202).header("x-a", "b"),
        || json(&1).header("x-a", "b").with_status(202),
    ] {
        let response = client(answer).post("/").await;
        assert_eq!(response.status(), 202);
        assert_eq!(response.header("x-a"), Some("b"));
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.text(), "1");
    }
}

#[tokio::test]
async fn an_appended_header_stands_beside_those_of_its_name() {
    let client = client(|| {
        status(200)
            .header("vary", "accept")
            .append_header("Vary", "cookie")
    });
    let response = client.get("/").await;

    let vary: Vec<_> = response.headers().get_all("vary").iter().collect();
    assert_eq!(vary, ["accept", "cookie"]);
}

#[tokio::test]
async fn a_status_alone_has_no_body_and_no_type() {
    let response = client(|| status(200)).get("/").await;
    assert_eq!(response.header("content-length"), Some("0"));
    assert_eq!(response.header("content-type"), None);

    for code in [204, 304] {
        let answer = if code == 204 {
            || status(204)
        } else {
            || status(304)
        };
        let response = client(answer).get("/").await;
        assert_eq!(response.status(), code);
        assert_eq!(response.header("content-length"), None, "{code}");
        assert_eq!(response.header("content-type"), None, "{code}");
    }
}

#[tokio::test]
async fn a_204_with_json_has_no_body() {
    for answer in [
        (|| status(204).json(&1)) as fn() -> Reply,
        || json(&1).with_status(205),
        || text("hello").with_status(304),
    ] {
        let response = client(answer).post("/").await;
        assert!(response.status().as_u16() < 400, "{}", response.status());
        assert_eq!(response.header("content-type"), None);
        assert_eq!(response.text(), "");
    }
}

#[tokio::test]
async fn a_status_without_a_known_reason_is_sent_as_any_other() {
    fn of(code: u16) -> TestClient {
        let answer = move |_: Request| async move { status(code).text("hello") };
        TestClient::new(App::builder().route(("/", answer)).build().unwrap())
    }
    for code in (200..=599)
        .filter(|code| ![204, 205, 304].contains(code))
        .chain([999])
    {
        let response = of(code).get("/").await;
        assert_eq!(response.status(), code);
        assert_eq!(response.text(), "hello", "{code}");
    }
}

#[tokio::test]
async fn a_redirect_is_302_with_the_location_as_given() {
    for method in ["GET", "POST"] {
        let client = client(|| redirect("/notes?a=b#c"));
        let response = client.request(method, "/").await;
        assert_eq!(response.status(), 302, "{method}");
        assert_eq!(response.header("location"), Some("/notes?a=b#c"));
        assert_eq!(response.header("content-type"), None);
        assert_eq!(response.text(), "");
    }
}

#[tokio::test]
async fn a_redirect_has_a_status_that_redirects() {
    for code in 200..=599 {
        let answer = move |_: Request| async move { redirect("/x").with_status(code) };
        let app = App::builder().route(("/", answer)).build().unwrap();
        let response = TestClient::new(app).get("/").await;
        let is_one = [301, 302, 303, 307, 308].contains(&code);
        assert_eq!(response.status(), if is_one { code } else { 500 });
    }
}

#[tokio::test]
async fn html_and_bytes_are_sent_as_they_are() {
    let response = client(|| html("<p>hé & so on</p>")).post("/").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.text(), "<p>hé & so on</p>");
    assert_eq!(
        response.header("content-type"),
        Some("text/html; charset=utf-8")
    );

    let answer = || status(203).bytes(vec![0, 159, 1]);
    let response = client(answer).get("/").await;
    assert_eq!(response.status(), 203);
    assert_eq!(response.body(), [0, 159, 1].as_slice());
    assert_eq!(
        response.header("content-type"),
        Some("application/octet-stream")
    );
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
