//! Status pages: who answers where an answer with some status has no body.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use http::HeaderValue;
use nova_core::testing::{TestClient, TestResponse};
use nova_core::{
    Access, App, AppBuilder, Environment, Error, Flow, Group, Head, Plugin, Reply, Request,
    Response, Result, Security, json, methods, status, text,
};

struct Closed;

impl Security for Closed {
    async fn check(&self, _request: &mut Request) -> Result<Access> {
        let refusal = status(401).header("www-authenticate", "Bearer");
        Ok(Access::Denied(refusal))
    }
}

struct Stops;

impl Plugin for Stops {
    async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
        match request.path() {
            "/stopped" => Ok(Flow::Stop(status(429))),
            _ => Ok(Flow::Continue),
        }
    }

    async fn post_request(&self, _head: &Head, response: &mut Response) -> Result<Flow> {
        let length = http_body::Body::size_hint(response.body()).exact().unwrap();
        response
            .headers_mut()
            .insert("x-length", HeaderValue::from(length));
        Ok(Flow::Continue)
    }
}

/// Says which page it is, and what it is asked about.
async fn page(request: Request) -> Result<String> {
    let cause = request.cause().ok_or_else(|| Error::new(500, "no cause"))?;
    let detail = cause.detail().unwrap_or("nothing");
    Ok(format!("page of {}: {detail}", cause.status().as_u16()))
}

fn builder() -> AppBuilder {
    App::builder()
        .environment(Environment::Dev)
        .security("closed", Closed)
        .plugin("stops", Stops)
        .global_plugins(["stops"])
        .group(
            Group::new()
                .route((401, page))
                .route((403, page))
                .route((404, page))
                .route((405, page))
                .route((429, page))
                .route((500, page))
                .route(("/empty", |_: Request| async { status(404) }))
                .route(("/full", |_: Request| async { status(404).text("full") }))
                .route(("/fails", |_: Request| async {
                    Err::<Reply, _>(Error::new(403, "not you"))
                }))
                .route(("/panics", panics))
                .route(("/get", |_: Request| async { text("got") }, methods(["get"])))
                .route(("/stopped", |_: Request| async { text("not reached") })),
        )
        .group(
            Group::new()
                .security("closed")
                .route(("/closed", |_: Request| async { text("not reached") })),
        )
        .group(
            Group::new()
                .prefix("/api")
                .route((404, |_: Request| async {
                    json(&serde_json::json!({ "error": "no such thing" }))
                }))
                .route(("/{id}", |request: Request| async move {
                    request.binding::<i64>("id").map(|id| id.to_string())
                })),
        )
}

async fn panics(_request: Request) -> Reply {
    panic!("a slip")
}

fn client() -> TestClient {
    TestClient::new(builder().build().unwrap())
}

fn told(response: &TestResponse) -> (u16, &str) {
    (response.status().as_u16(), response.text())
}

#[tokio::test]
async fn an_answer_without_a_body_gets_the_page_of_its_status() {
    let client = client();
    for (path, expected) in [
        ("/nothing", (404, "page of 404: nothing")),
        ("/empty", (404, "page of 404: nothing")),
        ("/full", (404, "full")),
        ("/fails", (403, "page of 403: not you")),
        ("/panics", (500, "page of 500: nothing")),
        ("/stopped", (429, "page of 429: nothing")),
        ("/closed", (401, "page of 401: nothing")),
    ] {
        assert_eq!(told(&client.get(path).await), expected, "{path}");
    }
}

#[tokio::test]
async fn the_headers_of_the_answer_without_a_body_stay() {
    let client = client();
    let refused = client.get("/closed").await;
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    let wrong = client.post("/get").await;
    assert_eq!(told(&wrong).0, 405);
    assert_eq!(wrong.header("allow"), Some("GET, HEAD, OPTIONS"));
    assert!(
        wrong
            .text()
            .starts_with("page of 405: the methods here are")
    );
}

#[tokio::test]
async fn a_content_type_without_a_body_neither_hides_the_page_nor_counts_for_it() {
    for answer in [
        (|| status(404).content_type("text/html")) as fn() -> Reply,
        || status(404).text(""),
        || status(404).header("content-encoding", "gzip"),
    ] {
        let app = App::builder()
            .route((404, page))
            .route(("/", move |_: Request| async move { answer() }));
        let response = TestClient::new(app.build().unwrap()).get("/").await;

        assert_eq!(told(&response), (404, "page of 404: nothing"));
        let content_type = response.header("content-type");
        assert_eq!(content_type, Some("text/plain; charset=utf-8"));
        assert_eq!(response.header("content-encoding"), None);
    }
}

