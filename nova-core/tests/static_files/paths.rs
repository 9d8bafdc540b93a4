//! What a path cannot reach.

use std::fs;

use nova_core::testing::TestClient;
use nova_core::{Access, App, Group, Request, Result, Security};

use super::{NOTES, Site};

#[tokio::test]
async fn no_path_leads_out_of_the_folder() {
    let site = Site::new();
    site.write("a/b.txt", "b");
    let secret = site.0.path().join("secret.txt").display().to_string();
    let paths = [
        "/assets/../secret.txt",
        "/assets/sub/../../secret.txt",
        "/assets/sub/../notes.txt",
        "/assets/./notes.txt",
        "/assets/%2e%2e/secret.txt",
        "/assets/%2E%2E%2Fsecret.txt",
        "/assets/..%2fsecret.txt",
        "/assets/..%5csecret.txt",
        "/assets/sub%5c..%5cnotes.txt",
        "/assets/....//secret.txt",
        "/assets/notes.txt%00.png",
        "/assets/%00",
        "/assets/%2f",
        "/assets/a%2fb.txt",
        "/assets/%2fnotes.txt",
        "/assets/notes.txt%2f",
        "/assets/%252e%252e/secret.txt",
        &format!("/assets/{secret}"),
        &format!("/assets/{}", secret.replace('/', "%2f")),
        &format!("/assets/{}", "x".repeat(5000)),
        &format!("/assets/{}x", "x/".repeat(2000)),
        "/assets/notes.txt/below",
    ];
    for options in [
        (|files| files) as fn(nova_core::StaticFiles) -> _,
        |files| files.list_dir(true).follow_links(true),
    ] {
        let client = site.client(options);
        for path in paths {
            let response = client.get(path).await;
            assert_eq!(response.status(), 404, "{path}");
            assert!(!response.text().contains("the secret"), "{path}");
        }
    }
    assert_eq!(site.get("/assets/%ff").await.status(), 400);
    assert_eq!(site.get("/assets/%zz").await.status(), 400);
}

#[tokio::test]
async fn what_begins_with_a_dot_is_not_there() {
    let site = Site::new();
    site.write(".env", "x");
    site.write(".git/config", "x");
    site.write("sub/.hidden/file.txt", "x");
    for options in [
        (|files| files) as fn(nova_core::StaticFiles) -> _,
        |files| files.follow_links(true).list_dir(true),
    ] {
        let client = site.client(options);
        for path in [
            "/assets/.env",
            "/assets/%2eenv",
            "/assets/.git/config",
            "/assets/.git/",
            "/assets/.git",
            "/assets/sub/.hidden/file.txt",
        ] {
            assert_eq!(client.get(path).await.status(), 404, "{path}");
        }
    }
}

#[tokio::test]
async fn a_folder_whose_own_name_begins_with_a_dot_can_be_a_route() {
    let site = Site::new();
    site.write(".well-known/security.txt", "call us");
    let files = nova_core::files(site.path(".well-known"));
    let client = super::client("/.well-known/{*path}", files);
    let response = client.get("/.well-known/security.txt").await;
    assert_eq!(response.text(), "call us");
}

#[cfg(unix)]
#[tokio::test]
async fn links_stay_in_the_folder_unless_they_may_leave_it() {
    let site = Site::new();
    let outside = site.0.path();
    site.write(".env", "hidden");
    site.write(".git/config", "hidden");
    super::link(outside.join("secret.txt"), site.path("absolute.txt"));
    super::link("../secret.txt", site.path("relative.txt"));
    super::link("..", site.path("up"));
    super::link(outside, site.path("outside"));
    super::link("up/secret.txt", site.path("twice.txt"));
    super::link("notes.txt", site.path("inside.txt"));
    super::link("sub", site.path("inside"));
    super::link(site.path("notes.txt"), site.path("absolute-inside.txt"));
    super::link(".env", site.path("env.txt"));
    super::link(".git", site.path("git"));
    super::link("loop", site.path("loop"));
    super::link("nothing", site.path("broken"));

    let (closed, open) = (
        site.client(|files| files),
        site.client(|files| files.follow_links(true)),
    );
    for path in [
        "absolute.txt",
        "relative.txt",
        "up/secret.txt",
        "outside/secret.txt",
        "twice.txt",
    ] {
        let path = format!("/assets/{path}");
        assert_eq!(closed.get(&path).await.status(), 404, "{path}");
        assert_eq!(open.get(&path).await.text(), "the secret", "{path}");
    }
    for (path, content) in [("inside.txt", NOTES), ("inside/deep.txt", "deep")] {
        let path = format!("/assets/{path}");
        assert_eq!(closed.get(&path).await.text(), content, "{path}");
        assert_eq!(open.get(&path).await.text(), content, "{path}");
    }
    let absolute = "/assets/absolute-inside.txt";
    assert_eq!(closed.get(absolute).await.status(), 404);
    assert_eq!(open.get(absolute).await.text(), NOTES);
    for path in ["env.txt", "git/config"] {
        let path = format!("/assets/{path}");
        assert_eq!(closed.get(&path).await.status(), 404, "{path}");
    }
    for path in ["loop", "broken", "loop/x", "broken/x"] {
        let path = format!("/assets/{path}");
        assert_eq!(closed.get(&path).await.status(), 404, "{path}");
        assert_eq!(open.get(&path).await.status(), 404, "{path}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn only_regular_files_are_sent_and_nobody_waits_for_a_pipe() {
    let site = Site::new();
    let made = std::process::Command::new("mkfifo")
        .arg(site.path("pipe"))
        .status();
    assert!(made.unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(site.path("socket")).unwrap();
    super::link("/dev/null", site.path("null"));
    super::link("/dev/zero", site.path("zero"));

    for options in [
        (|files| files) as fn(nova_core::StaticFiles) -> _,
        |files| files.follow_links(true),
    ] {
        let client = site.client(options);
        for name in ["pipe", "socket", "null", "zero"] {
            let path = format!("/assets/{name}");
            assert_eq!(client.get(&path).await.status(), 404, "{name}");
        }
    }
}

struct Closed;

impl Security for Closed {
    async fn check(&self, _request: &mut Request) -> Result<Access> {
        Ok(Access::denied())
    }
}

#[tokio::test]
async fn no_encoding_leads_around_a_route_that_asks_who_is_there() {
    let site = Site::new();
    site.write("private/list.txt", "private");
    let files = || nova_core::files(site.public());
    let app = App::builder()
        .security("closed", Closed)
        .route(("/{*path}", files()))
        .group(
            Group::new()
                .security("closed")
                .route(("/private/{*path}", nova_core::files(site.path("private")))),
        );
    let client = TestClient::new(app.build().unwrap());
    assert_eq!(client.get("/private/list.txt").await.status(), 401);
    assert_eq!(client.get("/private%2flist.txt").await.status(), 404);

    for path in ["/%70rivate/list.txt", "/priv%61te/l%69st.txt"] {
        let response = client.get(path).await;
        assert_eq!(response.status(), 301, "{path}");
        let location = response.header("location");
        assert_eq!(location, Some("/private/list.txt"), "{path}");
    }
}

#[tokio::test]
async fn a_folder_that_is_replaced_is_the_new_one() {
    let site = Site::new();
    let client = site.client(|files| files);
    fs::remove_dir_all(site.public()).unwrap();
    assert_eq!(client.get("/assets/notes.txt").await.status(), 404);

    site.write("notes.txt", "new");
    assert_eq!(client.get("/assets/notes.txt").await.text(), "new");
}
