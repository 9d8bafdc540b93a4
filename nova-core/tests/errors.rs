//! What becomes of an error: for programs, for browsers, for developers.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::testing::{TestClient, TestResponse};
use nova_core::{
    Access, App, Environment, Error, FieldError, Flow, Group, Head, Plugin, Reply, Request,
    Response, Result, ResultExt, Security, methods, redirect, status, text, view,
};
use serde_json::{Value, json};

/// What Firefox sends.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

const FORMS: [&str; 3] = [BROWSER, "application/json", "text/plain"];

/// Fails in all the ways that end in a 500 with a cause that is nobody's business.
async fn fail(request: Request) -> Result<Reply> {
    match &*request.binding::<String>("how")? {
        "io" => Err(std::io::Error::other("internal: the disk"))?,
        "panic" => panic!("internal: the panic"),
        "binding" => request.binding::<String>("internal").map(text),
        "view" => Ok(view(&()).named("internal")),
        "reply" => Ok(status(200).header("x-internal", "a\nb")),
        "status" => Err(Error::new(200, "internal")),
        "plugin" => Ok(text("fine").header("x-plugin", "fail")),
        how => panic!("no test fails by `{how}`"),
    }
}

const WAYS: [&str; 7] = [
    "io", "panic", "binding", "view", "reply", "status", "plugin",
];

/// Panics behind the controller, if it says so.
struct Late;

impl Plugin for Late {
    async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
        assert_eq!(request.header("x-early"), None, "internal: the plugin");
        Ok(Flow::Continue)
    }

    async fn post_request(&self, _: &Head, response: &mut Response) -> Result<Flow> {
        let told = response.headers().contains_key("x-plugin");
        assert!(!told, "internal: the plugin");
        Ok(Flow::Continue)
    }
}

struct Closed;

impl Security for Closed {
    async fn check(&self, request: &mut Request) -> Result<Access> {
        match request.header("x-who") {
            Some("stranger") => Ok(Access::Denied(redirect("/login"))),
            _ => Err(Error::new(401, "who are you?")
                .with_header("www-authenticate", "Bearer realm=\"notes\"")),
        }
    }
}

async fn throw(request: Request) -> Result<Reply> {
    let code = request.binding("code")?;
    Err(std::io::Error::other("internal: thrown")).status(code)
}

// ANCHOR: order
async fn order(_: Request) -> Result<Reply> {
    Err(Error::new(422, "the order is not complete").with_fields([
        FieldError::new("title", "there is none"),
        FieldError::new("items[0].count", "<b>zero</b> is not for sale"),
    ]))
}
// ANCHOR_END: order

// ANCHOR: ways
/// Reads the price in a file that holds nothing else.
fn price(path: &str) -> Result<u32> {
    let file = std::fs::read_to_string(path)?; // 500; the client does not learn why
    let price: u32 = file.trim().parse().status(502)?; // 502, by `ResultExt`
    match price {
        0 => Err(Error::new(404, "it is not for sale")), // 404; the client may read the text
        price => Ok(price),
    }
}
// ANCHOR_END: ways

fn client(environment: Environment) -> TestClient {
    let app = App::builder()
        .environment(environment)
        .plugin("late", Late)
        .global_plugins(["late"])
        .security("closed", Closed)
        .route(("/fail/{how}", fail))
        .route(("/throw/{code}", throw))
        .route(("/order", order))
        .route(("/notes", |_: Request| async { "notes" }, methods(["get"])))
        .group(
            Group::new()
                .security("closed")
                .route(("/closed", |_: Request| async { "never" })),
        );
    TestClient::new(app.build().unwrap())
}

async fn get(client: &TestClient, path: &str, accept: &str) -> TestResponse {
    client.get(path).header("accept", accept).await
}

fn content_type(response: &TestResponse) -> &str {
    response.header("content-type").unwrap()
}

// nova-observed, bug 4.
#[tokio::test]
async fn outside_dev_nothing_internal_reaches_any_client() {
    let client = client(Environment::Prod);
    for how in WAYS {
        for accept in FORMS {
            let response = get(&client, &format!("/fail/{how}"), accept).await;
            assert_eq!(response.status(), 500, "{how}");
            let text = response.text();
            assert!(!text.contains("internal"), "{how}: {text}");
            for header in response.headers().values() {
                assert!(!header.to_str().unwrap().contains("internal"), "{how}");
            }
        }
    }
    let early = client.get("/notes").header("x-early", "yes").await;
    assert_eq!(early.status(), 500);
    assert_eq!(
        early.json::<Value>(),
        json!({ "title": "Internal Server Error", "status": 500 })
    );
}

