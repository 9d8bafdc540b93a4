//! Frames, as far as clients of a benchmark care: a head to write, and heads to count.

use crate::Result;

/// The text of every message: 128 bytes.
const TEXT: [u8; 128] = [b'x'; 128];

/// A text frame as clients send it (RFC 6455 §5.2), masked with zeroes.
pub(crate) fn text() -> Vec<u8> {
    let length = TEXT.len() as u16;
    let [high, low] = length.to_be_bytes();
    [&[0x81, 0x80 | 126, high, low, 0, 0, 0, 0][..], &TEXT].concat()
}

/// An empty pong as clients send it.
pub(crate) const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

/// Where in the stream of frames a reader is. Payloads are passed over.
#[derive(Default)]
pub(crate) struct Frames {
    head: [u8; 14],
    head_length: usize,
    /// Of the frame whose head was read last.
    opcode: u8,
    /// How much of its payload is still to come.
    left: usize,
}

/// What there was in some bytes.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Counted {
    /// Whole text and binary frames.
    pub(crate) data: u64,
    pub(crate) pings: u64,
}

impl Frames {
    /// Counts the frames that end in `bytes`, with or without a mask.
    pub(crate) fn count(&mut self, mut bytes: &[u8]) -> Result<Counted> {
        let mut counted = Counted::default();
        loop {
            if self.left > bytes.len() {
                self.left -= bytes.len();
                return Ok(counted);
            }
            bytes = &bytes[self.left..];
            self.left = 0;
            match std::mem::take(&mut self.opcode) {
                0 => {}
                1 | 2 => counted.data += 1,
                8 => return Err("the other side closes".into()),
                9 => counted.pings += 1,
                _ => {}
            }
            if !self.take_head(&mut bytes) {
                return Ok(counted);
            }
        }
    }

    /// Whether a head ends in `bytes`.
    fn take_head(&mut self, bytes: &mut &[u8]) -> bool {
        while let [first, rest @ ..] = bytes {
            self.head[self.head_length] = *first;
            self.head_length += 1;
            *bytes = rest;
            if let Some(left) = self.payload() {
                (self.opcode, self.left) = (self.head[0] & 0x0f, left);
                self.head_length = 0;
                return true;
            }
        }
        false
    }

    /// How long the payload is, if the head is whole.
    fn payload(&self) -> Option<usize> {
        let head = &self.head[..self.head_length];
        let second = *head.get(1)?;
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        let (length, end) = match second & 0x7f {
            126 => (
                u16::from_be_bytes(head.get(2..4)?.try_into().ok()?).into(),
                4,
            ),
            127 => (u64::from_be_bytes(head.get(2..10)?.try_into().ok()?), 10),
            length => (length.into(), 2),
        };
        (head.len() == end + mask).then_some(usize::try_from(length).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_wherever_the_bytes_are_cut() {
        let unmasked = [&[0x81, 126, 0, 128][..], &TEXT].concat();
        let all = [&text()[..], &[0x89, 0], &unmasked, &[0x82, 1, 7]].concat();
        for size in 1..all.len() {
            let (mut frames, mut sum) = (Frames::default(), Counted::default());
            for chunk in all.chunks(size) {
                let counted = frames.count(chunk).unwrap();
                sum.data += counted.data;
                sum.pings += counted.pings;
            }
            assert_eq!(sum, Counted { data: 3, pings: 1 }, "{size}");
        }
    }
}
