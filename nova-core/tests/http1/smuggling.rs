//! Requests that two servers could read in two ways (RFC 9112 §11.2).

use super::{answers, is_refused, statuses};

fn post(fields: &str, body: &str) -> String {
    format!("POST /length HTTP/1.1\r\nhost: a\r\n{fields}\r\n{body}")
}

#[tokio::test(start_paused = true)]
async fn a_body_with_two_lengths_is_400() {
    for fields in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "content-length: 5\r\ncontent-length: 5\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5, 5\r\n",
        "content-length: +5\r\n",
        "content-length: -5\r\n",
        "content-length: 0x5\r\n",
        "content-length: 5 5\r\n",
        "content-length:\r\n",
        "content-length: 5;\r\n",
    ] {
        is_refused(&post(fields, "0\r\n\r\n"), &[400]).await;
    }
    let huge = "content-length: 99999999999999999999999\r\n";
    is_refused(&post(huge, ""), &[400, 413]).await;
}

#[tokio::test(start_paused = true)]
async fn codings_other_than_one_chunked_are_refused() {
    for coding in [
        "chunked, chunked",
        "chunked, identity",
        "identity",
        "gzip",
        "xchunked",
        "chunkedx",
        "\"chunked\"",
        "chunked;q=1",
        "",
        "\u{b}chunked",
    ] {
        let fields = format!("transfer-encoding: {coding}\r\n");
        is_refused(&post(&fields, "0\r\n\r\n"), &[400]).await;
    }
    is_refused(
        &post("transfer-encoding: gzip, chunked\r\n", "0\r\n\r\n"),
        &[501],
    )
    .await;
    let doubled = "transfer-encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    is_refused(&post(doubled, "0\r\n\r\n"), &[400]).await;
    let old = "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    is_refused(old, &[400]).await;
}

#[tokio::test(start_paused = true)]
async fn lines_that_can_be_read_in_two_ways_are_400() {
    for fields in [
        "x: a\r\n folded\r\n",
        "x: a\r\n\tfolded\r\n",
        "content-length : 5\r\n",
        "transfer-encoding : chunked\r\n",
        "transfer-encoding\t: chunked\r\n",
        " content-length: 5\r\n",
        "content-length: 5\n",
        "x: a\n",
        "x: a\rtransfer-encoding: chunked\r\n",
        "x: a\0b\r\n",
        "x\0y: a\r\n",
        "x y: a\r\n",
        ": a\r\n",
        "no colon\r\n",
    ] {
        is_refused(&post(fields, ""), &[400]).await;
    }
    for head in [
        "GET / HTTP/1.1\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\n\n",
        "GET / HTTP/1.1\nhost: a\n\n",
        "GET / HTTP/1.1\r\nhost: a\r\n\n",
        "\n\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / x HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET\t/ HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nhost: a\r\n\r\n",
        "GET / http/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.2\r\nhost: a\r\n\r\n",
        "GET / HTTP/9.9\r\nhost: a\r\n\r\n",
        "GET /\r\nhost: a\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n",
        "G@T / HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        is_refused(head, &[400]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn broken_chunks_are_400_and_the_end_of_the_connection() {
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "g\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "5;\r\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;a\0b\r\nhello\r\n0\r\n\r\n",
        "5;a=\"b\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\ncontent-length: 5\r\n\r\n",
        "5\r\nhello\r\n0\r\ntransfer-encoding: chunked\r\n\r\n",
        "5\r\nhello\r\n0\r\nhost: b\r\n\r\n",
        "5\r\nhello\r\n0\r\nx: a\n\r\n",
        "5\r\nhello\r\n0\r\nx : a\r\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
    ] {
        is_refused(&post("transfer-encoding: chunked\r\n", body), &[400]).await;
    }
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(20_000));
    is_refused(&post("transfer-encoding: chunked\r\n", &long), &[400]).await;
}

#[tokio::test(start_paused = true)]
async fn good_chunks_are_read_and_the_next_request_answered() {
    for body in [
        "5\r\nhello\r\n0\r\n\r\n",
        "0005\r\nhello\r\n000\r\n\r\n",
        "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        "5;a\r\nhello\r\n0;b=c\r\n\r\n",
        "5 ; a = \"b;\\\"\" ;c\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nx: a\r\ny:\r\n\r\n",
    ] {
        let chunked = post("Transfer-Encoding: Chunked\r\n", body);
        let answers = answers(&format!("{chunked}GET / HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        assert_eq!(statuses(&answers), [200, 200], "{body:?}: {answers}");
        assert!(answers.contains("5 bytes"), "{body:?}: {answers}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_is_no_request_whoever_reads_it_or_not() {
    let inner = "GET /none HTTP/1.1\r\nhost: smuggled\n\n";
    let sized = format!("content-length: {}\r\n", inner.len());
    let chunks = format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len());
    for path in ["/length", "/"] {
        for (fields, body) in [
            (&*sized, inner),
            ("transfer-encoding: chunked\r\n", &*chunks),
        ] {
            let request = format!("POST {path} HTTP/1.1\r\nhost: a\r\n{fields}\r\n{body}");
            let answers = answers(&format!("{request}GET / HTTP/1.1\r\nhost: a\r\n\r\n")).await;
            let found = statuses(&answers);
            assert!(!found.contains(&404), "{path} {fields}: {answers}");
            assert!(
                matches!(*found, [200] | [200, 200]),
                "{path} {fields}: {answers}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_waits_for_the_answers_before_it() {
    let good = "GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(40);
    let answers = answers(&format!(
        "{good}GET /slow HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n"
    ))
    .await;
    let found = statuses(&answers);

    assert_eq!(found[..41], [200; 41]);
    assert_eq!(found[41..], [400]);
}

#[tokio::test(start_paused = true)]
async fn a_request_behind_one_that_might_switch_protocols_is_answered() {
    let answers = answers(
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n\
         GET /slow HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n\
         POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nupgrade: x\r\n\r\nhello\
         GET / HTTP/1.1\r\n\r\n",
    )
    .await;

    assert_eq!(statuses(&answers), [200, 200, 200, 400], "{answers}");
}

#[tokio::test(start_paused = true)]
async fn a_request_may_come_byte_by_byte() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let client = nova_core::testing::TestClient::new(super::app("").unwrap());
    let mut stream = client.connect();
    let request = post(
        "transfer-encoding: chunked\r\n",
        "5;a=b\r\nhello\r\n0\r\nx: y\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    );
    for byte in request.bytes() {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    }
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();

    assert_eq!(statuses(&answers), [200, 200], "{answers}");
}
