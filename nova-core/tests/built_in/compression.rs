use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use futures_util::stream;
use nova_core::testing::{TestClient, TestResponse};
use nova_core::{App, Reply, Request, bytes, text};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::{assert_wrong, router};

/// An answer of as many bytes as the path says.
async fn answer(request: Request) -> nova_core::Result<Reply> {
    let length: usize = request.binding("length")?;
    let reply = text("nova ".repeat(length / 5 + 1)[..length].to_owned());
    Ok(match request.uri().query() {
        Some("image") => reply.content_type("image/png"),
        Some("none") => bytes("x".repeat(length)).content_type("application/octet-stream"),
        Some("json") => reply.content_type("application/problem+json"),
        Some("encoded") => reply.header("content-encoding", "gzip"),
        Some("part") => reply
            .with_status(206)
            .header("content-range", "bytes 0-1/2"),
        Some("fixed") => reply.header("cache-control", "private, No-Transform"),
        Some("strong") => reply
            .header("etag", "\"1\"")
            .header("accept-ranges", "bytes"),
        Some("weak") => reply
            .header("etag", "W/\"1\"")
            .header("vary", "origin, Accept-Encoding"),
        _ => reply,
    })
}

async fn events(_: Request) -> Reply {
    let event = format!("data: {}\n\n", "x".repeat(2000));
    nova_core::stream(stream::iter([Ok::<_, nova_core::Error>(event)]))
        .content_type("text/event-stream; charset=utf-8")
}

/// Sends a piece, and then nothing more.
async fn waits(_: Request) -> Reply {
    let first = stream::iter([Ok::<_, nova_core::Error>("first ".repeat(10))]);
    let never = stream::pending();
    nova_core::stream(futures_util::StreamExt::chain(first, never)).content_type("text/plain")
}

async fn breaks(_: Request) -> Reply {
    let pieces = [Ok("first"), Err(nova_core::Error::new(500, "gone"))];
    nova_core::stream(stream::iter(pieces)).content_type("text/plain")
}

fn client_with(options: &str) -> TestClient {
    let routes = r#"
        ["/{length}", "answer"], ["/events", "events"], ["/waits", "waits"], ["/breaks", "breaks"],
        ["/unchanged", "unchanged"],
    "#;
    let app = App::builder()
        .action("answer", answer)
        .action("events", events)
        .action("waits", waits)
        .action("breaks", breaks)
        .action("unchanged", |_| async {
            nova_core::status(304).header("etag", "\"1\"")
        });
    let plugins = format!("[\"compression\", {{ {options} }}]");
    super::client(app, &router(&plugins, routes))
}

fn client() -> TestClient {
    client_with("")
}

async fn decoded(response: &TestResponse) -> String {
    let body = &response.body()[..];
    let mut decoder: Box<dyn AsyncRead + Unpin> = match response.header("content-encoding") {
        Some("zstd") => Box::new(ZstdDecoder::new(body)),
        Some("br") => Box::new(BrotliDecoder::new(body)),
        Some("gzip") => Box::new(GzipDecoder::new(body)),
        other => panic!("{other:?}"),
    };
    let mut text = String::new();
    decoder.read_to_string(&mut text).await.unwrap();
    text
}

async fn get(client: &TestClient, path: &str, accepted: &str) -> TestResponse {
    client.get(path).header("accept-encoding", accepted).await
}

#[tokio::test]
async fn answers_are_compressed_as_the_client_likes_best() {
    let client = client();
    for length in [860, 64 * 1024, 200_000] {
        for (accepted, expected) in [
            ("gzip", "gzip"),
            ("br", "br"),
            ("zstd", "zstd"),
            ("gzip, deflate, br, zstd", "zstd"),
            ("gzip, br;q=0.9", "gzip"),
        ] {
            let response = get(&client, &format!("/{length}"), accepted).await;
            assert_eq!(response.header("content-encoding"), Some(expected));
            assert_eq!(response.header("vary"), Some("accept-encoding"));
            assert!(response.body().len() < length / 4);
            let text = decoded(&response).await;
            assert_eq!(text.len(), length);
            assert!(text.starts_with("nova nova"));
            let known = response.header("content-length").is_some();
            assert_eq!(known, length <= 64 * 1024);
        }
    }
}

