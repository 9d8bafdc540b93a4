//! What is wrong with static files is told when the app is built.

use std::fs;

use nova_core::testing::TestClient;
use nova_core::{App, Group, StaticFiles, methods, protocol};

use super::{NOTES, Site};

/// What is told of a router file with these routes, beside the site.
fn told(site: &Site, routes: &str) -> String {
    let file = site.0.path().join("router.toml");
    fs::write(&file, format!("[[group]]\nroutes = [\n{routes}\n]\n")).unwrap();
    match App::builder().router_file(&file).build() {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(errors) => {
            let folder = format!("{}/", site.0.path().display());
            errors.to_string().replace(&folder, "")
        }
    }
}

#[tokio::test]
async fn all_options_can_stand_in_the_file_and_paths_are_relative_to_it() {
    let site = Site::new();
    site.write("a.md", "# notes");
    let routes = r#"
        ["/assets/[...]", {
            dir = "public", index_files = ["notes.txt"], list_dir = true, follow_links = true,
            precompressed = false, mimetype = { md = "text/markdown" }, cache_control = "max-age=9",
        }, { name = "asset", extra = 7 }],
        ["/one", { file = "public/a.md", mimetype = "text/x-own" }],
    "#;
    assert_eq!(told(&site, routes), "nothing is wrong");
    let app = App::builder().router_file(site.0.path().join("router.toml"));
    let client = TestClient::new(app.build().unwrap());

    let index = client.get("/assets/").await;
    assert_eq!(index.text(), NOTES);
    assert_eq!(index.header("cache-control"), Some("max-age=9"));
    let listing = client.get("/assets/sub/").await;
    assert!(listing.text().contains("deep.txt"));
    let markdown = client.get("/assets/a.md").await;
    assert_eq!(markdown.header("content-type"), Some("text/markdown"));
    let one = client.get("/one").await;
    assert_eq!(one.header("content-type"), Some("text/x-own"));
}

