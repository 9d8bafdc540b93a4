//! Files with unusual names, and of unusual lengths.

use std::fs;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Site;

#[tokio::test]
async fn names_are_percent_decoded_once() {
    let site = Site::new();
    for (name, path) in [
        ("a b.txt", "/assets/a%20b.txt"),
        ("a+b.txt", "/assets/a+b.txt"),
        ("a+c.txt", "/assets/a%2Bc.txt"),
        ("é.txt", "/assets/%C3%A9.txt"),
        ("a%20c.txt", "/assets/a%2520c.txt"),
        ("a?b#c.txt", "/assets/a%3Fb%23c.txt"),
        ("a@2x.png", "/assets/a%402x.png"),
    ] {
        site.write(name, name);
        assert_eq!(site.get(path).await.text(), name, "{path}");
    }
}

#[tokio::test]
async fn slashes_count_for_as_little_as_in_all_paths() {
    let site = Site::new();
    for path in [
        "/assets//sub///deep.txt",
        "//assets/sub/deep.txt",
        "/assets/sub/deep.txt/",
    ] {
        assert_eq!(site.get(path).await.text(), "deep", "{path}");
    }
    assert_eq!(site.get("/assets/sub/deep.txt//").await.status(), 404);
}

#[tokio::test]
async fn an_empty_file_is_an_empty_answer() {
    let site = Site::new();
    site.write("empty", "");
    let response = site.get("/assets/empty").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.header("content-length"), Some("0"));
}

#[tokio::test]
async fn a_long_file_arrives_whole_and_has_a_tag_of_its_own() {
    let site = Site::new();
    let content: Vec<u8> = (0..20_000_000u32).map(|n| (n % 251) as u8).collect();
    site.write("long.bin", &content);
    let response = site.get("/assets/long.bin").await;

    assert_eq!(response.header("content-length"), Some("20000000"));
    assert!(response.body() == &content);
    let tag = response.header("etag").unwrap().to_owned();
    assert!(tag.starts_with("W/\""), "it was written just now: {tag}");
    fs::write(site.path("long.bin"), &content).unwrap();
    assert_ne!(
        site.get("/assets/long.bin").await.header("etag").unwrap(),
        tag
    );
}

/// How many open files of this process are the one at `path`.
#[cfg(target_os = "linux")]
fn open(path: &std::path::Path) -> usize {
    let open = fs::read_dir("/proc/self/fd").unwrap();
    let open = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    open.filter(|link| link == path).count()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_that_hangs_up_in_the_middle_leaves_no_file_open() {
    let site = Site::new();
    site.write("long.bin", vec![b'x'; 4_000_000]);
    let path = site.path("long.bin").canonicalize().unwrap();
    let client = site.client(|files| files);
    for range in ["", "range: bytes=0-999999,2000000-\r\n"] {
        let mut connection = client.connect();
        let request = format!("GET /assets/long.bin HTTP/1.1\r\nhost: x\r\n{range}\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        connection.read_exact(&mut [0; 100]).await.unwrap();
        assert_eq!(open(&path), 1, "{range}");

        drop(connection);
        let mut turns = 0;
        while open(&path) > 0 {
            tokio::task::yield_now().await;
            turns += 1;
            assert!(turns < 100_000, "the file is still open: {range}");
        }
    }
    assert_eq!(client.get("/assets/notes.txt").await.status(), 200);
}

#[tokio::test]
async fn a_file_that_shrinks_while_it_is_sent_cuts_the_connection() {
    let site = Site::new();
    site.write("long.bin", vec![b'x'; 4_000_000]);
    let client = site.client(|files| files);
    let mut connection = client.connect();
    let request = b"GET /assets/long.bin HTTP/1.1\r\nhost: x\r\n\r\n";
    connection.write_all(request).await.unwrap();
    connection.read_exact(&mut [0; 15]).await.unwrap();

    let file = fs::OpenOptions::new()
        .write(true)
        .open(site.path("long.bin"))
        .unwrap();
    file.set_len(0).unwrap();
    let mut rest = Vec::new();
    connection.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() < 4_000_000, "{}", rest.len());
}
