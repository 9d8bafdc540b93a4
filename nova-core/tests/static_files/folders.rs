//! What a path to a folder gives.

use super::{Site, client};

#[tokio::test]
async fn the_index_file_stands_for_its_folder() {
    let site = Site::new();
    site.write("index.html", "<p>top</p>");
    site.write("sub/index.html", "<p>sub</p>");
    for (path, content) in [("/assets/", "<p>top</p>"), ("/assets/sub/", "<p>sub</p>")] {
        let response = site.get(path).await;
        assert_eq!(response.text(), content, "{path}");
        let content_type = response.header("content-type");
        assert_eq!(content_type, Some("text/html; charset=utf-8"), "{path}");
        assert!(response.header("etag").is_some(), "{path}");
    }
}

#[tokio::test]
async fn the_first_index_file_that_is_there_counts() {
    let site = Site::new();
    site.write("b.txt", "b");
    site.write("c.txt", "c");
    std::fs::create_dir(site.path("a.txt")).unwrap();
    let client = site.client(|files| files.index_files(["a.txt", "b.txt", "c.txt"]));
    assert_eq!(client.get("/assets/").await.text(), "b");

    site.write("index.html", "x");
    let none = site.client(|files| files.index_files([] as [&str; 0]));
    assert_eq!(none.get("/assets/").await.status(), 403);
}

#[tokio::test]
async fn a_folder_without_a_slash_at_its_end_redirects_so_that_links_work() {
    let site = Site::new();
    site.write("index.html", "top");
    site.write("sub/index.html", "sub");
    site.write("a b/index.html", "spaces");
    site.write("evil.example/index.html", "evil");
    for (path, location) in [
        ("/assets", "/assets/"),
        ("/assets/sub", "/assets/sub/"),
        ("/assets/sub?a=b", "/assets/sub/?a=b"),
        ("//assets//sub", "/assets/sub/"),
        ("/assets/a%20b", "/assets/a%20b/"),
    ] {
        for options in [
            (|files| files) as fn(nova_core::StaticFiles) -> _,
            |files| files.list_dir(true).index_files(["none"]),
        ] {
            let response = site.client(options).get(path).await;
            assert_eq!(response.status(), 301, "{path}");
            assert_eq!(response.header("location"), Some(location), "{path}");
        }
    }
    let at_root = client("/{*path}", nova_core::files(site.public()));
    let response = at_root.get("//evil.example").await;
    assert_eq!(response.header("location"), Some("/evil.example/"));
    assert_eq!(at_root.get("/").await.text(), "top");
}

#[tokio::test]
async fn a_folder_with_neither_an_index_nor_a_list_is_forbidden() {
    let site = Site::new();
    for path in ["/assets", "/assets/", "/assets/sub", "/assets/sub/"] {
        assert_eq!(site.get(path).await.status(), 403, "{path}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn an_index_file_that_leads_out_of_the_folder_is_none() {
    let site = Site::new();
    super::link("../secret.txt", site.path("index.html"));
    assert_eq!(site.get("/assets/").await.status(), 403);
}
