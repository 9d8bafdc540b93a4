//! Where frames begin and end (RFC 9113 §4.1), on the way in and on the way out.
//!
//! Only their heads are read, of nine bytes. What comes in a header block is held back until all of it is there,
//! as the heads of HTTP/1.1 are: so the time that it takes is known, and half of one is no request that a stop
//! would wait for.

use super::allowance::Allowance;
use crate::server::first_words::PREFACE;

/// The longest payload of a frame that is taken: the least that there may be, and what all clients expect.
pub(super) const FRAME: u32 = 16 * 1024;
/// The head of a frame.
const HEAD: usize = 9;
/// More frames than this in one header block are h2's to refuse, whatever they hold.
const FEWEST_CONTINUATIONS: usize = 5;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// RFC 9113 §7.
const PROTOCOL_ERROR: u32 = 1;
pub(super) const ENHANCE_YOUR_CALM: u32 = 11;

#[derive(Debug, Clone, Copy)]
struct Head {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Head {
    fn read(bytes: &[u8]) -> Option<Head> {
        let &[a, b, c, kind, flags, s, t, u, v, ..] = bytes else {
            return None;
        };
        Some(Head {
            length: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes([s, t, u, v]) & (u32::MAX >> 1),
        })
    }

    /// With the payload.
    fn whole(&self) -> usize {
        HEAD + self.length
    }
}

/// The reader's place in what a client sends.
#[derive(Debug)]
pub(super) struct Arriving {
    state: State,
    /// How many frames a header block may have.
    most_continuations: usize,
    has_settings: bool,
    /// How many frames have come whole.
    frames: u64,
    /// The last stream that the client has begun.
    pub(super) last_stream: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Preface {
        left: usize,
    },
    /// Between frames, or in one that is held back, of which something may have come.
    Frame {
        has_begun: bool,
    },
    Payload {
        left: usize,
        is_data: bool,
    },
    /// What comes is malformed, and goes on to hyper, which says so.
    Malformed,
    /// Nothing more is read, for this reason.
    Refused(u32),
}

impl Arriving {
    /// `head_limit` is that of a head.
    pub(super) fn new(head_limit: usize) -> Self {
        let frames = head_limit / FRAME as usize;
        Arriving {
            state: State::Preface {
                left: PREFACE.len(),
            },
            most_continuations: (frames + frames / 4).max(FEWEST_CONTINUATIONS),
            has_settings: false,
            frames: 0,
            last_stream: 0,
        }
    }

    /// How many of `bytes` may go on. They begin with what did not last time.
    pub(super) fn clear(&mut self, bytes: &[u8], allowance: &mut Allowance) -> usize {
        let mut cleared = 0;
        while cleared < bytes.len() {
            let count = self.step(&bytes[cleared..], allowance);
            if count == 0 {
                break;
            }
            cleared += count;
        }
        cleared
    }

    fn step(&mut self, bytes: &[u8], allowance: &mut Allowance) -> usize {
        match &mut self.state {
            State::Preface { left } => {
                let count = bytes.len().min(*left);
                *left -= count;
                if *left == 0 {
                    self.state = State::Frame { has_begun: false };
                }
                count
            }
            State::Payload { left, .. } => {
                let count = bytes.len().min(*left);
                *left -= count;
                if *left == 0 {
                    self.next();
                }
                count
            }
            State::Frame { .. } => self.frame(bytes, allowance),
            State::Malformed => bytes.len(),
            State::Refused(_) => 0,
        }
    }

    /// A frame is over.
    fn next(&mut self) {
        self.frames += 1;
        self.state = State::Frame { has_begun: false };
    }

