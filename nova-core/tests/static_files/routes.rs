//! Which requests static files answer, and what they say of themselves.

use std::fs;

use nova_core::testing::TestClient;
use nova_core::{App, Environment, Group, RouteOptions, methods, text};

use super::{NOTES, Site, client};

#[tokio::test]
async fn a_file_is_sent_with_its_length_its_type_and_what_caches_need() {
    let site = Site::new();
    for (method, body) in [("GET", NOTES), ("HEAD", "")] {
        let client = site.client(|files| files);
        let response = client.request(method, "/assets/notes.txt").await;

        assert_eq!(response.status(), 200, "{method}");
        for (name, value) in [
            ("content-length", "12"),
            ("content-type", "text/plain; charset=utf-8"),
            ("accept-ranges", "bytes"),
            ("cache-control", "no-cache"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(response.header(name), Some(value), "{method} {name}");
        }
        assert!(response.header("last-modified").is_some(), "{method}");
        assert!(response.header("vary").is_none(), "{method}");
        let tag = response.header("etag").unwrap();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        assert_eq!(response.text(), body, "{method}");
    }
}

#[tokio::test]
async fn files_answer_get_and_head_and_tell_so() {
    let site = Site::new();
    let client = site.client(|files| files);
    let allow = Some("GET, HEAD, OPTIONS");

    let options = client.request("OPTIONS", "/assets/notes.txt").await;
    assert_eq!(
        (options.status().as_u16(), options.header("allow")),
        (204, allow)
    );
    for method in ["POST", "PUT", "DELETE", "PATCH", "BREW"] {
        let refused = client.request(method, "/assets/notes.txt").await;
        assert_eq!(refused.status(), 405, "{method}");
        assert_eq!(refused.header("allow"), allow, "{method}");
    }
}

#[tokio::test]
async fn another_route_can_answer_the_other_methods_of_the_same_path() {
    let site = Site::new();
    let app = App::builder()
        .route(("/assets/{*path}", nova_core::files(site.public())))
        .route((
            "/assets/{*path}",
            |_: nova_core::Request| async { text("put") },
            methods(["put"]),
        ));
    let client = TestClient::new(app.build().unwrap());

    assert_eq!(client.get("/assets/notes.txt").await.text(), NOTES);
    assert_eq!(client.put("/assets/notes.txt").await.text(), "put");
}

#[tokio::test]
async fn the_type_goes_by_the_extension_with_a_charset_for_text() {
    let site = Site::new();
    for (name, expected) in [
        ("a.html", "text/html; charset=utf-8"),
        ("a.CSS", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.png", "image/png"),
        ("a.wasm", "application/wasm"),
        ("a.bin", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ] {
        site.write(name, "x");
        let response = site.get(&format!("/assets/{name}")).await;
        assert_eq!(response.header("content-type"), Some(expected), "{name}");
    }
}

#[tokio::test]
async fn the_app_can_name_types_and_the_cache_control() {
    let site = Site::new();
    site.write("a.md", "x");
    site.write("a.MD", "x");
    let by_extension = site.client(|files| {
        let files = files.mimetype(".md", "text/markdown; charset=utf-8");
        files.cache_control("public, max-age=60")
    });
    for (name, expected) in [
        ("a.md", "text/markdown; charset=utf-8"),
        ("a.MD", "text/markdown; charset=utf-8"),
        ("notes.txt", "text/plain; charset=utf-8"),
    ] {
        let response = by_extension.get(&format!("/assets/{name}")).await;
        assert_eq!(response.header("content-type"), Some(expected), "{name}");
        let cache_control = response.header("cache-control");
        assert_eq!(cache_control, Some("public, max-age=60"), "{name}");
    }

    let of_all = site.client(|files| files.content_type("application/x-own"));
    let response = of_all.get("/assets/notes.txt").await;
    assert_eq!(response.header("content-type"), Some("application/x-own"));
}

#[tokio::test]
async fn one_file_can_be_a_route_also_for_all_paths_below_one() {
    let site = Site::new();
    let page = || nova_core::file(site.path("notes.txt"));
    assert_eq!(client("/notes", page()).get("/notes").await.text(), NOTES);

    let of_all = client("/app/{*any}", page());
    for path in ["/app", "/app/", "/app/a/b", "/app/../x"] {
        assert_eq!(of_all.get(path).await.text(), NOTES, "{path}");
    }
    assert_eq!(of_all.post("/app").await.status(), 405);
}

#[cfg(unix)]
#[tokio::test]
async fn one_file_may_be_a_link_to_anywhere_for_the_app_names_it() {
    let site = Site::new();
    super::link(site.0.path().join("secret.txt"), site.path("link.txt"));
    let client = client("/it", nova_core::file(site.path("link.txt")));
    assert_eq!(client.get("/it").await.text(), "the secret");
}

#[tokio::test]
async fn a_file_can_be_a_status_page_which_nobody_keeps() {
    let site = Site::new();
    site.write("404.html", "<p>lost</p>");
    let page = nova_core::file(site.path("404.html"));
    let app = App::builder().route((404, page));
    let client = TestClient::new(app.build().unwrap());
    for (method, range) in [("GET", "bytes=0-1"), ("POST", "bytes=50-")] {
        let request = client.request(method, "/nowhere").header("range", range);
        let response = request.header("if-none-match", "*").await;
        assert_eq!(response.status(), 404, "{method}");
        assert_eq!(response.text(), "<p>lost</p>", "{method}");
        let content_type = response.header("content-type");
        assert_eq!(content_type, Some("text/html; charset=utf-8"), "{method}");
        for name in ["etag", "last-modified", "accept-ranges", "cache-control"] {
            assert_eq!(response.header(name), None, "{method} {name}");
        }
    }
}

#[tokio::test]
async fn a_missing_file_goes_the_way_of_all_errors() {
    let site = Site::new();
    let app = App::builder().group(
        Group::new()
            .prefix("/assets")
            .route(("/{*path}", nova_core::files(site.public())))
            .route((404, |_: nova_core::Request| async { text("not here") })),
    );
    let client = TestClient::new(app.build().unwrap());
    let response = client.get("/assets/nothing.txt").await;

    assert_eq!(
        (response.status().as_u16(), response.text()),
        (404, "not here")
    );
    assert_eq!(response.header("etag"), None);
}

#[tokio::test]
async fn outside_dev_a_missing_file_tells_nothing_of_the_disk() {
    let site = Site::new();
    let response = site.get("/assets/nothing.txt").await;
    let content_type = response.header("content-type");
    assert_eq!(content_type, Some("application/problem+json"));
    let public = site.public().display().to_string();
    assert!(!response.text().contains(&public), "{}", response.text());
}

#[tokio::test]
async fn in_dev_the_page_of_a_missing_file_shows_the_folder_and_the_path() {
    let site = Site::new();
    let app = App::builder()
        .environment(Environment::Dev)
        .route(("/assets/{*path}", nova_core::files(site.public())));
    let client = TestClient::new(app.build().unwrap());
    let response = client.get("/assets/nothing.txt").await;
    let told = response.json::<serde_json::Value>();
    let public = site.public().display().to_string();

    assert_eq!(response.status(), 404);
    assert_eq!(
        told["dev"]["route"]["handler"],
        format!("files in {public}")
    );
    let cause = told["dev"]["causes"][0].as_str().unwrap();
    assert!(cause.contains(&format!("{public}/nothing.txt")), "{cause}");
}

#[test]
fn the_table_and_explain_show_what_is_sent() {
    let site = Site::new();
    fs::write(site.0.path().join("nova.toml"), "").unwrap();
    let router = r#"
        [[group]]
        routes = [
            ["/assets/[...]", { dir = "public", list_dir = true }, { name = "asset" }],
            ["/notes", { file = "public/notes.txt" }],
        ]
    "#;
    fs::write(site.0.path().join("router.toml"), router).unwrap();
    let app = App::builder().root(site.0.path()).build().unwrap();
    let router = app.router();

    let routes = router.routes();
    assert_eq!(routes[0].requests(), "GET /assets/{*pathinfo}");
    assert_eq!(routes[0].handler, "files in public");
    assert_eq!(routes[1].handler, "the file public/notes.txt");

    let explained = router.explain("HEAD", "/assets/a.css").to_string();
    assert!(
        explained.contains("`files in public` answers"),
        "{explained}"
    );
    let explained = router.explain("POST", "/assets/a.css").to_string();
    assert!(explained.contains("405"), "{explained}");

    let path = router.path_for("asset", &[("pathinfo", &"css/a b.css")]);
    assert_eq!(path.unwrap(), "/assets/css/a%20b.css");
}

#[tokio::test]
async fn a_reload_takes_over_new_options_and_tells_so() {
    let site = Site::new();
    let file = site.0.path().join("router.toml");
    let write = |list: bool| {
        let route = format!("[\"/assets/{{*path}}\", {{ dir = \"public\", list_dir = {list} }}]");
        fs::write(&file, format!("[[group]]\nroutes = [{route}]\n")).unwrap();
    };
    write(false);
    let app = App::builder().router_file(&file).build().unwrap();
    let router = app.router().clone();
    let client = TestClient::new(app);
    assert_eq!(client.get("/assets/").await.status(), 403);
    assert!(router.reload().unwrap().is_empty());

    write(true);
    assert_eq!(router.reload().unwrap().changed.len(), 1);
    assert_eq!(client.get("/assets/").await.status(), 200);
}

#[tokio::test]
async fn paths_in_rust_are_relative_to_the_root_and_can_be_added_later() {
    let site = Site::new();
    fs::write(site.0.path().join("nova.toml"), "").unwrap();
    fs::write(site.0.path().join("router.toml"), "[[group]]\nroutes = []").unwrap();
    let app = App::builder()
        .route(("/before/{*path}", nova_core::files("public")))
        .root(site.0.path())
        .build()
        .unwrap();
    let later = (
        "/later/{*path}",
        nova_core::files("public"),
        RouteOptions::default(),
    );
    app.router().add_routes(Group::new().route(later)).unwrap();
    let client = TestClient::new(app);

    assert_eq!(client.get("/before/notes.txt").await.text(), NOTES);
    assert_eq!(client.get("/later/notes.txt").await.text(), NOTES);
}
