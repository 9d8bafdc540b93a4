//! Parts of files.

use super::{NOTES, Site};

async fn part(site: &Site, path: &str, range: &str) -> nova_core::testing::TestResponse {
    let client = site.client(|files| files);
    client.get(path).header("range", range).await
}

#[tokio::test]
async fn a_range_is_a_206_cut_to_the_end_of_the_file() {
    let site = Site::new();
    for (range, content, of) in [
        ("bytes=0-3", "milk", "bytes 0-3/12"),
        ("bytes=9-", "tea", "bytes 9-11/12"),
        ("bytes=0-99", NOTES, "bytes 0-11/12"),
        ("bytes=-3", "tea", "bytes 9-11/12"),
        ("bytes=-99", NOTES, "bytes 0-11/12"),
        ("bytes=0-0", "m", "bytes 0-0/12"),
        ("bytes=0-1,2-3", "milk", "bytes 0-3/12"),
        ("bytes=0-3,100-", "milk", "bytes 0-3/12"),
    ] {
        let response = part(&site, "/assets/notes.txt", range).await;
        assert_eq!(response.status(), 206, "{range}");
        assert_eq!(response.text(), content, "{range}");
        assert_eq!(response.header("content-range"), Some(of), "{range}");
        let length = content.len().to_string();
        assert_eq!(response.header("content-length"), Some(&*length), "{range}");
        let content_type = response.header("content-type");
        assert_eq!(content_type, Some("text/plain; charset=utf-8"), "{range}");
        assert!(response.header("etag").is_some(), "{range}");
    }
}

#[tokio::test]
async fn two_fields_with_ranges_are_none() {
    let site = Site::new();
    let client = site.client(|files| files);
    let request = client.get("/assets/notes.txt").header("range", "bytes=0-3");
    let response = request.header("range", "bytes=9-").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.text(), NOTES);
}

#[tokio::test]
async fn bytes_that_the_file_does_not_have_are_a_416_that_tells_its_size() {
    let site = Site::new();
    for range in [
        "bytes=12-",
        "bytes=99-100",
        "bytes=-0",
        "bytes=5-2",
        "bytes=abc-",
        "bytes=",
    ] {
        let response = part(&site, "/assets/notes.txt", range).await;
        assert_eq!(response.status(), 416, "{range}");
        assert_eq!(
            response.header("content-range"),
            Some("bytes */12"),
            "{range}"
        );
    }
}

#[tokio::test]
async fn other_units_and_other_methods_than_get_know_no_ranges() {
    let site = Site::new();
    let response = part(&site, "/assets/notes.txt", "items=0-1").await;
    assert_eq!((response.status().as_u16(), response.text()), (200, NOTES));

    let client = site.client(|files| files);
    for range in ["bytes=0-3", "bytes=99-"] {
        let head = client
            .request("HEAD", "/assets/notes.txt")
            .header("range", range);
        let response = head.await;
        assert_eq!(response.status(), 200, "{range}");
        assert_eq!(response.header("content-length"), Some("12"), "{range}");
        assert_eq!(response.header("content-range"), None, "{range}");
    }
}

#[tokio::test]
async fn an_empty_file_is_sent_whole_whatever_the_range() {
    let site = Site::new();
    site.write("empty", "");
    for range in ["bytes=0-", "bytes=0-99", "bytes=-5"] {
        let response = part(&site, "/assets/empty", range).await;
        assert_eq!(response.status(), 200, "{range}");
        assert_eq!(response.header("content-length"), Some("0"), "{range}");
    }
}

#[tokio::test]
async fn several_ranges_are_parts_with_their_own_lines() {
    let site = Site::new();
    let response = part(&site, "/assets/notes.txt", "bytes=9-11, 0-3").await;

    assert_eq!(response.status(), 206);
    assert_eq!(response.header("content-range"), None);
    let content_type = response.header("content-type").unwrap();
    let boundary = content_type
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap();
    let lines = |range, content| {
        format!(
            "\r\n--{boundary}\r\ncontent-type: text/plain; charset=utf-8\r\n\
             content-range: bytes {range}/12\r\n\r\n{content}"
        )
    };
    let (first, second) = (lines("0-3", "milk"), lines("9-11", "tea"));
    assert_eq!(
        response.text(),
        format!("{first}{second}\r\n--{boundary}--\r\n")
    );
    let length = response.body().len().to_string();
    assert_eq!(response.header("content-length"), Some(&*length));
}

#[tokio::test]
async fn parts_of_a_long_file_are_the_right_ones() {
    let site = Site::new();
    let content: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    site.write("long.bin", &content);
    let response = part(&site, "/assets/long.bin", "bytes=1000-999999,2000000-").await;
    let body = response.body();

    assert_eq!(response.status(), 206);
    for part in [&content[1000..1_000_000], &content[2_000_000..]] {
        assert!(
            body.windows(part.len()).any(|own| own == part),
            "{}",
            part.len()
        );
    }
    let one = part(&site, "/assets/long.bin", "bytes=70000-2499999").await;
    assert!(one.body()[..] == content[70_000..2_500_000]);
}

#[tokio::test]
async fn overlapping_ranges_are_sent_once_and_too_many_are_refused() {
    let site = Site::new();
    let all = part(&site, "/assets/notes.txt", "bytes=0-,0-,0-,0-,0-,0-,0-,0-").await;
    assert_eq!((all.status().as_u16(), all.text()), (206, NOTES));

    let many = format!("bytes={}", "0-0,2-2,".repeat(10));
    assert_eq!(part(&site, "/assets/notes.txt", &many).await.status(), 416);
}
