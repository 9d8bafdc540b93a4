use std::path::Path;

use nova_core::testing::{TestClient, TestResponse};
use nova_core::{App, status};

use super::{assert_wrong, router};

fn client(options: &str) -> TestClient {
    let routes = r#"["/", "hello"], ["/own", "own"], ["/framed", "framed"]"#;
    let plugins = format!("[\"secure_headers\", {{ {options} }}]");
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("nova.toml");
    std::fs::write(&config, "[server]\ntrusted_proxies = [\"10.0.0.1\"]").unwrap();
    let app = App::builder()
        .config_file(Path::new(&config))
        .action("hello", |_| async { "hello" })
        .action("own", |_| async {
            status(200)
                .header("referrer-policy", "same-origin")
                .header("content-security-policy", "default-src 'self'")
        })
        .action("framed", |_| async {
            let policy = "default-src 'self'; Frame-Ancestors https://a.example";
            status(200).header("content-security-policy", policy)
        });
    super::client(app, &router(&plugins, routes))
}

fn all<'r>(response: &'r TestResponse, name: &str) -> Vec<&'r str> {
    let values = response.headers().get_all(name).iter();
    values.map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn answers_have_the_defaults() {
    let response = client("").get("/").await;
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("content-security-policy", "frame-ancestors 'none'"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        (
            "permissions-policy",
            "camera=(), geolocation=(), microphone=()",
        ),
    ] {
        assert_eq!(response.header(name), Some(value));
    }
    assert_eq!(response.header("strict-transport-security"), None);
}

#[tokio::test]
async fn https_is_asked_for_only_where_the_client_speaks_it() {
    let client = client("");
    let proxied = || client.get("/").header("x-forwarded-proto", "https");
    let response = proxied().peer("10.0.0.1:1").await;
    let value = response.header("strict-transport-security");
    assert_eq!(value, Some("max-age=31536000"));
    let response = proxied().peer("10.0.0.2:1").await;
    assert_eq!(response.header("strict-transport-security"), None);
}

#[tokio::test]
async fn what_an_answer_has_stays() {
    let client = client(r#"content_security_policy = "default-src 'none'""#);
    let response = client.get("/").await;
    let policies = ["default-src 'none'", "frame-ancestors 'none'"];
    assert_eq!(all(&response, "content-security-policy"), policies);
    let response = client.get("/own").await;
    assert_eq!(response.header("referrer-policy"), Some("same-origin"));
    let policies = ["default-src 'self'", "frame-ancestors 'none'"];
    assert_eq!(all(&response, "content-security-policy"), policies);
    let response = client.get("/framed").await;
    assert_eq!(all(&response, "content-security-policy").len(), 1);
    assert_eq!(response.header("x-frame-options"), None);
}

#[tokio::test]
async fn each_header_can_be_another_or_left_out() {
    let options = r#"content_type_options = false, frames = "same_origin", referrer_policy = false,
        permissions_policy = "fullscreen=()""#
        .replace('\n', " ");
    let response = client(&options).get("/").await;
    for (name, value) in [
        ("x-content-type-options", None),
        ("x-frame-options", Some("SAMEORIGIN")),
        ("content-security-policy", Some("frame-ancestors 'self'")),
        ("referrer-policy", None),
        ("permissions-policy", Some("fullscreen=()")),
    ] {
        assert_eq!(response.header(name), value, "{name}");
    }
    let response = client(r#"frames = "any", permissions_policy = false"#)
        .get("/")
        .await;
    for name in [
        "x-frame-options",
        "content-security-policy",
        "permissions-policy",
    ] {
        assert_eq!(response.header(name), None);
    }
}

#[test]
fn a_value_that_no_header_can_have_is_a_mistake() {
    for options in [
        "referrer_policy = true",
        "referrer_policy = \"\"",
        r#"permissions_policy = "a\nb""#,
    ] {
        let plugin = format!("[\"secure_headers\", {{ {options} }}]");
        assert_wrong(
            &plugin,
            "expected the text of a header, or `false` for none",
        );
    }
    assert_wrong(
        r#"["secure_headers", { frames = "none" }]"#,
        "`frames` is wrong",
    );
}
