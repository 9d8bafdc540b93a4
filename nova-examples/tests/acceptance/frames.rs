//! WebSocket frames, byte by byte, and what becomes of those that RFC 6455 does not allow.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::app::{Answer, App};

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// The bit of a frame that is the last of its message.
const FIN: u8 = 0x80;
const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

/// The request that opens a socket; `headers` come in addition.
pub(crate) fn handshake(app: &App, path: &str, headers: &[&str]) -> Vec<u8> {
    let mut head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n", app.address());
    let usual = [
        "connection: Upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    for header in usual.iter().chain(headers) {
        head += &format!("{header}\r\n");
    }
    format!("{head}\r\n").into_bytes()
}

/// One end of a WebSocket that may break every rule.
pub(crate) struct Socket(TcpStream);

impl Socket {
    pub(crate) fn open(app: &App, path: &str) -> Self {
        let mut stream = app.connect();
        stream.write_all(&handshake(app, path, &[])).unwrap();
        let answer = Answer::read(&mut stream).unwrap();
        assert_eq!(answer.status, 101);
        let accept = answer.header("sec-websocket-accept");
        assert_eq!(accept, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")); // RFC 6455 §1.3
        Socket(stream)
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        // The app may have closed already; what it had to say is read all the same.
        let _ = self.0.write_all(bytes);
    }

    /// A whole message in one frame.
    pub(crate) fn send(&mut self, opcode: u8, payload: &[u8]) {
        self.send_bytes(&frame(FIN | opcode, payload));
    }

    /// The first byte and the payload of the next frame; `None` at the end.
    pub(crate) fn receive(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).ok()?;
        assert_eq!(head[1] & 0x80, 0, "a server does not mask (§5.1)");
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.0.read_exact(&mut length).unwrap();
                u16::from_be_bytes(length).into()
            }
            127 => {
                let mut length = [0; 8];
                self.0.read_exact(&mut length).unwrap();
                u64::from_be_bytes(length)
            }
            short => short.into(),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload).unwrap();
        Some((head[0], payload))
    }

    /// The code of the close frame, behind whatever comes before it.
    pub(crate) fn closed(&mut self) -> Option<u16> {
        while let Some((first, payload)) = self.receive() {
            if first == FIN | CLOSE {
                return Some(match payload.split_first_chunk() {
                    Some((code, _)) => u16::from_be_bytes(*code),
                    None => 1005,
                });
            }
        }
        None
    }
}

/// A masked frame with this first byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | short as u8),
        length @ 126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, &[&code.to_be_bytes(), reason].concat())
}

#[test]
fn what_breaks_the_protocol_is_closed_with_the_code_for_it() {
    let app = App::start();
    let unmasked = [FIN | TEXT, 2, b'h', b'i'];
    for (why, bytes, code) in [
        ("unmasked", unmasked.to_vec(), 1002),
        ("a reserved bit", frame(FIN | 0x40 | TEXT, b"a"), 1002),
        ("another", frame(FIN | 0x10 | BINARY, b"a"), 1002),
        ("a reserved opcode", frame(FIN | 3, b"a"), 1002),
        ("a reserved control opcode", frame(FIN | 11, b"a"), 1002),
        ("a fragmented ping", frame(PING, b"a"), 1002),
        ("a long ping", frame(FIN | PING, &[0; 126]), 1002),
        ("nothing to continue", frame(FIN, b"a"), 1002),
        (
            "a message in a message",
            [frame(TEXT, b"a"), frame(FIN | TEXT, b"b")].concat(),
            1002,
        ),
        ("no UTF-8", frame(FIN | TEXT, b"\xce\xba\xff"), 1007),
        ("half a character", frame(FIN | TEXT, b"\xe2\x82"), 1007),
        ("a surrogate", frame(FIN | TEXT, b"\xed\xa0\x80"), 1007),
        (
            "a broken text in fragments",
            [frame(TEXT, b"\xf4"), frame(FIN, b"\x90\x80\x80")].concat(),
            1007,
        ),
        ("a long frame", frame(FIN | BINARY, &[0; 65_537]), 1009),
        (
            "a long message",
            [frame(BINARY, &[0; 60_000]), frame(FIN, &[0; 6_000])].concat(),
            1009,
        ),
        (
            "a length of 2^63",
            [vec![FIN | BINARY, 0xff, 0x80], vec![0; 7], MASK.to_vec()].concat(),
            1002,
        ),
        (
            "a length of 2^62",
            [vec![FIN | BINARY, 0xff, 0x40], vec![0; 7], MASK.to_vec()].concat(),
            1009,
        ),
        ("half a close code", frame(FIN | CLOSE, b"\x03"), 1002),
        ("a close without UTF-8", close(1000, b"\xff"), 1007),
    ] {
        let mut socket = Socket::open(&app, "/ws/echo");
        socket.send_bytes(&bytes);
        assert_eq!(socket.closed(), Some(code), "{why}");
        assert_eq!(socket.receive(), None, "{why}: the connection ends");
    }
    assert!(app.is_well());
}

