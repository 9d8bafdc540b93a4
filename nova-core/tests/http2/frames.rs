//! A client that sends one frame after the other, whether they make sense or not.

use futures_util::FutureExt;
use nova_core::testing::TestClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const FLOW_CONTROL_ERROR: u32 = 3;
pub(crate) const STREAM_CLOSED: u32 = 5;
pub(crate) const FRAME_SIZE_ERROR: u32 = 6;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const COMPRESSION_ERROR: u32 = 9;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// The bytes of a frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Fields as literals that nobody remembers (RFC 7541 §6.2.2).
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            match text.len() {
                short @ 0..127 => bytes.push(u8::try_from(short).unwrap()),
                long => {
                    bytes.push(127);
                    let mut left = long - 127;
                    while left >= 128 {
                        bytes.push(u8::try_from(left % 128).unwrap() | 128);
                        left /= 128;
                    }
                    bytes.push(u8::try_from(left).unwrap());
                }
            }
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

/// The fields of a request.
pub(crate) fn request(method: &str, path: &str) -> [(&'static str, String); 4] {
    [
        (":method", method.to_owned()),
        (":scheme", "http".to_owned()),
        (":authority", "localhost".to_owned()),
        (":path", path.to_owned()),
    ]
}

/// The header block of a request, with more fields.
pub(crate) fn request_block(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let fields = request(method, path);
    let mut fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, &**v)).collect();
    fields.extend(more);
    block(&fields)
}

/// A request without a body.
pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    let block = request_block("GET", path, &[]);
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &block)
}

/// The head of a request whose body follows.
pub(crate) fn post(stream: u32, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let block = request_block("POST", path, more);
    frame(HEADERS, END_HEADERS, stream, &block)
}

/// What the server sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Got {
    Status(u32, u16),
    Data(u32, usize),
    /// The stream has come to its end.
    End(u32),
    Reset(u32, u32),
    GoAway(u32),
    Settings(Vec<u8>),
    Pong,
    Other(u8),
}

pub(crate) struct Raw {
    stream: DuplexStream,
    received: Vec<u8>,
}

impl Raw {
    /// Connects, and sends the preface with empty settings.
    pub(crate) async fn open(client: &TestClient) -> Self {
        let mut raw = Raw::silent(client);
        raw.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat())
            .await;
        raw
    }

    /// Connects, and says nothing.
    pub(crate) fn silent(client: &TestClient) -> Self {
        Raw {
            stream: client.connect(),
            received: Vec::new(),
        }
    }

    /// The bare connection.
    pub(crate) fn into_stream(self) -> DuplexStream {
        self.stream
    }

    /// Sends these bytes. The app may have had enough.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// The next frame; `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Vec<Got>> {
        loop {
            if let [a, b, c, kind, flags, s, t, u, v, ..] = self.received[..] {
                let end = 9 + u32::from_be_bytes([0, a, b, c]) as usize;
                if self.received.len() >= end {
                    let payload = self.received[9..end].to_vec();
                    self.received.drain(..end);
                    let stream = u32::from_be_bytes([s, t, u, v]);
                    return Some(got(kind, flags, stream, payload));
                }
            }
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next frame, if it is there.
    pub(crate) async fn ready(&mut self) -> Option<Vec<Got>> {
        tokio::task::yield_now().await;
        self.next().now_or_never().flatten()
    }

    /// All that comes until the connection ends, in order. The clock is to be paused, unless the end is near.
    pub(crate) async fn rest(&mut self) -> Vec<Got> {
        let mut all = Vec::new();
        while let Some(got) = self.next().await {
            all.extend(got);
        }
        all
    }

    /// Reads until this comes.
    pub(crate) async fn until(&mut self, wanted: &Got) {
        let mut all = Vec::new();
        loop {
            let got = self.next().await;
            let got = got.unwrap_or_else(|| panic!("{wanted:?} does not come, but {all:?}"));
            if got.contains(wanted) {
                return;
            }
            all.extend(got);
        }
    }
}

fn got(kind: u8, flags: u8, stream: u32, payload: Vec<u8>) -> Vec<Got> {
    let number = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
    let mut all = vec![match kind {
        DATA => Got::Data(stream, payload.len()),
        HEADERS => Got::Status(stream, status(&payload)),
        RST_STREAM => Got::Reset(stream, number(0)),
        GOAWAY => Got::GoAway(number(4)),
        SETTINGS if flags & 1 == 0 => Got::Settings(payload),
        PING if flags & 1 == 1 => Got::Pong,
        _ => Got::Other(kind),
    }];
    if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
        all.push(Got::End(stream));
    }
    all
}

/// The status that a header block begins with (RFC 7541, appendices A and B).
fn status(block: &[u8]) -> u16 {
    let known = [200, 204, 206, 304, 400, 404, 500];
    match *block {
        [first @ 0x88..=0x8e, ..] => known[usize::from(first - 0x88)],
        // An indexed name, and three digits, compressed or not; or what an earlier answer has had.
        [0x08 | 0x48, 0x03, a, b, c, ..] => {
            String::from_utf8(vec![a, b, c]).unwrap().parse().unwrap()
        }
        [0x08 | 0x48, length @ 0x82..=0x83, ..] => {
            let length = usize::from(length & 0x7f);
            let bits: Vec<u8> = block[2..2 + length]
                .iter()
                .flat_map(|byte| (0..8).rev().map(move |bit| (byte >> bit) & 1))
                .collect();
            let mut at = 0;
            let mut digits = 0;
            for _ in 0..3 {
                let code = |length: usize| {
                    bits[at..at + length]
                        .iter()
                        .fold(0, |code: u16, bit| (code << 1) | u16::from(*bit))
                };
                let digit = match code(5) {
                    short @ 0..=2 => {
                        at += 5;
                        short
                    }
                    _ => {
                        let long = code(6) - 0b1_1001 + 3;
                        at += 6;
                        long
                    }
                };
                digits = digits * 10 + digit;
            }
            digits
        }
        _ => panic!("no status in {block:x?}"),
    }
}
