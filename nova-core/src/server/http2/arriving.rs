//! Where frames begin and end on the way in, judged before hyper sees them.
//!
//! What comes in a header block is held back until all of it is there, as the heads of HTTP/1.1 are: so the time
//! that it takes is known, and half of one is no request that a stop would wait for.

use std::borrow::Cow;

use super::allowance::Allowance;
use super::frames::{
    ACK, COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR, FRAME, FRAME_SIZE_ERROR, HAS_PRIORITY, HEAD, HEADERS, Head, PADDED,
    PROTOCOL_ERROR, RST_STREAM, Receiving, SETTINGS, has_wrong_window,
};
use super::outline::Outline;
use crate::server::first_words::PREFACE;

/// More frames than this in one header block are h2's to refuse, whatever they hold.
const FEWEST_CONTINUATIONS: usize = 5;

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
    pub(super) receiving: Receiving,
    outline: Outline,
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
    /// What comes is malformed, and goes on to hyper, which says so when it has this much of it.
    Malformed {
        left: usize,
    },
    /// Nothing more is read, for this reason.
    Refused(u32),
}

const MALFORMED: State = State::Malformed { left: 256 * 1024 };

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
            receiving: Receiving::default(),
            outline: Outline::default(),
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
            State::Malformed { left: 0 } => {
                self.state = State::Refused(PROTOCOL_ERROR);
                0
            }
            State::Malformed { left } => {
                let count = bytes.len().min(*left);
                *left -= count;
                count
            }
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
        if !self.has_settings && (head.kind != SETTINGS || head.has(ACK)) {
            self.state = State::Refused(PROTOCOL_ERROR); // RFC 9113 §3.4
            return 0;
        }
        self.has_settings = true;
        if head.has_wrong_length() {
            self.state = State::Refused(FRAME_SIZE_ERROR); // RFC 9113 §4.2
            return 0;
        }
        if head.kind == SETTINGS {
            let Some(settings) = bytes.get(HEAD..head.whole()) else {
                return 0;
            };
            if has_wrong_window(settings) {
                self.state = State::Refused(FLOW_CONTROL_ERROR);
                return 0;
            }
        }
        match head.kind {
            DATA if head.has(END_STREAM) => self.receiving.end(head.stream),
            DATA => {}
            HEADERS => return self.block(bytes, head, allowance),
            RST_STREAM => {
                self.receiving.end(head.stream);
                allowance.reset();
            }
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
    fn block(&mut self, bytes: &[u8], first: Head, allowance: &mut Allowance) -> usize {
        let (mut end, mut last, mut continuations) = (first.whole(), first, 0);
        while !last.has(END_HEADERS) {
            let Some(next) = bytes.get(end..).and_then(Head::read) else {
                return 0;
            };
            continuations += 1;
            let continues = next.kind == CONTINUATION && next.stream == first.stream;
            if !continues
                || next.length > FRAME as usize
                || continuations > self.most_continuations + 1
            {
                return self.malformed(bytes, allowance);
            }
            end += next.whole();
            last = next;
        }
        let Some(block) = bytes.get(..end) else {
            return 0;
        };
        let Some(fields) = fields(block, first) else {
            return self.malformed(bytes, allowance);
        };
        let Some(has_pseudo) = self.outline.has_pseudo(&fields) else {
            self.state = State::Refused(COMPRESSION_ERROR); // RFC 9113 §4.3
            return 0;
        };
        let is_trailers = self.receiving.contains(first.stream);
        if is_trailers && has_pseudo {
            self.state = State::Refused(PROTOCOL_ERROR); // RFC 9113 §8.1
            return 0;
        }
        if !is_trailers && first.stream <= self.last_stream {
            // Of a stream that has ended, or that the server has taken back: h2 reads it for nothing.
            allowance.control();
            if allowance.is_overdrawn() {
                self.state = State::Refused(ENHANCE_YOUR_CALM);
                return 0;
            }
        }
        match first.has(END_STREAM) {
            true => self.receiving.end(first.stream),
            false if first.stream > self.last_stream => self.receiving.begin(first.stream),
            false => {}
        }
        self.last_stream = self.last_stream.max(first.stream);
        self.next();
        end
    }

    /// All that is here goes on at once: hyper may need nothing more to answer it.
    fn malformed(&mut self, bytes: &[u8], allowance: &mut Allowance) -> usize {
        self.state = MALFORMED;
        self.step(bytes, allowance)
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
            State::Malformed { .. } => true,
            State::Refused(_) => false,
        };
        is_unfinished.then_some(self.frames)
    }
}

/// The fields in the frames of a block, without what else HEADERS has (RFC 9113 §6.2).
fn fields(block: &[u8], first: Head) -> Option<Cow<'_, [u8]>> {
    let (payload, mut rest) = block.get(HEAD..)?.split_at_checked(first.length)?;
    let mut fields = payload;
    if first.has(PADDED) {
        let (padding, padded) = fields.split_first()?;
        fields = padded.get(..padded.len().checked_sub(usize::from(*padding))?)?;
    }
    if first.has(HAS_PRIORITY) {
        fields = fields.get(5..)?;
    }
    let mut fields = Cow::Borrowed(fields);
    while let Some(head) = Head::read(rest) {
        fields
            .to_mut()
            .extend_from_slice(rest.get(HEAD..head.whole())?);
        rest = &rest[head.whole()..];
    }
    Some(fields)
}