#[test]
fn close_codes_are_answered_if_they_may_be_sent_at_all() {
    let app = App::start();
    for (code, answer) in [
        (1000, 1000),
        (1001, 1001),
        (1003, 1003),
        (1007, 1007),
        (1011, 1011),
        (3000, 3000),
        (4999, 4999),
        (0, 1002),
        (999, 1002),
        (1004, 1002),
        (1005, 1002),
        (1006, 1002),
        (1015, 1002),
        (1016, 1002),
        (2999, 1002),
        (5000, 1002),
        (65_535, 1002),
    ] {
        let mut socket = Socket::open(&app, "/ws/echo");
        socket.send_bytes(&close(code, b"bye"));
        assert_eq!(socket.closed(), Some(answer), "{code}");
    }
    let mut socket = Socket::open(&app, "/ws/echo");
    socket.send(CLOSE, b"");
    socket.send(TEXT, b"too late");
    let (first, payload) = socket.receive().unwrap();
    assert_eq!(first, FIN | CLOSE);
    assert!(payload.is_empty() || payload == 1000_u16.to_be_bytes());
    assert_eq!(socket.receive(), None);
}

#[test]
fn messages_come_back_whatever_their_length_and_however_they_are_cut() {
    let app = App::start();
    let mut socket = Socket::open(&app, "/ws/echo");
    for length in [0, 1, 125, 126, 127, 128, 65_535, 65_536] {
        for (opcode, byte) in [(TEXT, b'*'), (BINARY, 0xfe)] {
            let payload = vec![byte; length];
            socket.send(opcode, &payload);
            assert_eq!(socket.receive(), Some((FIN | opcode, payload)), "{length}");
        }
    }
    let text = "κόσμε 😀".as_bytes();
    let mut bytes = frame(TEXT, &text[..1]);
    for byte in &text[1..text.len() - 1] {
        bytes.extend(frame(0, &[*byte]));
        bytes.extend(frame(FIN | PING, b"amid"));
    }
    bytes.extend(frame(FIN, &text[text.len() - 1..]));
    for byte in bytes {
        socket.send_bytes(&[byte]);
    }
    for _ in 0..text.len() - 2 {
        assert_eq!(socket.receive(), Some((FIN | PONG, b"amid".to_vec())));
    }
    assert_eq!(socket.receive(), Some((FIN | TEXT, text.to_vec())));
}

#[test]
fn pings_are_answered_with_what_they_hold_and_pongs_are_not() {
    let app = App::start();
    let mut socket = Socket::open(&app, "/ws/echo");
    for payload in [&b""[..], b"a", &[0xff; 125]] {
        socket.send(PONG, payload);
        socket.send(PING, payload);
        assert_eq!(socket.receive(), Some((FIN | PONG, payload.to_vec())));
    }
}

#[test]
fn a_flood_of_pings_and_empty_frames_that_nobody_reads_hurts_nobody_else() {
    let app = App::start();
    let mut flooding = Socket::open(&app, "/ws/echo");
    let pings = frame(FIN | PING, &[0; 125]).repeat(20_000);
    flooding
        .0
        .set_write_timeout(Some(std::time::Duration::from_secs(2)))
        .unwrap();
    flooding.send_bytes(&pings);
    let mut empty = Socket::open(&app, "/ws/echo");
    empty.send_bytes(&frame(TEXT, b""));
    empty.send_bytes(&frame(0, b"").repeat(50_000));
    empty.send_bytes(&frame(FIN, b"end"));
    match empty.receive() {
        Some((first, payload)) if first == FIN | TEXT => assert_eq!(payload, b"end"),
        Some((first, _)) => assert_eq!(first, FIN | CLOSE), // too many parts is an answer, too
        None => panic!("there is an answer"),
    }
    let mut other = Socket::open(&app, "/ws/echo");
    other.send(TEXT, b"well");
    assert_eq!(other.receive(), Some((FIN | TEXT, b"well".to_vec())));
    assert!(app.is_well());
}
