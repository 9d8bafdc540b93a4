//! What is small to send and large to take, and what is simply too large.

use std::fmt::Write;

use crate::app::App;
use crate::routes::{ALICE, FORM, JSON};

#[test]
fn json_that_is_too_deep_is_a_400() {
    let app = App::start();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for depth in [128, 10_000, 300_000] {
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert_eq!(app.post("/json", &[JSON], deep).status, 400, "{depth}");
            let open = open.repeat(depth);
            assert_eq!(app.post("/json", &[JSON], &open).status, 400);
            assert_eq!(app.post("/login", &[JSON], &open).status, 400);
        }
    }
    let deep = format!("{{\"username\":{}1{}}}", "[".repeat(9999), "]".repeat(9999));
    let status = app.post("/login", &[JSON], deep).status;
    assert!([400, 422].contains(&status), "{status}");
    assert!(app.is_well());
}

#[test]
fn json_with_very_many_keys_is_taken_in_good_time() {
    let app = App::start();
    let mut wide = String::from("{\"k\":1");
    for n in 0..100_000 {
        write!(wide, ",\"{n}\":{n}").unwrap();
    }
    wide.push('}');
    assert_eq!(app.post("/json", &[JSON], &wide).text(), wide);
    assert_eq!(app.post("/login", &[JSON], &wide).status, 422);
    let fields = "a=1&".repeat(200_000);
    assert_eq!(app.post("/login", &[FORM], fields).status, 422);
}

#[test]
fn a_compressed_body_is_not_unpacked() {
    let app = App::start();
    // The head of a gzip stream, and no more: it is taken for what it is, bytes.
    let zipped = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xed\xc1\x01\x0d";
    let header = "content-encoding: gzip";
    let status = app.post("/json", &[JSON, header], zipped).status;
    assert!([400, 415].contains(&status), "{status}");
    assert_eq!(app.post("/upload", &[header], zipped).text(), "14");
}

#[test]
fn a_body_over_the_limit_is_a_413_however_it_comes() {
    let app = App::start();
    let long = vec![b'a'; 2 * 1024 * 1024 + 1];
    for path in ["/upload", "/json", "/broadcast"] {
        assert_eq!(app.post(path, &[JSON], &long).status, 413, "{path}");
    }
    assert_eq!(app.post("/login", &[FORM], &long).status, 413);
    let head = |fields: &str| {
        format!(
            "POST /upload HTTP/1.1\r\nhost: {}\r\n{fields}\r\n\r\n",
            app.address()
        )
    };
    let asks = app.raw(head("content-length: 99999999999\r\nexpect: 100-continue"));
    assert_eq!(asks.status, 413);

    let mut chunked = head("transfer-encoding: chunked").into_bytes();
    for _ in 0..33 {
        chunked.extend_from_slice(b"10000\r\n");
        chunked.extend(std::iter::repeat_n(b'a', 0x10000));
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(app.raw(chunked).status, 413);
    assert!(app.is_well());
}

#[test]
fn a_head_that_is_too_long_or_has_too_many_fields_is_a_431() {
    let app = App::start();
    let long = format!("x-long: {}", "a".repeat(200_000));
    assert_eq!(app.get("/hello", &[&long]).status, 431);
    let fields: Vec<String> = (0..150).map(|n| format!("x-{n}: {n}")).collect();
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    assert_eq!(app.get("/hello", &fields).status, 431);
    let path = format!("/hello?{}", "a".repeat(200_000));
    let status = app.get(&path, &[]).status;
    assert!([414, 431].contains(&status), "{status}");
    assert!(app.is_well());
}

#[test]
fn a_form_with_very_many_parts_is_refused_unread() {
    let app = App::start();
    let part = "--x\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n";
    let body = format!("{}--x--\r\n", part.repeat(20_000));
    let kind = "content-type: multipart/form-data; boundary=x";
    assert_eq!(app.post("/login", &[kind], &body).status, 415);
    assert_eq!(app.post("/form", &[kind], &body).status, 403);
}

#[test]
fn a_very_long_password_is_a_401_in_good_time() {
    let app = App::start();
    let long = format!("username=alice&password={}", "w".repeat(1_000_000));
    assert_eq!(app.post("/login", &[FORM], long).status, 401);
    assert_eq!(app.post("/login", &[FORM], ALICE).status, 200);
}

#[test]
fn what_is_no_http_is_answered_and_the_next_client_is_served() {
    let app = App::start();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GARBAGE\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET / HTTP/9.9\r\nhost: a\r\n\r\n",
        b"POST /json HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        b"POST /json HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n",
        b"POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n\r\n",
    ] {
        let status = app.raw(bytes).status;
        let told = String::from_utf8_lossy(bytes);
        assert!((400..506).contains(&status) && status != 500, "{told}: {status}");
    }
    assert!(app.is_well());
}