#[tokio::test]
async fn in_dev_every_client_learns_the_cause() {
    let client = client(Environment::Dev);
    for how in WAYS {
        for accept in FORMS {
            let response = get(&client, &format!("/fail/{how}"), accept).await;
            assert_eq!(response.status(), 500, "{how}");
            assert!(response.text().contains("internal"), "{how}");
        }
    }
    let response = get(&client, "/fail/panic", "application/json").await;
    assert_eq!(
        response.json::<Value>()["dev"]["causes"],
        json!(["the controller panicked: internal: the panic"])
    );
    let page = get(&client, "/fail/panic", BROWSER).await;
    assert!(
        page.text()
            .contains("the controller panicked: internal: the panic")
    );
    assert!(page.text().contains("&#x2f;fail&#x2f;panic"));
}

#[tokio::test]
async fn in_dev_the_route_is_shown_or_the_nearest_ones_and_why_they_do_not_match() {
    let client = client(Environment::Dev);
    let matched = get(&client, "/fail/io", "application/json").await;
    let route = &matched.json::<Value>()["dev"]["route"];
    assert_eq!(route["path"], "/fail/{how}");
    assert_eq!(route["plugins"], json!(["late"]));
    assert!(route["origin"].as_str().unwrap().contains("errors.rs:"));

    let lost = get(&client, "/note", "application/json").await;
    let near = &lost.json::<Value>()["dev"]["near"][0];
    assert_eq!(near["route"]["path"], "/notes");
    let reason = near["reason"].as_str().unwrap();
    assert!(reason.contains("note"), "{reason}");

    let page = get(&client, "/note", BROWSER).await;
    assert!(page.text().contains("The nearest routes"));
    let wrong_method = client.delete("/notes").header("accept", BROWSER).await;
    assert!(wrong_method.text().contains("The nearest routes"));
}

// nova-observed, bug 6: there, texts are arrays of numbers.
#[tokio::test]
async fn the_texts_of_a_json_404_are_texts() {
    let response = get(&client(Environment::Prod), "/nope", "application/json").await;

    assert_eq!(response.status(), 404);
    assert_eq!(content_type(&response), "application/problem+json");
    assert_eq!(
        response.json::<Value>(),
        json!({ "title": "Not Found", "status": 404 })
    );
}

// nova-observed, bug 7: there, all is "undefined", and the page has no title.
#[tokio::test]
async fn a_500_says_what_it_is_in_json_and_on_the_page() {
    for environment in [Environment::Prod, Environment::Dev] {
        let client = client(environment);
        let json = get(&client, "/fail/panic", "application/json").await;
        assert_eq!(json.json::<Value>()["title"], "Internal Server Error");
        assert_eq!(json.json::<Value>()["status"], 500);

        let page = get(&client, "/fail/panic", BROWSER).await;
        let title = page.text().split("<title>").nth(1).unwrap();
        assert!(
            title
                .split("</title>")
                .next()
                .unwrap()
                .contains("Internal Server Error")
        );
        for response in [json, page] {
            assert!(!response.text().contains("undefined"));
        }
    }
}

// nova-observed, 19 of what is worth matching: there, whole headers are compared.
#[tokio::test]
async fn what_an_error_is_sent_as_goes_by_the_whole_accept_header() {
    let client = client(Environment::Prod);
    for path in ["/fail/io", "/nope", "/throw/403"] {
        for (accept, media_type) in [
            ("*/*", "application/problem+json"),
            ("application/json", "application/problem+json"),
            ("application/problem+json", "application/problem+json"),
            (
                "Application/Vnd.Api+Json ; q=0.3",
                "application/problem+json",
            ),
            ("image/png", "application/problem+json"),
            (BROWSER, "text/html; charset=utf-8"),
            ("text/html", "text/html; charset=utf-8"),
            (
                "application/json;q=0.5 , text/html",
                "text/html; charset=utf-8",
            ),
            (
                "text/html;q=0.5,application/json",
                "application/problem+json",
            ),
            (
                "application/json;q=0, */*;q=0.1",
                "text/html; charset=utf-8",
            ),
            ("text/plain", "text/plain; charset=utf-8"),
        ] {
            let response = get(&client, path, accept).await;
            assert_eq!(content_type(&response), media_type, "{path}: {accept}");
            assert_eq!(response.header("vary"), Some("accept"));
            assert!(!response.body().is_empty());
        }
        let response = client.get(path).await;
        assert_eq!(content_type(&response), "application/problem+json");
        assert_eq!(response.header("vary"), Some("accept"));
    }
    assert_eq!(client.get("/notes").await.header("vary"), None);
}

