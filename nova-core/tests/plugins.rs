//! What the page on plugins of the book shows.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;
use nova_core::testing::TestClient;
use nova_core::{
    App, AppBuilder, Flow, Head, Plugin, PluginContext, PluginInfo, Request, Response, Result, view,
};
use tracing::info;

// ANCHOR: plugin
/// Counts visits, and tells each client which one it is.
#[derive(Default)]
struct Visits {
    count: AtomicU64,
}

impl Plugin for Visits {
    async fn pre_request(&self, _request: &mut Request) -> Result<Flow> {
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(Flow::Continue)
    }

    async fn post_request(&self, _head: &Head, response: &mut Response) -> Result<Flow> {
        let count = self.count.load(Ordering::Relaxed);
        response
            .headers_mut()
            .insert("x-visits", HeaderValue::from(count));
        Ok(Flow::Continue)
    }

    fn init(&self, context: &PluginContext) -> Result<()> {
        info!("counting visits in {}", context.config().environment);
        Ok(())
    }

    async fn stop(&self) {
        info!("{} visits", self.count.load(Ordering::Relaxed));
    }

    fn info(&self) -> PluginInfo {
        PluginInfo::new("Visits")
            .version("1.0.0")
            .description("counts visits")
            .requires(&["correlation"])
    }
}
// ANCHOR_END: plugin

// ANCHOR: options
#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct GreetingOptions {
    name: String,
}

/// Greets every client in a header.
struct Greeting {
    name: String,
}

impl Plugin for Greeting {
    async fn post_request(&self, _head: &Head, response: &mut Response) -> Result<Flow> {
        let greeting = HeaderValue::try_from(format!("hello, {}", self.name))?;
        response.headers_mut().insert("x-greeting", greeting);
        Ok(Flow::Continue)
    }

    fn check(&self) -> Result<(), String> {
        match self.name.is_empty() {
            true => Err("it greets nobody: give it a `name`".to_owned()),
            false => Ok(()),
        }
    }
}

fn with_greeting(app: AppBuilder) -> AppBuilder {
    app.plugin_with("greeting", |options: GreetingOptions| Greeting {
        name: options.name,
    })
}
// ANCHOR_END: options

fn builder() -> AppBuilder {
    App::builder()
        .plugin("visits", Visits::default())
        .action("reports::index", |_| async { "reports" })
        .action("notes::index", |_| async { "notes" })
        .action("form::show", |_| async { view(&()).named("form") })
        .action("form::submit", |_| async { "submitted" })
        .action("form::hook", |_| async { "called" })
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/book")
}

fn client() -> TestClient {
    let app = builder()
        .views(folder().join("views"))
        .router_file(folder().join("plugins.toml"));
    TestClient::new(app.build().unwrap_or_else(|errors| panic!("{errors}")))
}

#[tokio::test]
async fn each_group_has_the_plugins_that_the_page_says() {
    let client = client();
    let nothing = client.get("/nothing").await;
    assert_eq!(nothing.header("x-frame-options"), Some("DENY"));

    let reports = client.get("/reports").await;
    assert_eq!(reports.header("x-frame-options"), Some("DENY"));

    let origin = "https://app.example.com";
    let notes = client.get("/api/notes").header("origin", origin).await;
    assert_eq!(notes.header("access-control-allow-origin"), Some(origin));
    assert_eq!(notes.header("x-visits"), Some("1"));
    assert_eq!(notes.header("x-frame-options"), None);
    assert!(notes.header("ratelimit").is_some());

    let form = client.get("/form").await;
    assert!(form.text().contains(r#"name="_csrf_token" value=""#));
    assert_eq!(client.post("/form").await.status(), 403);
    assert_eq!(client.post("/hooks").await.text(), "called");
    client.stop().await;
}

#[tokio::test]
async fn options_make_the_plugin_and_are_checked() {
    let router = |options: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("router.toml");
        let text = format!(
            "plugins = [[\"greeting\", {options}]]\n[[group]]\nroutes = [[\"/\", \"notes::index\"]]"
        );
        std::fs::write(&file, text).expect("a file");
        let app = App::builder().action("notes::index", |_| async { "notes" });
        with_greeting(app).router_file(file).build()
    };
    let app = router("{ name = \"ann\" }").unwrap_or_else(|errors| panic!("{errors}"));
    let response = TestClient::new(app).get("/").await;
    assert_eq!(response.header("x-greeting"), Some("hello, ann"));

    let told = router("{}").expect_err("nobody is greeted").to_string();
    assert!(told.contains("router.toml:1:13: the plugin `greeting` is wrong: it greets nobody"));
}