    fn frame(&mut self, bytes: &[u8], allowance: &mut Allowance) -> usize {
        self.state = State::Frame { has_begun: true };
        let Some(head) = Head::read(bytes) else {
            return 0;
        };
        if !self.has_settings && (head.kind != SETTINGS || head.flags & ACK != 0) {
            self.state = State::Refused(PROTOCOL_ERROR); // RFC 9113 §3.4
            return 0;
        }
        self.has_settings = true;
        if head.length > FRAME as usize {
            self.state = State::Malformed;
            return 0;
        }
        match head.kind {
            DATA => {}
            HEADERS => return self.block(bytes, head),
            RST_STREAM => allowance.reset(),
            _ => allowance.control(),
        }
        if allowance.is_overdrawn() {
            self.state = State::Refused(ENHANCE_YOUR_CALM);
            return 0;
        }
        self.state = State::Payload {
            left: head.length,
            is_data: head.kind == DATA,
        };
        if head.length == 0 {
            self.next();
        }
        HEAD
    }

    /// A header block: HEADERS, and what continues it (RFC 9113 §4.3).
    fn block(&mut self, bytes: &[u8], first: Head) -> usize {
        let (mut end, mut last, mut continuations) = (first.whole(), first, 0);
        while last.flags & END_HEADERS == 0 {
            let Some(next) = bytes.get(end..).and_then(Head::read) else {
                return 0;
            };
            continuations += 1;
            let continues = next.kind == CONTINUATION && next.stream == first.stream;
            if !continues
                || next.length > FRAME as usize
                || continuations > self.most_continuations + 1
            {
                self.state = State::Malformed;
                return 0;
            }
            end += next.whole();
            last = next;
        }
        if bytes.len() < end {
            return 0;
        }
        self.last_stream = self.last_stream.max(first.stream);
        self.next();
        end
    }

    /// Why nothing more is read.
    pub(super) fn refused(&self) -> Option<u32> {
        match self.state {
            State::Refused(code) => Some(code),
            _ => None,
        }
    }

    /// The number of the frame of which something lacks; but not of data, for which others wait.
    pub(super) fn unfinished(&self) -> Option<u64> {
        let is_unfinished = match self.state {
            State::Frame { has_begun } => has_begun,
            State::Preface { .. } => true,
            State::Payload { is_data, .. } => !is_data,
            State::Malformed | State::Refused(_) => false,
        };
        is_unfinished.then_some(self.frames)
    }
}

/// The writer's place in what the client gets.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// What there is of the head of a frame, with the code of a reset.
    head: Vec<u8>,
    /// How much of the payload is left.
    left: usize,
}

impl Leaving {
    /// Looks at what is written.
    pub(super) fn pass(&mut self, mut bytes: &[u8], allowance: &mut Allowance) {
        while !bytes.is_empty() {
            let skipped = bytes.len().min(self.left);
            self.left -= skipped;
            bytes = &bytes[skipped..];
            let wanted = match self.head.get(3) {
                Some(&RST_STREAM) => HEAD + size_of::<u32>(),
                _ => HEAD,
            };
            let more = bytes.len().min(wanted - self.head.len());
            self.head.extend_from_slice(&bytes[..more]);
            bytes = &bytes[more..];
            let Some(head) = Head::read(&self.head) else {
                continue;
            };
            match (head.kind, &self.head[HEAD..]) {
                (RST_STREAM, []) => continue,
                // NO_ERROR: the body behind an early answer is not waited for.
                (RST_STREAM, [0, 0, 0, 0]) => {}
                (RST_STREAM, _) => allowance.reset(),
                (HEADERS, _) => allowance.answer(),
                (DATA, _) => allowance.data(),
                _ => {}
            }
            self.left = head.whole() - self.head.len();
            self.head.clear();
        }
    }

    /// Whether a frame could begin here.
    pub(super) fn is_between_frames(&self) -> bool {
        self.left == 0 && self.head.is_empty()
    }
}

/// A frame that says that the connection ends, and why (RFC 9113 §6.8).
pub(super) fn go_away(last_stream: u32, code: u32) -> Vec<u8> {
    let mut frame = vec![0, 0, 8, GOAWAY, 0, 0, 0, 0, 0];
    frame.extend_from_slice(&last_stream.to_be_bytes());
    frame.extend_from_slice(&code.to_be_bytes());
    frame
}