// nova-observed, bug 25: there, only 404 and 500 have bodies.
#[tokio::test]
async fn every_status_of_an_error_has_a_body() {
    let client = client(Environment::Prod);
    for (code, title) in [
        (400, "Bad Request"),
        (403, "Forbidden"),
        (409, "Conflict"),
        (418, "I&#x27;m a teapot"),
        (499, "Client Error"),
        (503, "Service Unavailable"),
        (599, "Server Error"),
    ] {
        let path = format!("/throw/{code}");
        let problem = get(&client, &path, "application/json").await;
        assert_eq!(problem.status(), code);
        assert_eq!(problem.json::<Value>()["status"], code);

        let page = get(&client, &path, BROWSER).await;
        assert_eq!(page.status(), code);
        assert!(page.text().contains(&format!("<h1>{title}</h1>")), "{code}");
    }
}

// nova-observed, bug 25: there, a redirect by a security function is a 500.
#[tokio::test]
async fn a_security_function_redirects_and_its_errors_are_negotiated() {
    let client = client(Environment::Prod);
    let redirected = client.get("/closed").header("x-who", "stranger").await;
    assert_eq!(redirected.status(), 302);
    assert_eq!(redirected.header("location"), Some("/login"));

    let page = get(&client, "/closed", BROWSER).await;
    assert_eq!(page.status(), 401);
    assert!(page.text().contains("who are you?"));
    assert_eq!(
        page.header("www-authenticate"),
        Some("Bearer realm=\"notes\"")
    );
}

#[tokio::test]
async fn a_wrong_method_and_bad_encoding_are_negotiated_too() {
    let client = client(Environment::Prod);
    let page = client.delete("/notes").header("accept", BROWSER).await;
    assert_eq!(page.status(), 405);
    assert_eq!(page.header("allow"), Some("GET, HEAD, OPTIONS"));
    assert!(
        page.text()
            .contains("the methods here are GET, HEAD, OPTIONS")
    );

    let page = get(&client, "/throw/%zz", BROWSER).await;
    assert_eq!(page.status(), 400);
    assert!(page.text().contains("the path is badly encoded"));
}

#[test]
fn a_status_is_named_at_its_place_and_is_500_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("price");
    let path = file.to_str().unwrap();
    assert_eq!(price(path).unwrap_err().status(), 500);

    for (text, expected) in [("7\n", Ok(7)), ("x", Err(502)), ("0", Err(404))] {
        std::fs::write(&file, text).unwrap();
        let read = price(path).map_err(|error| error.status().as_u16());
        assert_eq!(read, expected, "{text}");
    }
}

#[tokio::test]
async fn a_wrong_field_is_named_to_programs_and_people() {
    let client = client(Environment::Prod);
    let problem = get(&client, "/order", "application/json").await;
    assert_eq!(
        problem.json::<Value>(),
        json!({
            "title": "Unprocessable Entity",
            "status": 422,
            "detail": "the order is not complete",
            "errors": [
                { "detail": "there is none", "pointer": "#/title", "path": "title" },
                {
                    "detail": "<b>zero</b> is not for sale",
                    "pointer": "#/items/0/count",
                    "path": "items[0].count",
                },
            ],
        })
    );
    let page = get(&client, "/order", BROWSER).await;
    assert!(
        page.text()
            .contains("<code>items[0].count</code>: &lt;b&gt;zero&lt;")
    );
    assert!(!page.text().contains("<b>"));
}

#[tokio::test]
async fn a_head_of_an_error_has_its_headers_and_no_body() {
    let client = client(Environment::Prod);
    let request = client.request("HEAD", "/nope");
    let response = request.header("accept", BROWSER).await;

    assert_eq!(response.status(), 404);
    assert_eq!(content_type(&response), "text/html; charset=utf-8");
    assert!(response.body().is_empty());
}

#[tokio::test]
async fn what_a_client_sends_is_escaped_on_the_page_of_a_developer() {
    let client = client(Environment::Dev);
    let request = client.get("/nope'x?a='y").header("x-a", "<script>");
    let page = request.header("accept", BROWSER).await;

    assert_eq!(page.status(), 404);
    for (raw, escaped) in [
        ("<script>", "&lt;script&gt;"),
        ("nope'x", "nope&#x27;x"),
        ("a='y", "a=&#x27;y"),
    ] {
        assert!(!page.text().contains(raw), "{raw}");
        assert!(page.text().contains(escaped), "{escaped}");
    }
}

#[tokio::test]
async fn the_environment_of_the_code_wins_and_comes_before_the_settings() {
    #[derive(Clone, Default, serde::Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Settings {}

    let app = App::builder()
        .environment(Environment::Prod)
        .build()
        .unwrap();
    assert_eq!(app.config().environment, Environment::Prod);

    let mut late = App::builder();
    let _: Settings = late.settings();
    let errors = late.environment(Environment::Dev).build().unwrap_err();
    let told = errors.to_string();
    assert!(
        told.contains("call `.settings()` after `.environment(…)`"),
        "{told}"
    );
}