#[test]
fn a_missing_folder_is_told_with_its_place_and_the_nearest_one() {
    let site = Site::new();
    assert_eq!(
        told(&site, r#"    ["/assets/{*path}", { dir = "pubic" }],"#),
        r#"router.toml:3:33: there is no folder `pubic`
  |
3 |     ["/assets/{*path}", { dir = "pubic" }],
  |                                 ^^^^^^^
help: a similar name exists: `public`"#
    );
    assert_eq!(
        told(
            &site,
            r#"    ["/assets/{*path}", { dir = "priv/assets" }],"#
        ),
        r#"router.toml:3:33: there is no folder `priv/assets`
  |
3 |     ["/assets/{*path}", { dir = "priv/assets" }],
  |                                 ^^^^^^^^^^^^^
help: it is looked for as `priv/assets`"#
    );
    assert_eq!(
        told(&site, r#"    ["/notes", { file = "public/note.txt" }],"#),
        r#"router.toml:3:25: there is no file `public/note.txt`
  |
3 |     ["/notes", { file = "public/note.txt" }],
  |                         ^^^^^^^^^^^^^^^^^
help: a similar name exists: `public/notes.txt`"#
    );
}

#[test]
fn each_mistake_in_the_table_says_what_to_write_instead() {
    let site = Site::new();
    for (route, expected) in [
        (
            r#"["/a/{*path}", { dir = "public/notes.txt" }]"#,
            "`public/notes.txt` is no folder: name a single file by `file`",
        ),
        (
            r#"["/a", { file = "public" }]"#,
            "`public` is a folder: name it by `dir`",
        ),
        (
            r#"["/a/{*path}", { dir = "public/notes.txt/below" }]"#,
            "`public/notes.txt/below` cannot be read",
        ),
        (
            r#"["/a", { dir = "public" }]"#,
            "which names a file in it: `/a/{*path}`",
        ),
        (
            r#"["/a/{*path}", {}]"#,
            "static files are those of a folder",
        ),
        (
            r#"["/a/{*path}", { dir = "public", file = "public/notes.txt" }]"#,
            "static files are those of a folder",
        ),
        (
            r#"["/a", { file = "public/notes.txt", list_dir = true }]"#,
            "`list_dir` is for a folder, and not for one file",
        ),
        (
            r#"["/a/{*path}", { dir = "public", list_dirs = true }]"#,
            "the table of static files has no key `list_dirs`",
        ),
        (
            r#"["/a/{*path}", { dir = "public", list_dir = "yes" }]"#,
            "`list_dir` is wrong",
        ),
        (
            r#"["/a/{*path}", { dir = "public", mimetype = 7 }]"#,
            "`mimetype` is wrong",
        ),
        (
            r#"["/a/{*path}", { dir = "public", mimetype = { md = "markdown" } }]"#,
            "`markdown` is no type of a file",
        ),
        (
            r#"["/a/{*path}", { dir = "public", cache_control = "a\nb" }]"#,
            "can be no header",
        ),
        (
            r#"["/a/{*path}", { dir = "public", index_files = ["../x"] }]"#,
            "`../x` is no index file",
        ),
        (
            r#"["/a/{*path}", { dir = "public" }, { methods = ["post"] }]"#,
            "static files answer `GET` and `HEAD`: leave `methods` out",
        ),
        (
            r#"["/a/{*path}", { dir = "public" }, { protocol = "ws" }]"#,
            "static files are sent by `http`, not by `ws`: leave `protocol` out",
        ),
        (r#"[404, { dir = "public" }]"#, "a status page is one file"),
    ] {
        let told = told(&site, route);
        assert!(told.starts_with("router.toml:3:"), "{told}");
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn mistakes_in_rust_are_told_with_the_line_of_the_call() {
    let site = Site::new();
    let told = |route: Group| {
        let built = App::builder().group(route).build();
        built.unwrap_err().to_string()
    };
    let files = |name: &str| nova_core::files(site.0.path().join(name));
    let missing = told(Group::new().route(("/a/{*path}", files("nothing"))));
    assert!(missing.contains("static_files/build.rs:"), "{missing}");
    assert!(missing.contains("there is no folder"), "{missing}");

    let methods = Group::new().route(("/a/{*path}", files("public"), methods(["get"])));
    assert!(told(methods).contains("leave `methods` out"));
    let protocol = Group::new().route(("/a/{*path}", files("public"), protocol("ws")));
    assert!(told(protocol).contains("leave `protocol` out"));
    let types: fn(StaticFiles) -> StaticFiles = |files| files.mimetype("md", "a\nb");
    let types = Group::new().route(("/a/{*path}", types(files("public"))));
    assert!(told(types).contains("is no type of a file"));
}

#[test]
fn two_routes_for_the_same_files_are_a_conflict() {
    let site = Site::new();
    let routes = r#"
        ["/a/{*path}", { dir = "public" }],
        ["/a/[...]", { dir = "public/sub" }],
    "#;
    let told = told(&site, routes);
    assert!(
        told.contains("another route answers GET `/a/{*pathinfo}` already"),
        "{told}"
    );
}

#[tokio::test]
async fn a_reload_that_names_a_missing_folder_changes_nothing() {
    let site = Site::new();
    assert_eq!(
        told(&site, r#"["/a/{*path}", { dir = "public" }]"#),
        "nothing is wrong"
    );
    let file = site.0.path().join("router.toml");
    let app = App::builder().router_file(&file).build().unwrap();
    let router = app.router().clone();
    let client = TestClient::new(app);

    let route = r#"["/a/{*path}", { dir = "elsewhere" }]"#;
    fs::write(&file, format!("[[group]]\nroutes = [{route}]\n")).unwrap();
    let mistakes = router.reload().unwrap_err().to_string();
    assert!(
        mistakes.contains("there is no folder `elsewhere`"),
        "{mistakes}"
    );
    assert_eq!(client.get("/a/notes.txt").await.text(), NOTES);
}
