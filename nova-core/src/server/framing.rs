//! Where requests begin and end, judged before hyper sees them.
//!
//! hyper makes sense of much that two servers could read in two ways: it drops a `content-length` beside a
//! `transfer-encoding` and tells nobody. Who stands before the app may have read it, and that is how
//! requests are smuggled (RFC 9112 §11.2). So [`Framing`] looks at each head once, when all of it is there,
//! and at the lines between chunks; hyper gets nothing that it has not let through. What hyper
//! refuses itself, such as a space before a colon, it may refuse.

mod chunks;
mod head;

use memchr::memchr;

use chunks::{Chunks, NoChunk};
use head::{Body, Heads};
pub(super) use head::{Limits, is_host};

/// Why a connection gets no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The head of a request is answered with this status, and the connection closed.
    Head(u16),
    /// The body cannot be read any further; whoever reads it answers.
    Body,
}

/// The reader's place in what a client sends.
#[derive(Debug)]
pub(super) struct Framing {
    most_bytes: usize,
    heads: Heads,
    state: State,
    /// The request may switch protocols: what comes behind it waits for the answer.
    may_switch: bool,
    /// How many bytes of the head, which is not all there, are known to hold no end.
    looked_at: usize,
    /// How many heads have gone on; it may begin again at 0.
    heads_passed: u32,
}

#[derive(Debug)]
enum State {
    Head,
    Length(u64),
    Chunked(Chunks),
    /// After a request that may switch protocols.
    Held,
    Refused(Refusal),
}

impl Framing {
    pub(super) fn new(limits: Limits) -> Self {
        Framing {
            most_bytes: limits.bytes,
            heads: Heads::new(limits.fields),
            state: State::Head,
            may_switch: false,
            looked_at: 0,
            heads_passed: 0,
        }
    }

    /// How many of `bytes` may go on. They begin with what did not last time.
    #[inline]
    pub(super) fn clear(&mut self, bytes: &[u8]) -> usize {
        let mut cleared = 0;
        while cleared < bytes.len() {
            let count = self.step(&bytes[cleared..]);
            if count == 0 {
                break;
            }
            cleared += count;
        }
        cleared
    }

    #[inline(always)] // for the first look at what was read, which is the only one of most requests
    fn step(&mut self, bytes: &[u8]) -> usize {
        match &mut self.state {
            State::Head => self.head(bytes),
            State::Length(left) => {
                let count = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                *left -= count as u64;
                if *left == 0 {
                    self.next();
                }
                count
            }
            State::Chunked(chunks) => match chunks.step(bytes, self.most_bytes) {
                Ok(count) => {
                    if chunks.is_at_end() {
                        self.next();
                    }
                    count
                }
                Err(NoChunk) => {
                    self.state = State::Refused(Refusal::Body);
                    0
                }
            },
            State::Held | State::Refused(_) => 0,
        }
    }

    /// A request is over.
    fn next(&mut self) {
        self.state = match self.may_switch {
            true => State::Held,
            false => State::Head,
        };
    }

    fn head(&mut self, bytes: &[u8]) -> usize {
        // Most come whole, and are looked at once.
        let is_new = self.looked_at == 0;
        let judged = match is_new || has_end(bytes, self.looked_at) {
            true => self.heads.judge(bytes),
            false => Ok(None),
        };
        self.looked_at = bytes.len();
        match judged {
            Ok(Some((end, after))) if end <= self.most_bytes => {
                self.looked_at = 0;
                self.heads_passed = self.heads_passed.wrapping_add(1);
                self.may_switch = after.may_switch;
                match after.body {
                    Body::None => self.next(),
                    Body::Length(length) => self.state = State::Length(length),
                    Body::Chunked => self.state = State::Chunked(Chunks::default()),
                }
                return end;
            }
            Err(status) => self.state = State::Refused(Refusal::Head(status)),
            Ok(_) if bytes.len() > self.most_bytes => {
                self.state = State::Refused(self.too_long(bytes));
            }
            Ok(_) => {}
        }
        0
    }

    /// A head, or already its first line.
    fn too_long(&self, bytes: &[u8]) -> Refusal {
        let is_line = memchr(b'\n', bytes).is_none_or(|end| end > self.most_bytes);
        Refusal::Head(if is_line { 414 } else { 431 })
    }

    /// What is sent is no request that the app goes on with.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        match self.state {
            State::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Whether nothing goes on until [`Framing::stay`].
    pub(super) fn is_held(&self) -> bool {
        matches!(self.state, State::Held)
    }

    /// Whether the first `begun` requests are over with their bodies.
    pub(super) fn is_behind(&self, begun: u32) -> bool {
        let is_in_body = matches!(
            self.state,
            State::Length(_) | State::Chunked(_) | State::Refused(Refusal::Body)
        );
        self.heads_passed != begun || !is_in_body
    }

    /// The protocol is not switched: the next request may come.
    pub(super) fn stay(&mut self) {
        if self.is_held() {
            self.state = State::Head;
        }
    }
}

/// Whether there is the end of a head behind what was looked at: an empty line. A line that ends with a bare
/// LF will do here, so that it is refused and not waited for.
fn has_end(bytes: &[u8], looked_at: usize) -> bool {
    // The last line break of what is known may be half of an end.
    let mut at = looked_at.saturating_sub(2);
    while let Some(end) = bytes.get(at..).and_then(|rest| memchr(b'\n', rest)) {
        at += end + 1;
        if matches!(bytes.get(at..), Some([b'\n', ..] | [b'\r', b'\n', ..])) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests;
