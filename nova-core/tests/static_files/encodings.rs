//! Compressed files beside the plain ones.

use super::Site;

const PATH: &str = "/assets/app.js";

/// `app.js` with all of its compressed forms, which are none really.
fn site() -> Site {
    let site = Site::new();
    site.write("app.js", "plain");
    site.write("app.js.br", "brotli");
    site.write("app.js.gz", "gzip");
    site.write("app.js.zst", "zstd");
    site
}

#[tokio::test]
async fn a_client_gets_the_form_that_it_wants_most() {
    let site = site();
    for (accept, coding, content) in [
        ("gzip, deflate, br, zstd", Some("br"), "brotli"),
        ("gzip", Some("gzip"), "gzip"),
        ("zstd;q=0.9, br;q=0.8", Some("zstd"), "zstd"),
        ("br;q=0, *", Some("zstd"), "zstd"),
        ("identity, br;q=0.5", None, "plain"),
        ("deflate", None, "plain"),
        ("", None, "plain"),
    ] {
        let client = site.client(|files| files);
        let response = client.get(PATH).header("accept-encoding", accept).await;
        assert_eq!(response.text(), content, "{accept}");
        assert_eq!(response.header("content-encoding"), coding, "{accept}");
        assert_eq!(response.header("vary"), Some("accept-encoding"), "{accept}");
        let content_type = response.header("content-type");
        assert_eq!(
            content_type,
            Some("text/javascript; charset=utf-8"),
            "{accept}"
        );
    }
    let response = site.get(PATH).await;
    assert_eq!(response.text(), "plain");
    assert_eq!(response.header("vary"), Some("accept-encoding"));
}

#[tokio::test]
async fn a_form_that_is_not_there_is_passed_over() {
    let site = Site::new();
    site.write("app.js", "plain");
    site.write("app.js.gz", "gzip");
    let client = site.client(|files| files);
    let response = client
        .get(PATH)
        .header("accept-encoding", "br, gzip;q=0.5")
        .await;
    assert_eq!(response.text(), "gzip");
    let response = client.get(PATH).header("accept-encoding", "br").await;
    assert_eq!(response.text(), "plain");
    assert_eq!(response.header("vary"), Some("accept-encoding"));
}

#[tokio::test]
async fn each_form_has_a_tag_of_its_own_which_a_304_goes_by() {
    let site = site();
    let client = site.client(|files| files);
    let plain = client.get(PATH).await;
    let gzip = client.get(PATH).header("accept-encoding", "gzip").await;
    let tag = gzip.header("etag").unwrap();
    assert_ne!(plain.header("etag"), Some(tag));

    let ask = |coding| {
        let request = client.get(PATH).header("if-none-match", tag);
        request.header("accept-encoding", coding)
    };
    let same = ask("gzip").await;
    assert_eq!(same.status(), 304);
    assert_eq!(same.header("vary"), Some("accept-encoding"));
    assert_eq!(ask("br").await.status(), 200);
}

#[tokio::test]
async fn a_range_is_one_of_the_form_that_is_sent() {
    let site = site();
    let client = site.client(|files| files);
    let request = client.get(PATH).header("accept-encoding", "br");
    let response = request.header("range", "bytes=0-2").await;
    assert_eq!((response.status().as_u16(), response.text()), (206, "bro"));
    assert_eq!(response.header("content-encoding"), Some("br"));
    assert_eq!(response.header("content-range"), Some("bytes 0-2/6"));
}

#[tokio::test]
async fn an_app_can_leave_the_compressed_forms_alone() {
    let site = site();
    let client = site.client(|files| files.precompressed(false));
    let response = client.get(PATH).header("accept-encoding", "br").await;
    assert_eq!(response.text(), "plain");
    assert_eq!(response.header("vary"), None);
}

#[cfg(unix)]
#[tokio::test]
async fn a_compressed_form_that_leads_out_of_the_folder_is_none() {
    let site = Site::new();
    site.write("app.js", "plain");
    super::link("../secret.txt", site.path("app.js.br"));
    std::fs::create_dir(site.path("app.js.gz")).unwrap();
    let client = site.client(|files| files);
    let response = client.get(PATH).header("accept-encoding", "br, gzip").await;
    assert_eq!(response.text(), "plain");
    assert_eq!(response.header("vary"), None);
}

#[tokio::test]
async fn an_index_file_and_a_single_file_have_such_forms_too() {
    let site = Site::new();
    site.write("index.html", "plain");
    site.write("index.html.gz", "gzip");
    let folder = site.client(|files| files);
    let single = super::client("/one", nova_core::file(site.path("index.html")));
    for (client, path) in [(folder, "/assets/"), (single, "/one")] {
        let response = client.get(path).header("accept-encoding", "gzip").await;
        assert_eq!(response.text(), "gzip", "{path}");
        let content_type = response.header("content-type");
        assert_eq!(content_type, Some("text/html; charset=utf-8"), "{path}");
    }
}
