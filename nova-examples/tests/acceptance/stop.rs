//! A stop under load: what is under way finishes, what is stuck is cut, and the port is free at once.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::app::{Answer, App};
use crate::frames::Socket;

/// A request that is certainly under way: the app has answered one on this connection before.
fn begun(app: &App, bytes: &[u8]) -> TcpStream {
    let mut stream = app.connect();
    stream
        .write_all(b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n")
        .unwrap();
    assert_eq!(Answer::read(&mut stream).unwrap().status, 200);
    stream.write_all(bytes).unwrap();
    stream
}

fn stop_under_load(signal: &str) {
    let app = App::start();
    let address = app.address().to_owned();
    let slow = b"GET /slow?ms=1500 HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut slow: Vec<TcpStream> = (0..20).map(|_| begun(&app, slow)).collect();
    let half =
        b"POST /upload HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 6\r\n\r\n";
    let mut uploads: Vec<TcpStream> = (0..20).map(|_| begun(&app, half)).collect();
    for upload in &mut uploads {
        // The app asks for the body: it is at it.
        assert_eq!(Answer::read(upload).unwrap().status, 100);
        upload.write_all(b"abc").unwrap();
    }
    let mut idle: Vec<TcpStream> = (0..20).map(|_| begun(&app, b"")).collect();
    let paths = ["/ws/echo", "/ws/notify"];
    let mut sockets: Vec<Socket> = (0..20).map(|n| Socket::open(&app, paths[n % 2])).collect();
    assert!(app.is_well());
    app.signal(signal);

    for idle in &mut idle {
        assert_eq!(
            idle.read(&mut [0]).unwrap(),
            0,
            "an idle connection is closed, within a second"
        );
    }
    assert!(TcpStream::connect(&address).is_err(), "nobody is let in");
    for upload in &mut uploads {
        upload.write_all(b"def").unwrap();
        let answer = Answer::read(upload).unwrap();
        assert_eq!((answer.status, &*answer.text()), (200, "6"));
        assert_eq!(answer.header("connection"), Some("close"));
    }
    for slow in &mut slow {
        let answer = Answer::read(slow).unwrap();
        assert_eq!((answer.status, &*answer.text()), (200, "1500 ms"));
        assert_eq!(answer.header("connection"), Some("close"));
    }
    for socket in &mut sockets {
        assert_eq!(socket.closed(), Some(1001));
    }
    drop(sockets);
    let (status, log) = app.ended();
    assert_eq!(status.code(), Some(0), "{log}");
    App::start_with(&[("NOVA_SERVER__LISTEN", &address)]);
}

#[test]
fn on_sigterm_all_that_is_under_way_ends_well_and_the_port_is_free() {
    stop_under_load("TERM");
}

#[test]
fn sigint_does_the_same() {
    stop_under_load("INT");
}

#[test]
fn what_is_stuck_is_cut_when_the_drain_is_over_and_the_exit_code_is_0() {
    let app = App::start_with(&[("NOVA_SERVER__SHUTDOWN_DRAIN_TIMEOUT", "1")]);
    let address = app.address().to_owned();
    let mut stuck = [
        begun(&app, b"GET /slow?ms=60000 HTTP/1.1\r\nhost: a\r\n\r\n"),
        begun(
            &app,
            b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc",
        ),
        begun(&app, b"GET /hel"),
    ];
    let _deaf = Socket::open(&app, "/ws/notify");
    assert!(app.is_well());
    let begun = Instant::now();
    app.signal("TERM");
    let (status, log) = app.ended();

    assert_eq!(status.code(), Some(0), "{log}");
    assert!(
        begun.elapsed() < Duration::from_secs(6),
        "{:?}",
        begun.elapsed()
    );
    for stream in &mut stuck {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest); // cut, or reset
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
    }
    TcpListener::bind(address).unwrap();
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let app = App::start();
    let _stuck = begun(&app, b"GET /slow?ms=60000 HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(app.is_well());
    let begun = Instant::now();
    app.signal("TERM");
    while TcpStream::connect(app.address()).is_ok() {
        std::thread::yield_now(); // until it has heard the first one
    }
    app.signal("TERM");
    let (status, log) = app.ended();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{log}");
}
