//! What each route of the app answers.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::app::App;

pub(crate) const FORM: &str = "content-type: application/x-www-form-urlencoded";
pub(crate) const JSON: &str = "content-type: application/json";
pub(crate) const ALICE: &str = "username=alice&password=wonder";

#[test]
fn hello_is_a_short_text_that_is_always_the_same() {
    let app = App::start();
    for _ in 0..2 {
        let answer = app.get("/hello", &[]);
        assert_eq!((answer.status, &*answer.text()), (200, "Hello, World!"));
    }
}

#[test]
fn json_comes_back_as_it_was_whatever_its_numbers() {
    let app = App::start();
    for json in [
        r#"{"a":[1,2.50,null,true,"é\u00e9"],"b":{}}"#,
        "123456789012345678901234567890",
        "0.1000000000000000055511151231257827",
        "\"text\"",
        "null",
    ] {
        let answer = app.post("/json", &[JSON], json);
        assert_eq!((answer.status, &*answer.text()), (200, json));
    }
}

#[test]
fn what_is_no_json_is_a_400() {
    let app = App::start();
    for json in [
        "",
        "{",
        "{}{}",
        "[1,]",
        "\u{0}",
        "NaN",
        "1e999",
        "'a'",
        "{\"a\":\"\\ud800\"}",
    ] {
        assert_eq!(app.post("/json", &[JSON], json).status, 400, "{json:?}");
    }
    assert_eq!(app.post("/json", &[JSON], b"\"\xff\"").status, 400);
}

#[test]
fn an_upload_is_counted_with_and_without_a_declared_length() {
    let app = App::start();
    let long = vec![b'a'; 2 * 1024 * 1024];
    for body in [&b""[..], b"abc", &long] {
        let answer = app.post("/upload", &[], body);
        let expected = body.len().to_string();
        assert_eq!((answer.status, answer.text()), (200, expected));
    }
    let chunked = format!(
        "POST /upload HTTP/1.1\r\nhost: {}\r\ntransfer-encoding: chunked\r\n\r\n\
         3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n",
        app.address()
    );
    assert_eq!(app.raw(chunked).text(), "19");
}

#[test]
fn slow_takes_as_long_as_it_is_told_and_at_most_a_minute() {
    let app = App::start();
    let begun = Instant::now();
    assert_eq!(app.get("/slow?ms=150", &[]).status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(150));
    for (query, status) in [
        ("ms=0", 200),
        ("ms=60001", 400),
        ("ms=99999999999999999999", 422),
        ("ms=-1", 422),
        ("ms=x", 422),
        ("ms=%zz", 400),
        ("", 422),
    ] {
        let answer = app.get(&format!("/slow?{query}"), &[]);
        assert_eq!(answer.status, status, "{query}");
    }
}

#[test]
fn who_logs_in_with_a_form_or_json_is_known_until_the_log_out() {
    let app = App::start();
    let json = r#"{"username":"bob","password":"builder"}"#;
    for (name, kind, body) in [("alice", FORM, ALICE), ("bob", JSON, json)] {
        let answer = app.post("/login", &[kind], body);
        assert_eq!(answer.status, 200, "{name}");
        let cookie = answer.cookie();
        let who = app.get("/whoami", &[&cookie]);
        assert_eq!((who.status, &*who.text()), (200, name));

        assert_eq!(app.post("/logout", &[&cookie], "").status, 200);
        assert_eq!(app.get("/whoami", &[&cookie]).status, 401);
    }
    assert_eq!(app.get("/whoami", &[]).status, 401);
    assert_eq!(app.post("/logout", &[], "").status, 200, "nobody is in");
}

#[test]
fn a_wrong_name_or_password_is_a_401_without_a_cookie() {
    let app = App::start();
    for credentials in [
        "username=alice&password=builder",
        "username=alice&password=",
        "username=mallory&password=wonder",
        "username=Alice&password=wonder",
        "username=alice%00&password=wonder",
    ] {
        let answer = app.post("/login", &[FORM], credentials);
        assert_eq!(answer.status, 401, "{credentials}");
        assert_eq!(answer.header("set-cookie"), None);
    }
    for malformed in ["", "username=alice", "username=%zz&password=a"] {
        let status = app.post("/login", &[FORM], malformed).status;
        assert!([400, 422].contains(&status), "{malformed}: {status}");
    }
}

#[test]
fn a_session_that_is_not_used_ends_after_the_idle_life_of_the_variable() {
    let app = App::start_with(&[("NOVA_SESSION__IDLE", "1")]);
    let cookie = app.post("/login", &[FORM], ALICE).cookie();
    assert_eq!(app.get("/whoami", &[&cookie]).status, 200);
    sleep(Duration::from_millis(1100)); // the life of a session in another process is real time
    assert_eq!(app.get("/whoami", &[&cookie]).status, 401);
}

#[test]
fn the_page_opens_the_socket_and_shows_events_as_text() {
    let app = App::start();
    let page = app.get("/", &[]).text();
    for part in [
        "id=\"status\"",
        "id=\"events\"",
        "/ws/notify",
        "item.textContent = data",
    ] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
}

#[test]
fn every_answer_has_the_headers_that_protect() {
    let app = App::start();
    app.file("a.txt", "a");
    for path in [
        "/",
        "/hello",
        "/static/a.txt",
        "/nothing",
        "/form",
        "/whoami",
    ] {
        let answer = app.get(path, &[]);
        let sniff = answer.header("x-content-type-options");
        assert_eq!(sniff, Some("nosniff"), "{path}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
    }
}

#[test]
fn other_methods_are_a_405_that_names_those_that_are_there() {
    let app = App::start();
    for (line, allow) in [
        ("DELETE /hello", "GET, HEAD, OPTIONS"),
        ("TRACE /hello", "GET, HEAD, OPTIONS"),
        ("GET /json", "POST, OPTIONS"),
        ("PUT /upload", "POST, OPTIONS"),
        ("MADE-UP /broadcast", "POST, OPTIONS"),
    ] {
        let answer = app.send(line, &[], "");
        assert_eq!(answer.status, 405, "{line}");
        assert_eq!(answer.header("allow"), Some(allow), "{line}");
    }
}