#[tokio::test]
async fn all_cookies_are_set_those_of_the_answer_and_those_of_the_page() {
    let app = App::builder()
        .route((401, |_: Request| async {
            text("who?").cookie(("asked", "yes")).header("vary", "c")
        }))
        .route(("/", |_: Request| async {
            let challenges = status(401)
                .append_header("www-authenticate", "Basic")
                .append_header("www-authenticate", "Bearer");
            challenges
                .header("vary", "a")
                .cookie(("a", "1"))
                .cookie(("b", "2"))
        }));
    let response = TestClient::new(app.build().unwrap()).get("/").await;

    let all = |name| -> Vec<&str> {
        let values = response.headers().get_all(name).iter();
        let text = values.map(|value| value.to_str().unwrap());
        text.map(|value| value.split(';').next().unwrap()).collect()
    };
    assert_eq!(told(&response), (401, "who?"));
    assert_eq!(all("set-cookie"), ["asked=yes", "a=1", "b=2"]);
    assert_eq!(all("www-authenticate"), ["Basic", "Bearer"]);
    assert_eq!(all("vary"), ["c"]);
}

#[tokio::test]
async fn a_page_belongs_to_the_prefix_of_its_group() {
    let client = client();
    for path in ["/api", "/api/x", "/api/x/y"] {
        let response = client.get(path).await;
        assert_eq!(
            told(&response),
            (404, r#"{"error":"no such thing"}"#),
            "{path}"
        );
    }
    assert_eq!(told(&client.get("/apis").await).1, "page of 404: nothing");
}

#[tokio::test]
async fn a_page_of_a_host_and_a_prefix_is_for_what_is_refused_there() {
    let says = |name: &'static str| move |_: Request| async move { text(name) };
    let group = |name| {
        Group::new()
            .route((401, says(name)))
            .route((404, says(name)))
    };
    let app = App::builder()
        .security("closed", Closed)
        .group(group("all"))
        .group(
            group("api")
                .prefix("/api")
                .security("closed")
                .route(("/closed", says("not reached"))),
        )
        .group(group("host").host("*.example.com"))
        .group(group("host api").host("a.example.com").prefix("/api"));
    let client = TestClient::new(app.build().unwrap());
    for (host, path, status, page) in [
        ("x", "/nothing", 404, "all"),
        ("x", "/api/nothing", 404, "api"),
        ("x", "/api/closed", 401, "api"),
        ("b.example.com", "/nothing", 404, "host"),
        // A host is more particular than any prefix.
        ("b.example.com", "/api/closed", 401, "host"),
        ("a.example.com:80", "//api/closed/", 401, "host api"),
        ("A.example.com.", "/api", 404, "host api"),
        ("a.example.com", "/apis", 404, "host"),
    ] {
        let response = client.get(path).header("host", host).await;
        assert_eq!(told(&response), (status, page), "{host}{path}");
    }
}

#[tokio::test]
async fn a_post_gets_the_status_and_not_201() {
    let response = client().post("/api/x/y").await;
    assert_eq!(response.status(), 404);
    assert_eq!(response.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn plugins_see_the_page() {
    let response = client().get("/nothing").await;
    let length = response.text().len().to_string();
    assert_eq!(response.header("x-length"), Some(&*length));
}

#[tokio::test]
async fn a_page_that_fails_gives_way_to_the_usual_answer() {
    for page in [
        |_: Request| -> Result<Reply> { panic!("in the page") },
        |_: Request| Err(Error::new(404, "in the page")),
    ] {
        let app = App::builder()
            .environment(Environment::Prod)
            .route((404, move |request: Request| async move { page(request) }));
        let client = TestClient::new(app.build().unwrap());
        let response = client.get("/nothing").await;
        let content_type = response.header("content-type");
        assert_eq!(content_type, Some("application/problem+json"));
    }
}

#[tokio::test]
async fn a_page_may_answer_with_another_status() {
    let app = App::builder().route((404, |_: Request| async { status(410).text("gone") }));
    let client = TestClient::new(app.build().unwrap());
    assert_eq!(told(&client.get("/nothing").await), (410, "gone"));
}

#[test]
fn two_pages_for_one_status_below_one_prefix_name_both_places() {
    let page = |_: Request| async { text("page") };
    let app = App::builder()
        .group(Group::new().prefix("/a/{b}").route((404, page)))
        .group(Group::new().prefix("/a/{c}").route((404, page)));
    let errors = app.build().unwrap_err().to_string();
    assert!(
        errors.contains("another route answers 404 below `/a/{c}` already"),
        "{errors}"
    );
    assert_eq!(
        errors.matches("tests/status_page.rs").count(),
        2,
        "{errors}"
    );
}
