//! Who gets a WebSocket, and who hears what.

use std::io::Write;

use crate::app::App;
use crate::frames::{BINARY, Socket, TEXT, handshake};

const FIN: u8 = 0x80;

#[test]
fn each_broadcast_is_one_text_for_everybody_at_notify() {
    let app = App::start();
    let mut sockets: Vec<Socket> = (0..20).map(|_| Socket::open(&app, "/ws/notify")).collect();
    let long = "é".repeat(32_768);
    let said = ["one", "", "{\"two\":2}", "<b>three</b>", &long];
    for text in said {
        assert_eq!(app.post("/broadcast", &[], text).status, 200);
    }
    for socket in &mut sockets {
        for text in said {
            assert_eq!(
                socket.receive(),
                Some((FIN | TEXT, text.as_bytes().to_vec()))
            );
        }
    }
}

#[test]
fn what_is_published_is_utf_8_and_may_be_as_long_as_a_body() {
    let app = App::start();
    let mut socket = Socket::open(&app, "/ws/notify");
    let long = vec![b'a'; 2 * 1024 * 1024];
    assert_eq!(app.post("/broadcast", &[], b"\xff").status, 400);
    assert_eq!(app.post("/broadcast", &[], &long).status, 200);
    assert_eq!(socket.receive(), Some((FIN | TEXT, long)));
}

#[test]
fn who_does_not_read_holds_neither_the_others_nor_the_publisher_up() {
    let app = App::start();
    let mut deaf = Socket::open(&app, "/ws/notify");
    let mut other = Socket::open(&app, "/ws/notify");
    let long = vec![b'a'; 60_000];
    for _ in 0..300 {
        assert_eq!(app.post("/broadcast", &[], &long).status, 200);
        assert_eq!(other.receive(), Some((FIN | TEXT, long.clone())));
    }
    assert!(
        matches!(deaf.closed(), Some(1013) | None),
        "too much waited for it"
    );
}

#[test]
fn what_a_client_says_at_notify_is_not_passed_on() {
    let app = App::start();
    let mut one = Socket::open(&app, "/ws/notify");
    let mut two = Socket::open(&app, "/ws/notify");
    one.send(TEXT, b"psst");
    one.send(BINARY, b"psst");
    app.post("/broadcast", &[], "said");
    for socket in [&mut one, &mut two] {
        assert_eq!(socket.receive(), Some((FIN | TEXT, b"said".to_vec())));
    }
}

#[test]
fn a_page_of_another_site_gets_no_socket() {
    let app = App::start();
    let own = format!("origin: http://{}", app.address());
    for (origin, status) in [
        (&*own, 101),
        ("origin: https://evil.example", 403),
        ("origin: null", 403),
        ("origin: http://127.0.0.1", 403),
        (&format!("{own}.evil.example"), 403),
        ("origin:", 403),
    ] {
        for path in ["/ws/echo", "/ws/notify"] {
            let answer = app.raw(handshake(&app, path, &[origin]));
            assert_eq!(answer.status, status, "{origin}");
        }
    }
}

#[test]
fn what_is_no_handshake_is_refused_as_rfc_6455_says() {
    let app = App::start();
    let whole = String::from_utf8(handshake(&app, "/ws/echo", &[])).unwrap();
    for (part, other, status) in [
        ("sec-websocket-version: 13", "sec-websocket-version: 8", 426),
        ("sec-websocket-version: 13\r\n", "", 426),
        ("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "short", 400),
        (
            "dGhlIHNhbXBsZSBub25jZQ==",
            "dGhlIHNhbXBsZSBub25jZSBsb25n",
            400,
        ),
        ("upgrade: websocket", "upgrade: h2c", 426),
        ("connection: Upgrade", "connection: keep-alive", 426),
        ("host:", "content-length: 3\r\nhost:", 400),
        ("host:", "transfer-encoding: chunked\r\nhost:", 400),
        ("GET /", "POST /", 405),
        ("HTTP/1.1", "HTTP/1.0", 400),
        ("/ws/echo", "/ws/nothing", 404),
    ] {
        assert!(whole.contains(part), "{part}");
        let answer = app.raw(whole.replacen(part, other, 1));
        assert_eq!(answer.status, status, "{part} -> {other}");
    }
    let fine = whole
        .replace("Upgrade", "keep-alive, UPGRADE")
        .replace(": websocket", ": WebSocket");
    assert_eq!(app.raw(fine).status, 101);
}

#[test]
fn sockets_that_are_cut_in_the_middle_are_forgotten() {
    let app = App::start();
    for n in 0..300 {
        let mut stream = app.connect();
        stream
            .write_all(&handshake(&app, "/ws/notify", &[]))
            .unwrap();
        if n % 2 == 0 {
            stream.write_all(&[0x81, 0xfe, 0xff]).unwrap();
        }
    }
    assert_eq!(app.post("/broadcast", &[], "said").status, 200);
    app.signal("TERM");
    let (status, log) = app.ended();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}