#[tokio::test]
async fn what_should_not_be_compressed_is_not() {
    let client = client();
    for (path, varies) in [
        ("/859", false),
        ("/2000?image", false),
        ("/2000?none", false),
        ("/2000?part", false),
        ("/2000?fixed", false),
        ("/events", false),
        ("/unchanged", true),
    ] {
        let response = get(&client, path, "gzip, br, zstd").await;
        assert_eq!(response.header("content-encoding"), None, "{path}");
        assert_eq!(response.header("vary").is_some(), varies, "{path}");
    }
    let response = get(&client, "/2000?encoded", "zstd").await;
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    assert_eq!(response.body().len(), 2000);
    for accepted in ["", "identity", "deflate", "gzip;q=0"] {
        let response = get(&client, "/2000", accepted).await;
        assert_eq!(response.header("content-encoding"), None, "{accepted}");
        assert_eq!(response.header("vary"), Some("accept-encoding"));
        assert_eq!(response.body().len(), 2000);
    }
    let response = get(&client, "/2000?json", "gzip").await;
    assert_eq!(response.header("content-encoding"), Some("gzip"));
}

#[tokio::test]
async fn a_strong_tag_becomes_weak_and_nothing_is_said_twice() {
    let client = client();
    let response = get(&client, "/2000?strong", "gzip").await;
    assert_eq!(response.header("etag"), Some("W/\"1\""));
    assert_eq!(response.header("accept-ranges"), None);
    let response = get(&client, "/2000?strong", "identity").await;
    assert_eq!(response.header("etag"), Some("\"1\""));
    let response = get(&client, "/2000?weak", "gzip").await;
    assert_eq!(response.header("etag"), Some("W/\"1\""));
    assert_eq!(response.headers().get_all("vary").iter().count(), 1);
}

#[tokio::test]
async fn a_304_has_the_tag_of_the_answer_that_the_client_has() {
    let client = client();
    for (known, tag) in [
        ("W/\"1\"", "W/\"1\""),
        ("\"2\", W/\"1\"", "W/\"1\""),
        ("\"1\"", "\"1\""),
        ("*", "\"1\""),
    ] {
        let request = client.get("/unchanged").header("if-none-match", known);
        let response = request.header("accept-encoding", "gzip").await;
        assert_eq!(response.header("etag"), Some(tag), "{known}");
    }
}

#[tokio::test]
async fn a_head_has_the_headers_of_the_get_and_no_length_that_is_not_so() {
    let client = client();
    let head = client.request("HEAD", "/2000");
    let head = head.header("accept-encoding", "gzip").await;
    assert_eq!(head.header("content-encoding"), Some("gzip"));
    assert_eq!(head.header("vary"), Some("accept-encoding"));
    assert_eq!(head.header("content-length"), None);
    assert!(head.body().is_empty());
}

#[tokio::test]
async fn what_a_stream_has_is_sent_when_nothing_more_comes() {
    let client = client();
    let mut connection = client.connect();
    let request = "GET /waits HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\n\r\n";
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The end of the head, a chunk's length, and gzip's first bytes with a flushed block behind.
    while !answer.ends_with(b"\r\n") || answer.ends_with(b"\r\n\r\n") || answer.len() < 180 {
        assert_ne!(connection.read_buf(&mut answer).await.unwrap(), 0);
    }
    let body = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    let chunk = &answer[body..];
    let data = chunk.windows(2).position(|two| two == b"\r\n").unwrap() + 2;
    let mut decoder = GzipDecoder::new(&chunk[data..chunk.len() - 2]);
    let mut first = [0; 60];
    decoder.read_exact(&mut first).await.unwrap();
    assert_eq!(first, "first ".repeat(10).as_bytes());
}

#[tokio::test]
async fn a_stream_that_breaks_off_breaks_off_compressed_too() {
    let client = client();
    let mut connection = client.connect();
    let request = "GET /breaks HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\n\r\n";
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    assert!(
        !answer.ends_with(b"0\r\n\r\n"),
        "the last chunk is not there"
    );
}

#[tokio::test]
async fn what_is_offered_and_from_which_length_can_be_said() {
    let client = client_with(r#"algorithms = ["br", "gzip"], min_length = 10"#);
    let response = get(&client, "/10", "zstd, gzip, br").await;
    assert_eq!(response.header("content-encoding"), Some("br"));
    assert_eq!(
        get(&client, "/9", "br").await.header("content-encoding"),
        None
    );
    assert_eq!(
        get(&client, "/10", "zstd").await.header("content-encoding"),
        None
    );
    assert_wrong(
        r#"["compression", { algorithms = [] }]"#,
        "it has no `algorithms`",
    );
    let wrong = r#"["compression", { algorithms = ["lzma"] }]"#;
    assert_wrong(wrong, "`algorithms` is wrong: unknown variant `lzma`");
}
