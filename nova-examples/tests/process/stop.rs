//! A stop while requests are under way.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::app::{NotesProcess, command};
use crate::common::TestDatabase;

on_both! {
    #[test] fn
        requests_and_uploads_in_flight_finish_whichever_signal_stops_the_app,
        what_is_stuck_is_cut_at_the_limit_and_the_exit_code_is_0;
}

const NOTE: &str = r#"{"title":"T","body":"B","author":"ann"}"#;

/// A request whose body is half sent, and which the app has begun to answer.
fn half_sent(app: &NotesProcess) -> TcpStream {
    let mut stream = TcpStream::connect(app.address()).unwrap();
    write!(
        stream,
        "POST /api/notes HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        NOTE.len()
    )
    .unwrap();
    let mut going_on = [0; 25];
    stream.read_exact(&mut going_on).unwrap();
    assert_eq!(&going_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&NOTE.as_bytes()[..10]).unwrap();
    stream
}

/// A connection that has been answered, and is kept.
fn kept(app: &NotesProcess) -> TcpStream {
    let mut stream = TcpStream::connect(app.address()).unwrap();
    let request = "GET /heartbeat HTTP/1.1\r\nhost: a\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut room = [0; 1024];
        let count = stream.read(&mut room).unwrap();
        assert_ne!(count, 0);
        answer.extend_from_slice(&room[..count]);
    }
    stream
}

fn rest(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn requests_and_uploads_in_flight_finish_whichever_signal_stops_the_app(database: TestDatabase) {
    for signal in ["TERM", "INT"] {
        let app = NotesProcess::start(&database);
        let address = app.address().to_owned();
        let uploads: Vec<_> = (0..16).map(|_| half_sent(&app)).collect();
        let kept: Vec<_> = (0..16).map(|_| kept(&app)).collect();
        app.signal(signal);
        app.wait_for_log("stopping");

        for idle in kept {
            assert_eq!(rest(idle), "");
        }
        assert!(TcpStream::connect(&address).is_err());
        for mut upload in uploads {
            upload.write_all(&NOTE.as_bytes()[10..]).unwrap();
            let answer = rest(upload);
            assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
            assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        }
        let (status, log) = app.ended();
        assert_eq!(status.code(), Some(0), "{log}");
        TcpListener::bind(address).unwrap();
    }
}

fn what_is_stuck_is_cut_at_the_limit_and_the_exit_code_is_0(database: TestDatabase) {
    let limit = ("NOVA_SERVER__SHUTDOWN_DRAIN_TIMEOUT", "1s");
    let app = NotesProcess::spawn(command(&database).envs([limit]));
    let address = app.address().to_owned();
    let stuck = half_sent(&app);
    app.signal("TERM");
    let (status, log) = app.ended();

    assert_eq!(status.code(), Some(0), "{log}");
    assert!(
        log.contains("did not finish within 1s and are cut"),
        "{log}"
    );
    assert!(!rest(stuck).contains("HTTP/1.1"));
    TcpListener::bind(address).unwrap();
}
