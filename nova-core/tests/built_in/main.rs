//! The plugins that come with Nova, each on an app whose router file lists it.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

mod compression;
mod cors;
mod csrf;
mod rate_limit;
mod secure_headers;
mod timeout;

use nova_core::testing::TestClient;
use nova_core::{App, AppBuilder, BuildErrors};

/// A router file with this list of plugins for these routes.
fn router(plugins: &str, routes: &str) -> String {
    format!("[[group]]\nplugins = [{plugins}]\nroutes = [{routes}]\n")
}

fn build(builder: AppBuilder, router: &str) -> Result<App, BuildErrors> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("router.toml");
    std::fs::write(&file, router).unwrap();
    builder.router_file(file).build()
}

#[track_caller]
fn client(builder: AppBuilder, router: &str) -> TestClient {
    let app = build(builder, router);
    TestClient::new(app.unwrap_or_else(|errors| panic!("{errors}")))
}

/// That an app with this list of plugins is not built, and why.
#[track_caller]
fn assert_wrong(plugins: &str, message: &str) {
    let routes = r#"["/", "hello"]"#;
    let builder = App::builder().action("hello", async |_| "hello");
    let errors = build(builder, &router(plugins, routes)).expect_err(message);
    let told = errors.to_string();
    assert!(told.contains("router.toml:2:"), "{told}");
    assert!(told.contains(message), "no {message:?} in {told}");
}

#[test]
fn an_option_that_a_plugin_has_not_is_told_with_the_nearest() {
    for (plugin, wrong, similar) in [
        ("access_log", "formatt = \"common\"", "format"),
        ("compression", "min_lenght = 1", "min_length"),
        ("cors", "origin = []", "origins"),
        ("csrf", "trusted_origin = []", "trusted_origins"),
        ("rate_limit", "request = 1", "requests"),
        ("secure_headers", "frame = \"deny\"", "frames"),
        ("timeout", "afer = 1", "after"),
    ] {
        let plugins = format!("[\"{plugin}\", {{ {wrong} }}]");
        let help = format!("a similar key exists: `{similar}`");
        assert_wrong(&plugins, &help);
    }
}

#[test]
fn each_of_them_says_what_it_is() {
    let names = [
        "access_log",
        "compression",
        "correlation",
        "csrf",
        "rate_limit",
        "request",
        "secure_headers",
        "timeout",
    ];
    let cors = r#"["cors", { origins = ["*"] }]"#;
    let plugins = format!(
        "{}, {cors}",
        names.map(|name| format!("\"{name}\"")).join(", ")
    );
    let builder = App::builder().action("hello", async |_| "hello");
    let app = build(builder, &router(&plugins, r#"["/", "hello"]"#)).unwrap();
    let listed = app.router().plugins();
    assert_eq!(listed.len(), names.len() + 1);
    for plugin in listed {
        let info = plugin.info;
        assert!(info.version.is_some(), "{}", plugin.name);
        assert!(!info.description.is_empty(), "{}", plugin.name);
        assert!(info.options.contains("Options"), "{}", plugin.name);
    }
}
