//! Bodies and query strings, with and without the `request` plugin.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::testing::TestClient;
use nova_core::{App, Group, Reply, Request, RequestOptions, RequestPlugin, Result, json};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    title: String,
    count: u32,
}

async fn params(mut request: Request) -> Result<Reply> {
    Ok(json(&request.params::<Order>().await?))
}

async fn as_json(mut request: Request) -> Result<Reply> {
    Ok(json(&request.json::<Order>().await?))
}

async fn query(request: Request) -> Result<Reply> {
    Ok(json(&request.query::<Order>()?))
}

async fn length(mut request: Request) -> Result<Reply> {
    let first = request.body().await?;
    let second = request.body().await?;
    assert_eq!(first, second);
    Ok(json(&first.len()))
}

/// The same actions at `/bare` without plugins and at `/plugin` with the `request` plugin.
fn client() -> TestClient {
    TestClient::new(app(""))
}

fn app(settings: &str) -> App {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nova.toml");
    std::fs::write(&file, settings).unwrap();
    let options = RequestOptions {
        decode_json_body: true,
        read_urlencoded_body: true,
        parse_qs: true,
    };
    let routes = [
        ("/params", "params"),
        ("/json", "json"),
        ("/query", "query"),
        ("/length", "length"),
    ];
    App::builder()
        .config_file(file)
        .action("params", params)
        .action("json", as_json)
        .action("query", query)
        .action("length", length)
        .group(Group::new().prefix("/bare").routes(routes))
        .group(
            Group::new()
                .prefix("/plugin")
                .plugin("request", RequestPlugin::new(options))
                .routes(routes),
        )
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_body_is_a_form_or_json_by_its_type() {
    let client = client();
    let order = json!({ "title": "milk", "count": 2 });
    for path in ["/bare/params", "/plugin/params"] {
        let by_json = client.post(path).json(&order).await;
        let by_form = client
            .post(path)
            .form(&[("title", "milk"), ("count", "2")])
            .await;

        assert_eq!(by_json.json::<serde_json::Value>(), order);
        assert_eq!(by_form.json::<serde_json::Value>(), order);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_body_has_its_status() {
    const JSON: &str = "Application/JSON; charset=utf-8";
    const FORM: &str = "application/x-www-form-urlencoded";
    let client = client();
    for (content_type, body, expected) in [
        (JSON, r#"{"title":"a","count":1}"#, 201),
        (JSON, r#"{"title":"a","count":"1"}"#, 422),
        (JSON, r#"{"title":"a"}"#, 422),
        (JSON, "[]", 422),
        (JSON, r#"["a",1]"#, 422),
        (JSON, "null", 422),
        (JSON, "{", 400),
        (JSON, "", 400),
        (JSON, r#"{"title":"a","count":1} {}"#, 400),
        (JSON, "\u{feff}{}", 400),
        (JSON, r#"{"title":"a","count":1,"count":2}"#, 201),
        (
            "application/vnd.api+json",
            r#"{"title":"a","count":1}"#,
            201,
        ),
        ("application/jsonfoo", r#"{"title":"a","count":1}"#, 415),
        (JSON, r#"{"title":"a","count":1e400}"#, 400),
        (FORM, "title=a&count=1", 201),
        (FORM, "title=a&count=x", 422),
        (FORM, "", 422),
        (FORM, "title=%zz&count=1", 400),
        (FORM, "title=%ff&count=1", 400),
        (FORM, "title=a&count=1&count=2", 201),
        ("text/plain", "title=a&count=1", 415),
    ] {
        for path in ["/bare/params", "/plugin/params"] {
            let request = client.post(path).header("content-type", content_type);
            let status = request.body(body).await.status();
            assert_eq!(status, expected, "{path} {content_type} {body}");
        }
    }
    for path in ["/bare/params", "/plugin/params"] {
        let request = client.post(path).header("content-type", JSON);
        let invalid = request.body(&b"{\"title\":\"\xff\",\"count\":1}"[..]).await;
        assert_eq!(invalid.status(), 400, "{path}: no UTF-8");
    }
    assert_eq!(client.post("/bare/params").body("x").await.status(), 415);
    assert_eq!(
        client
            .post("/bare/json")
            .body(r#"{"title":"a","count":1}"#)
            .await
            .status(),
        201
    );
}

#[tokio::test]
async fn a_wrong_field_is_named_to_the_client() {
    let order = json!({ "title": 1, "count": 2 });
    let response = client().post("/plugin/params").json(&order).await;
    let problem: serde_json::Value = response.json();

    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with("`title`: invalid type: "), "{detail}");
    assert_eq!(problem["errors"][0]["path"], "title");
}

#[tokio::test]
async fn the_plugin_refuses_malformed_bodies_before_any_controller_looks() {
    let client = client();
    let send = |method, path| {
        let request = client.request(method, path);
        request.header("content-type", "application/json").body("{")
    };

    assert_eq!(
        send("POST", "/plugin/query?title=a&count=1").await.status(),
        400
    );
    assert_eq!(
        send("POST", "/bare/query?title=a&count=1").await.status(),
        201
    );
    for method in ["GET", "DELETE"] {
        let status = send(method, "/plugin/query?title=a&count=1").await.status();
        assert_eq!(status, 200, "{method} has no parameters in its body");
    }
}

#[tokio::test]
async fn a_query_is_read_into_a_type() {
    let client = client();

    let response = client.get("/bare/query?title=a%20b+c&count=3").await;
    assert_eq!(response.text(), r#"{"title":"a b c","count":3}"#);
    assert_eq!(client.get("/bare/query?title=a").await.status(), 422);
    assert_eq!(client.get("/bare/query").await.status(), 422);
    assert_eq!(
        client.get("/bare/query?title=%zz&count=1").await.status(),
        400
    );
    assert_eq!(client.get("/plugin/length?%zz").await.status(), 400);
    assert_eq!(client.get("/bare/length?%zz").await.status(), 200);
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_declared_or_not() {
    let client = TestClient::new(app("[server]\nbody_limit = 100\n"));
    for (size, expected) in [(100, 201), (101, 413), (1000, 413), (100_000, 413)] {
        let response = client.post("/bare/length").body(vec![b'a'; size]).await;
        assert_eq!(response.status(), expected, "{size} bytes");
    }

    let mut raw = client.connect();
    let chunk = format!("32\r\n{}\r\n", "a".repeat(50)).repeat(3);
    let request = format!(
        "POST /bare/length HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{chunk}0\r\n\r\n"
    );
    raw.write_all(request.as_bytes()).await.unwrap();
    assert!(head_of(&mut raw).await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test]
async fn a_body_that_failed_once_fails_again_in_the_same_way() {
    async fn twice(mut request: Request) -> Result<Reply> {
        let first = request.body().await.unwrap_err();
        assert_eq!(first.status(), 413);
        request.body().await.map(|_| json(&()))
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nova.toml");
    std::fs::write(&file, "[server]\nbody_limit = 10\n").unwrap();
    let app = App::builder()
        .config_file(file)
        .action("twice", twice)
        .route(("/", "twice"));
    let client = TestClient::new(app.build().unwrap());

    assert_eq!(
        client.post("/").body("more than ten bytes").await.status(),
        413
    );
}

#[tokio::test]
async fn a_client_that_asks_first_need_not_send_what_is_too_long() {
    let client = TestClient::new(app("[server]\nbody_limit = 100\n"));
    let mut raw = client.connect();
    let request = "POST /bare/length HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\
                   expect: 100-continue\r\n\r\n";
    raw.write_all(request.as_bytes()).await.unwrap();

    assert!(head_of(&mut raw).await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_arriving_is_408() {
    let client = client();
    let mut raw = client.connect();
    let request = "POST /bare/length HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc";
    raw.write_all(request.as_bytes()).await.unwrap();

    assert!(head_of(&mut raw).await.starts_with("HTTP/1.1 408 "));
}

async fn head_of(raw: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match raw.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}
