//! Whom a request is for (RFC 9112 §3.2).

use super::{answers, is_refused, statuses};

#[tokio::test(start_paused = true)]
async fn a_request_without_a_host_or_with_two_is_400() {
    for fields in [
        "",
        "host: a\r\nhost: a\r\n",
        "host: a\r\nHOST: b\r\n",
        "hosts: a\r\n",
    ] {
        is_refused(&format!("GET / HTTP/1.1\r\n{fields}\r\n"), &[400]).await;
        is_refused(&format!("GET http://a/ HTTP/1.1\r\n{fields}\r\n"), &[400]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_malformed_host_is_400() {
    for host in [
        "", " ", "a b", "a, b", "a/b", "a@b", "a:b", "a:80:80", ":80", "http://a", "a#b", "a?b",
        "[::1", "::1", "[x]", "[::1]x", "a\\b", "a:123456", "%zz",
    ] {
        is_refused(&format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"), &[400]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_good_host_is_answered() {
    for host in [
        "a",
        "A.example.com",
        "a.example.:8080",
        "a:",
        "127.0.0.1:80",
        "[::1]",
        "[::1]:80",
        "a_b",
        "a~b!",
        "xn--bcher-kva.example",
    ] {
        let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n");
        assert_eq!(statuses(&answers(&request).await), [200], "{host}");
    }
}

#[tokio::test(start_paused = true)]
async fn http_1_0_needs_no_host_but_no_two() {
    assert!(answers("GET / HTTP/1.0\r\n\r\n").await.contains("200 OK"));
    is_refused("GET / HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n", &[400]).await;
}

#[tokio::test(start_paused = true)]
async fn a_target_has_one_of_the_four_forms() {
    for target in [
        "*",
        "hello",
        "a:80",
        "ftp://a/",
        "http://",
        "http:///",
        "http://a@b/",
        "",
        "/#",
        "/a?b#c",
        "http://a#b",
        "http://a/#b",
        "/é",
        "/?é",
        "http://a/é",
    ] {
        for method in ["GET", "POST", "PUT"] {
            let head = format!("{method} {target} HTTP/1.1\r\nhost: a\r\n\r\n");
            is_refused(&head, &[400]).await;
        }
    }
    let absolute = "GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n";
    assert_eq!(statuses(&answers(absolute).await), [200]);
}
