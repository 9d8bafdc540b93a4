//! Files as replies.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::fs;
use std::path::{Path, PathBuf};

use nova_core::testing::TestClient;
use nova_core::{App, Environment, Reply, Request, sendfile, status};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A folder with `notes.txt`, of twelve bytes.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("notes.txt"), "milk and tea").unwrap();
    folder
}

/// An app that answers everything with what `answer` makes of this path.
fn client(path: PathBuf, answer: fn(&Path) -> Reply) -> TestClient {
    let answer = move |_: Request| {
        let reply = answer(&path);
        async move { reply }
    };
    let app = App::builder().environment(Environment::Prod);
    TestClient::new(app.route(("/", answer)).build().unwrap())
}

#[tokio::test]
async fn a_file_is_sent_with_its_length_and_its_type() {
    let folder = folder();
    let client = client(folder.path().join("notes.txt"), |path| sendfile(path));
    for (method, body) in [
        ("GET", "milk and tea"),
        ("POST", "milk and tea"),
        ("HEAD", ""),
    ] {
        let response = client.request(method, "/").await;
        assert_eq!(response.status(), 200, "{method}");
        assert_eq!(response.header("content-length"), Some("12"), "{method}");
        assert_eq!(
            response.header("content-type"),
            Some("text/plain; charset=utf-8"),
            "{method}"
        );
        assert_eq!(response.text(), body, "{method}");
    }
}

#[tokio::test]
async fn the_type_goes_by_the_end_of_the_name_unless_the_reply_says_it() {
    let folder = folder();
    for (name, expected) in [
        ("a.html", "text/html; charset=utf-8"),
        ("a.CSS", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.png", "image/png"),
        ("a.pdf", "application/pdf"),
        ("a.unheard-of", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, "x").unwrap();
        let response = client(path.clone(), |path| sendfile(path)).get("/").await;
        assert_eq!(response.header("content-type"), Some(expected), "{name}");

        let own = client(path, |path| sendfile(path).content_type("image/webp"));
        let types = own.get("/").await;
        let types: Vec<_> = types.headers().get_all("content-type").iter().collect();
        assert_eq!(types, ["image/webp"], "{name}");
    }
}

#[tokio::test]
async fn a_part_of_a_file_is_what_is_there_of_it() {
    let folder = folder();
    for (answer, expected) in [
        (
            (|path| sendfile(path).offset(9)) as fn(&Path) -> Reply,
            "tea",
        ),
        (|path| sendfile(path).length(4), "milk"),
        (|path| sendfile(path).offset(5).length(3), "and"),
        (|path| sendfile(path).length(3).offset(5), "and"),
        (|path| sendfile(path).offset(9).length(1000), "tea"),
        (|path| sendfile(path).length(u64::MAX), "milk and tea"),
        (|path| sendfile(path).offset(12), ""),
        (|path| sendfile(path).offset(13).length(1), ""),
        (|path| sendfile(path).offset(u64::MAX).length(u64::MAX), ""),
        (|path| sendfile(path).length(0), ""),
    ] {
        let response = client(folder.path().join("notes.txt"), answer)
            .get("/")
            .await;
        assert_eq!(response.status(), 200, "{expected}");
        assert_eq!(response.text(), expected);
        let length = expected.len().to_string();
        assert_eq!(response.header("content-length"), Some(&*length));
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_a_404_that_does_not_tell_its_path() {
    let folder = folder();
    for name in [
        "nothing.txt",
        "notes.txt/below",
        "nul\0.txt",
        &"x".repeat(5000),
    ] {
        let path = folder.path().join(name);
        let response = client(path, |path| sendfile(path)).get("/").await;
        assert_eq!(response.status(), 404, "{name:?}");
        assert!(!response.text().contains("cannot be sent"), "{name:?}");
    }
}

#[tokio::test]
async fn what_is_no_file_or_cannot_be_read_is_a_500() {
    let folder = folder();
    let response = client(folder.path().into(), |path| sendfile(path))
        .get("/")
        .await;
    assert_eq!(response.status(), 500);
    for answer in [
        (|_| status(200).text("no file").offset(1)) as fn(&Path) -> Reply,
        |_| status(200).text("no file").length(1),
    ] {
        let response = client(folder.path().into(), answer).get("/").await;
        assert_eq!(response.status(), 500);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_is_a_500_and_nobody_waits_for_its_writer() {
    let folder = folder();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());

    let response = client(pipe, |path| sendfile(path)).get("/").await;
    assert_eq!(response.status(), 500);
}

#[tokio::test]
async fn a_long_file_arrives_whole() {
    let folder = folder();
    let path = folder.path().join("long.bin");
    let content: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    fs::write(&path, &content).unwrap();
    let response = client(path, |path| sendfile(path)).get("/").await;

    assert_eq!(response.header("content-length"), Some("3000000"));
    assert!(response.body() == &content);
}

#[tokio::test]
async fn a_file_that_shrinks_while_it_is_sent_cuts_the_connection() {
    let folder = folder();
    let path = folder.path().join("long.bin");
    fs::write(&path, vec![b'x'; 4_000_000]).unwrap();
    let client = client(path.clone(), |path| sendfile(path));
    let mut connection = client.connect();
    let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    connection.write_all(request).await.unwrap();
    connection.read_exact(&mut [0; 15]).await.unwrap();

    // Most of it has not been read yet, as this client takes nothing.
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(0).unwrap();
    let mut rest = Vec::new();
    connection.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() < 4_000_000, "{}", rest.len());
}

#[tokio::test]
async fn an_answer_without_content_does_not_look_for_its_file() {
    let folder = folder();
    let missing = client(folder.path().join("nothing"), |path| {
        sendfile(path).with_status(304)
    });
    assert_eq!(missing.get("/").await.status(), 304);
}
