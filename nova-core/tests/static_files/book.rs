//! The code of the book's page on static files, and that it does what the page says.

use std::fs;
use std::path::Path;

use nova_core::testing::TestClient;
use nova_core::{App, AppBuilder, Group, file, files};
use tempfile::TempDir;

/// The folder of an app with the router file of the page.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    write("nova.toml", "");
    write("router.toml", include_str!("router.toml"));
    write("priv/assets/app.js", "app");
    write("priv/downloads/a.zip", "zip");
    write("priv/favicon.ico", "icon");
    write("priv/404.html", "<p>lost</p>");
    write("priv/docs/README.md", "# Read me");
    folder
}

// ANCHOR: rust
fn routes(app: AppBuilder) -> AppBuilder {
    app.group(
        Group::new()
            .prefix("/static")
            .route((
                "/assets/{*path}",
                files("priv/assets").cache_control("max-age=3600"),
            ))
            .route(("/downloads/{*path}", files("priv/downloads").list_dir(true)))
            .route(("/favicon.ico", file("priv/favicon.ico"))),
    )
}
// ANCHOR_END: rust

fn app(folder: &Path) -> App {
    routes(App::builder().root(folder)).build().unwrap()
}

#[tokio::test]
async fn the_routes_of_the_page_do_what_it_says() {
    let folder = folder();
    let app = app(folder.path());
    let doc = app.router().path_for("doc", &[("path", &"README.md")]);
    assert_eq!(doc.unwrap(), "/docs/README.md");
    let client = TestClient::new(app);
    for (path, status, content) in [
        ("/assets/app.js", 200, "app"),
        ("/static/assets/app.js", 200, "app"),
        ("/downloads/a.zip", 200, "zip"),
        ("/favicon.ico", 200, "icon"),
        ("/static/favicon.ico", 200, "icon"),
        ("/nowhere", 404, "<p>lost</p>"),
        ("/docs/", 200, "# Read me"),
    ] {
        let response = client.get(path).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.text(), content, "{path}");
    }
    for path in ["/downloads/", "/static/downloads/"] {
        assert!(client.get(path).await.text().contains("a.zip"), "{path}");
    }
    let assets = client.get("/assets/app.js").await;
    assert_eq!(assets.header("cache-control"), Some("max-age=3600"));
    let doc = client.get("/docs/README.md").await;
    assert_eq!(
        doc.header("content-type"),
        Some("text/markdown; charset=utf-8")
    );
}
