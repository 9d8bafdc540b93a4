//! Clients that take their time, and very many of them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use crate::app::{Answer, App};

const MANY: usize = 300;

#[test]
fn slow_heads_hold_nobody_up_and_are_a_408() {
    let app = App::start();
    let mut slow: Vec<TcpStream> = (0..MANY).map(|_| app.connect()).collect();
    for stream in &mut slow {
        stream
            .write_all(b"GET /hello HTTP/1.1\r\nhost: a\r\nx-a: ")
            .unwrap();
    }
    for _ in 0..20 {
        assert!(app.is_well());
    }
    for stream in &mut slow {
        stream.write_all(b"b").unwrap(); // a byte more is no reason to wait longer
    }
    for stream in &mut slow {
        assert_eq!(Answer::read(stream).unwrap().status, 408);
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn slow_bodies_and_silent_connections_hold_nobody_up() {
    let app = App::start();
    let mut held = Vec::new();
    for n in 0..MANY {
        let mut stream = app.connect();
        if n % 2 == 0 {
            let head = b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nab";
            stream.write_all(head).unwrap();
        }
        held.push(stream);
    }
    for _ in 0..20 {
        assert!(app.is_well());
    }
    // Who is slow is served all the same.
    let mut slow = held.swap_remove(0);
    slow.write_all(b"cd").unwrap();
    assert_eq!(Answer::read(&mut slow).unwrap().text(), "4");
}

#[test]
fn clients_that_hang_up_in_the_middle_leave_no_trace() {
    let app = App::start();
    let half = [
        &b""[..],
        b"GET /hel",
        b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nabc",
        b"GET /slow?ms=60000 HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\nGET /hello HTTP/1.1\r\nhost: a\r\n\r\n",
    ];
    for n in 0..MANY {
        let mut stream = app.connect();
        stream.write_all(half[n % half.len()]).unwrap();
    }
    assert!(app.is_well());
    app.signal("TERM");
    let (status, log) = app.ended();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
}

#[test]
fn a_flood_of_requests_on_many_connections_is_answered_in_full() {
    let app = App::start();
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                let mut stream = app.connect();
                let one = b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n";
                stream.write_all(&one.repeat(100)).unwrap();
                for _ in 0..100 {
                    assert_eq!(Answer::read(&mut stream).unwrap().status, 200);
                }
            });
        }
    });
}
