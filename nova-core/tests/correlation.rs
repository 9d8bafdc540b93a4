//! The id that ties together what a request causes.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::testing::TestClient;
use nova_core::{
    App, CorrelationOptions, CorrelationPlugin, Error, Flow, Group, Plugin, Request, Result, status,
};

/// Sends the id back.
async fn echo(request: Request) -> Result<String> {
    match request.path() {
        "/error" => Err(Error::new(500, "broken")),
        _ => Ok(request.correlation_id().unwrap_or("none").to_owned()),
    }
}

struct Stops;

impl Plugin for Stops {
    async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
        match request.path() {
            "/stop" => Ok(Flow::Stop(status(403))),
            _ => Ok(Flow::Continue),
        }
    }
}

fn client(options: CorrelationOptions) -> TestClient {
    let group = Group::new()
        .plugin("correlation", CorrelationPlugin::new(options))
        .plugin("stops", Stops)
        .routes(["/", "/error", "/stop"].map(|path| (path, echo)));
    let app = App::builder()
        .global_plugins(["correlation"])
        .group(group)
        .route(("/bare", echo));
    TestClient::new(app.build().unwrap())
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let client = client(CorrelationOptions::default());
    let response = client.get("/").header("x-correlation-id", "mine").await;
    let id = response.header("x-correlation-id").unwrap();
    assert_eq!(response.text(), id);
    assert_eq!(id.len(), 36);
    assert_ne!(client.get("/").await.header("x-correlation-id"), Some(id));
    for path in ["/error", "/stop", "/nowhere"] {
        let response = client.get(path).await;
        assert_eq!(
            response.header("x-correlation-id").unwrap().len(),
            36,
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_id_is_taken_over_from_the_header_that_the_options_name_if_it_is_sound() {
    let client = client(CorrelationOptions {
        request_correlation_header: Some("x-request-id".parse().unwrap()),
    });
    for sound in ["a", "01ARZ3-_.:", &"x".repeat(128)] {
        let response = client.get("/").header("x-request-id", sound).await;
        assert_eq!(response.text(), sound);
        assert_eq!(response.header("x-correlation-id"), Some(sound));
    }
    for unsound in ["", "a b", "a\"", "<x>", "ü", &"x".repeat(129)] {
        let response = client.get("/").header("x-request-id", unsound).await;
        assert_eq!(response.text().len(), 36, "{unsound}");
    }
}

#[test]
fn the_header_in_the_options_is_checked_at_launch() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("router.toml");
    let text = r#"plugins = [["correlation", { request_correlation_header = "x id" }]]"#;
    std::fs::write(&file, text).unwrap();
    let told = App::builder()
        .router_file(&file)
        .build()
        .unwrap_err()
        .to_string();
    let expected = "expected the name of a header, such as \"x-request-id\"";
    assert!(
        told.contains("router.toml:1:59") && told.contains(expected),
        "{told}"
    );
}
