//! Conditions, in the order of RFC 9110 §13.2.2.

use std::fs;
use std::time::{Duration, SystemTime};

use nova_core::testing::TestResponse;

use super::{NOTES, Site, age};

const PATH: &str = "/assets/notes.txt";

async fn ask(site: &Site, method: &str, headers: &[(&str, &str)]) -> TestResponse {
    let client = site.client(|files| files);
    let mut request = client.request(method, PATH);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.await
}

#[tokio::test]
async fn a_file_that_the_client_has_is_a_304_with_its_validators() {
    let site = Site::new();
    let modified = age(&site.path("notes.txt"));
    let first = site.get(PATH).await;
    let tag = first.header("etag").unwrap();
    for method in ["GET", "HEAD"] {
        for header in [
            ("if-none-match", tag),
            ("if-none-match", &format!("W/{tag}")),
            ("if-none-match", &format!("\"a\", {tag}, \"b,c\"")),
            ("if-none-match", "*"),
            ("if-modified-since", &modified),
            (
                "if-modified-since",
                &httpdate::fmt_http_date(SystemTime::now()),
            ),
        ] {
            let response = ask(&site, method, &[header]).await;
            assert_eq!(response.status(), 304, "{method} {header:?}");
            assert_eq!(response.text(), "", "{method} {header:?}");
            assert_eq!(response.header("etag"), Some(tag), "{method} {header:?}");
            assert_eq!(response.header("last-modified"), Some(&*modified));
            assert_eq!(response.header("cache-control"), Some("no-cache"));
            assert_eq!(response.header("content-type"), None);
        }
    }
}

#[tokio::test]
async fn a_file_that_the_client_has_not_is_sent() {
    let site = Site::new();
    age(&site.path("notes.txt"));
    let long_ago = httpdate::fmt_http_date(SystemTime::now() - Duration::from_secs(7200));
    for header in [
        ("if-none-match", "\"other\""),
        ("if-none-match", "nonsense"),
        ("if-modified-since", &*long_ago),
        ("if-modified-since", "yesterday"),
        ("if-match", "*"),
        (
            "if-unmodified-since",
            &httpdate::fmt_http_date(SystemTime::now()),
        ),
        ("if-unmodified-since", "nonsense"),
    ] {
        let response = ask(&site, "GET", &[header]).await;
        assert_eq!(response.status(), 200, "{header:?}");
        assert_eq!(response.text(), NOTES, "{header:?}");
    }
}

#[tokio::test]
async fn a_client_that_means_another_file_gets_a_412() {
    let site = Site::new();
    age(&site.path("notes.txt"));
    let tag = site.get(PATH).await.header("etag").unwrap().to_owned();
    let long_ago = httpdate::fmt_http_date(SystemTime::now() - Duration::from_secs(7200));
    for header in [
        ("if-match", "\"other\""),
        // It is compared strongly.
        ("if-match", &*format!("W/{tag}")),
        ("if-unmodified-since", &long_ago),
    ] {
        assert_eq!(
            ask(&site, "GET", &[header]).await.status(),
            412,
            "{header:?}"
        );
    }
    assert_eq!(ask(&site, "GET", &[("if-match", &tag)]).await.status(), 200);
}

#[tokio::test]
async fn a_tag_counts_before_a_date_and_a_match_before_its_opposite() {
    let site = Site::new();
    let modified = age(&site.path("notes.txt"));
    let tag = site.get(PATH).await.header("etag").unwrap().to_owned();
    let long_ago = httpdate::fmt_http_date(SystemTime::now() - Duration::from_secs(7200));
    for (headers, status) in [
        (
            [("if-match", &*tag), ("if-unmodified-since", &*long_ago)],
            200,
        ),
        ([("if-match", "\"other\""), ("if-none-match", &tag)], 412),
        ([("if-match", &tag), ("if-none-match", &tag)], 304),
        (
            [
                ("if-none-match", "\"other\""),
                ("if-modified-since", &modified),
            ],
            200,
        ),
        (
            [("if-none-match", &tag), ("if-modified-since", &long_ago)],
            304,
        ),
        (
            [
                ("if-unmodified-since", &long_ago),
                ("if-modified-since", &modified),
            ],
            412,
        ),
        ([("if-none-match", &tag), ("range", "bytes=50-")], 304),
    ] {
        let response = ask(&site, "GET", &headers).await;
        assert_eq!(response.status(), status, "{headers:?}");
    }
}

#[tokio::test]
async fn the_tag_is_that_of_the_bytes() {
    let site = Site::new();
    let tag = site.get(PATH).await.header("etag").unwrap().to_owned();
    age(&site.path("notes.txt"));
    assert_eq!(
        site.get(PATH).await.header("etag"),
        Some(&*tag),
        "only its time is another"
    );

    // As long, and within the same moment.
    fs::write(site.path("notes.txt"), "milk and egg").unwrap();
    assert_ne!(site.get(PATH).await.header("etag"), Some(&*tag));
    fs::write(site.path("notes.txt"), NOTES).unwrap();
    assert_eq!(site.get(PATH).await.header("etag"), Some(&*tag));
}

#[tokio::test]
async fn a_time_that_no_header_can_have_is_left_out() {
    let site = Site::new();
    let file = fs::File::options()
        .write(true)
        .open(site.path("notes.txt"))
        .unwrap();
    for time in [
        SystemTime::UNIX_EPOCH - Duration::from_secs(100),
        SystemTime::now() + Duration::from_secs(3600),
    ] {
        file.set_modified(time).unwrap();
        let since = ("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT");
        let response = ask(&site, "GET", &[since]).await;
        assert_eq!(response.status(), 200, "{time:?}");
        assert_eq!(response.header("last-modified"), None, "{time:?}");
    }
}

#[tokio::test]
async fn a_range_of_another_file_is_the_whole_file() {
    let site = Site::new();
    let modified = age(&site.path("notes.txt"));
    let tag = site.get(PATH).await.header("etag").unwrap().to_owned();
    let now = httpdate::fmt_http_date(SystemTime::now());
    for (if_range, status) in [
        (&*tag, 206),
        (&modified, 206),
        ("\"other\"", 200),
        (&format!("W/{tag}"), 200),
        (&now, 200),
        ("nonsense", 200),
        ("", 200),
    ] {
        let headers = [("range", "bytes=0-3"), ("if-range", if_range)];
        let response = ask(&site, "GET", &headers).await;
        assert_eq!(response.status(), status, "{if_range}");
        let beyond = [("range", "bytes=50-"), ("if-range", if_range)];
        let status = if status == 206 { 416 } else { 200 };
        assert_eq!(
            ask(&site, "GET", &beyond).await.status(),
            status,
            "{if_range}"
        );
    }
}
