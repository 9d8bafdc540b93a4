//! The client's side: frames as bytes, and what the app says.

use std::time::Duration;

use nova_core::testing::TestClient;
use nova_core::{App, Upgraded, protocol};
use nova_ws::{AppBuilderExt, CloseReason, Connection, Frame, Outcome, WebSocket, reply, stop};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::timeout;

pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xa;
/// The bit of the last fragment, and of a message that is whole.
pub(crate) const FIN: u8 = 0x80;

/// How long the app may take before the test has failed.
const PATIENCE: Duration = Duration::from_secs(20);
/// That of the examples in RFC 6455 §5.7.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Repeats what it hears, stops at `stop`, and tells why it ended.
#[derive(Clone)]
struct Echo(mpsc::UnboundedSender<CloseReason>);

impl WebSocket for Echo {
    async fn handle(&mut self, frame: Frame, _conn: &mut Connection) -> Outcome {
        match frame.as_text() {
            Some("stop") => stop(),
            _ => reply(frame),
        }
    }

    async fn terminate(&mut self, reason: &CloseReason, _conn: &mut Connection) {
        let _ = self.0.send(reason.clone());
    }
}

/// What the app says in one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    Closed(u16),
    ClosedWithoutCode,
}

pub(crate) fn said(text: &str) -> Said {
    Said::Text(text.to_owned())
}

pub(crate) fn pong(payload: &[u8]) -> Said {
    Said::Pong(payload.to_owned())
}

/// A frame of a client's, with this first byte.
pub(crate) fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = head(first, payload.len() as u64);
    let masked = payload.iter().zip(MASK.iter().cycle());
    bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The head of a masked frame, with its length as short as it can be.
pub(crate) fn head(first: u8, length: u64) -> Vec<u8> {
    match length {
        0..126 => long_head(first, length as u8, &[]),
        126..=0xffff => long_head(first, 126, &(length as u16).to_be_bytes()),
        _ => long_head(first, 127, &length.to_be_bytes()),
    }
}

/// The head of a masked frame, with any encoding of its length.
pub(crate) fn long_head(first: u8, short: u8, long: &[u8]) -> Vec<u8> {
    [&[first, 0x80 | short], long, &MASK].concat()
}

pub(crate) fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | TEXT, text)
}

pub(crate) fn ping(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | PING, payload)
}

pub(crate) fn close(code: u16, reason: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = [&code.to_be_bytes(), reason.as_ref()].concat();
    frame(FIN | CLOSE, payload)
}

/// A case: when a client sends these bytes, the app says this.
pub(crate) type Case = (&'static str, Vec<u8>, Vec<Said>);

/// Looks whether each case is so, however the bytes arrive.
pub(crate) async fn check(cases: impl IntoIterator<Item = Case>) {
    let app = app();
    for (sentence, mut sent, mut expected) in cases {
        if !matches!(
            expected.last(),
            Some(Said::Closed(_) | Said::ClosedWithoutCode)
        ) {
            sent.extend(close(1000, ""));
            expected.push(Said::Closed(1000));
        }
        for at_once in [usize::MAX, 1] {
            let (heard, _) = app.talk(&sent, at_once).await;
            let how = if at_once == 1 {
                "one by one"
            } else {
                "at once"
            };
            assert_eq!(heard, expected, "{sentence}; its bytes arrive {how}");
        }
    }
}

/// The reason that the handler is told when a client has sent these bytes.
pub(crate) async fn reason(sent: &[u8]) -> CloseReason {
    app().talk(sent, usize::MAX).await.1
}

/// An app, and what its handlers tell.
pub(crate) struct Talk {
    client: TestClient,
    ended: tokio::sync::Mutex<mpsc::UnboundedReceiver<CloseReason>>,
}

pub(crate) fn app() -> Talk {
    let (log, ended) = mpsc::unbounded_channel();
    let app = App::builder()
        .websocket("echo", Echo(log))
        .route(("/ws", "echo", protocol("ws")));
    Talk {
        client: TestClient::new(app.build().unwrap()),
        ended: ended.into(),
    }
}

impl Talk {
    /// Sends `bytes`, so many in one write, and gives what the app says up to the end.
    async fn talk(&self, bytes: &[u8], at_once: usize) -> (Vec<Said>, CloseReason) {
        let talk = async {
            let mut socket = self.connect().await;
            for part in bytes.chunks(at_once) {
                if socket.write_all(part).await.is_err() {
                    break; // it was closed before all was said
                }
                yield_now().await;
            }
            let mut heard = Vec::new();
            socket.read_to_end(&mut heard).await.unwrap();
            drop(socket);
            let reason = self.ended.lock().await.recv().await.unwrap();
            (parse(&heard), reason)
        };
        let heard = timeout(PATIENCE, talk).await;
        heard.unwrap_or_else(|_| panic!("the app does not end a connection with {bytes:x?}"))
    }

    /// A connection for bytes of the test's own.
    pub(crate) async fn connect(&self) -> Upgraded {
        let request = self
            .client
            .get("/ws")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        request.upgrade().await.unwrap().1
    }
}

/// The frames of a server: whole messages without a mask, in the shortest encoding.
fn parse(mut bytes: &[u8]) -> Vec<Said> {
    let mut said = Vec::new();
    while let [first, short, rest @ ..] = bytes {
        let (length, rest) = match short {
            0..126 => (*short as usize, rest),
            126 => (
                u16::from_be_bytes(rest[..2].try_into().unwrap()) as usize,
                &rest[2..],
            ),
            127 => (
                u64::from_be_bytes(rest[..8].try_into().unwrap()) as usize,
                &rest[8..],
            ),
            _ => panic!("a server masks nothing"),
        };
        let shortest = match length {
            0..126 => *short as usize == length,
            126..=0xffff => *short == 126,
            _ => *short == 127,
        };
        assert!(shortest, "the length {length} is not as short as it can be");
        let (payload, rest) = rest.split_at(length);
        let payload = payload.to_vec();
        assert_eq!(first & 0xf0, FIN, "one frame, and no reserved bit");
        said.push(match first & 0x0f {
            TEXT => Said::Text(String::from_utf8(payload).unwrap()),
            BINARY => Said::Binary(payload),
            PONG => Said::Pong(payload),
            CLOSE => closed(&payload),
            other => panic!("the app says {other} by itself"),
        });
        bytes = rest;
    }
    assert!(bytes.is_empty(), "half a frame is left: {bytes:?}");
    said
}

fn closed(payload: &[u8]) -> Said {
    match payload {
        [] => Said::ClosedWithoutCode,
        [high, low, reason @ ..] if reason.len() <= 123 => {
            assert!(std::str::from_utf8(reason).is_ok());
            Said::Closed(u16::from_be_bytes([*high, *low]))
        }
        other => panic!("a close frame cannot hold {other:?}"),
    }
}
