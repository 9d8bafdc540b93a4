//! What has come of a head, a frame and a message that are not whole yet.

use std::io::Cursor;

use bytes::Bytes;
use bytestring::ByteString;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode;

use super::HEAD_BYTES;
use crate::codec::{Message, Violation};
use crate::frame::Frame;

/// Bytes of a head that is not whole yet.
#[derive(Debug, Default)]
pub(super) struct PartialHead {
    bytes: [u8; HEAD_BYTES],
    len: usize,
}

impl PartialHead {
    /// The head that begins with what came before, and the length of the payload.
    pub(super) fn take(
        &mut self,
        bytes: &mut &[u8],
    ) -> Result<Option<(FrameHeader, u64)>, Violation> {
        let before = self.len;
        let more = bytes.len().min(HEAD_BYTES - before);
        self.bytes[before..before + more].copy_from_slice(&bytes[..more]);

        let mut cursor = Cursor::new(&self.bytes[..before + more]);
        let parsed = FrameHeader::parse(&mut cursor);
        // An opcode without a meaning is all that a head can have wrong for tungstenite.
        let parsed = parsed.map_err(|_| Violation::UnknownOpcode(self.bytes[0] & 0x0f))?;
        let Some((head, length)) = parsed else {
            self.len = before + more;
            *bytes = &bytes[more..];
            return Ok(None);
        };
        let size = cursor.position() as usize;
        if length > i64::MAX as u64 || size > head.len(length) {
            return Err(Violation::LengthEncoding);
        }
        self.len = 0;
        *bytes = &bytes[size - before..];
        Ok(Some((head, length)))
    }
}

/// The frame that is being read.
#[derive(Debug)]
pub(super) struct PartialFrame {
    pub(super) opcode: OpCode,
    pub(super) is_final: bool,
    /// Turned so that it begins with the byte for the next one of the payload.
    pub(super) mask: [u8; 4],
    /// How many bytes of the payload are still to come.
    pub(super) missing: usize,
}

impl PartialFrame {
    /// Puts what there is of the payload into `payload`, unmasked. That grows with what has come,
    /// not with what a head has announced, and to `most` at most.
    pub(super) fn take(&mut self, bytes: &mut &[u8], payload: &mut Vec<u8>, most: usize) {
        let (taken, rest) = bytes.split_at(bytes.len().min(self.missing));
        let (begin, end) = (payload.len(), payload.len() + taken.len());
        if end > payload.capacity() {
            let room = (2 * payload.capacity()).min(most).max(end);
            payload.reserve_exact(room - begin);
        }
        payload.extend_from_slice(taken);
        unmask(&mut payload[begin..], self.mask);
        self.mask.rotate_left(taken.len() % 4);
        self.missing -= taken.len();
        *bytes = rest;
    }
}

/// A message that is not whole yet.
#[derive(Debug)]
pub(super) struct PartialMessage {
    pub(super) is_text: bool,
    pub(super) bytes: Vec<u8>,
    /// Up to here it is known to be UTF-8.
    pub(super) checked: usize,
}

impl PartialMessage {
    /// Checks that what there is of a text can become UTF-8.
    pub(super) fn check(&mut self) -> Result<(), Violation> {
        if self.is_text {
            match std::str::from_utf8(&self.bytes[self.checked..]) {
                Ok(_) => self.checked = self.bytes.len(),
                Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
                Err(_) => return Err(Violation::Text),
            }
        }
        Ok(())
    }

    pub(super) fn end(self) -> Result<Message, Violation> {
        let bytes = Bytes::from(self.bytes);
        if !self.is_text {
            return Ok(Frame::binary(bytes).into());
        }
        let text = ByteString::try_from(bytes).map_err(|_| Violation::Text)?;
        Ok(Frame::from(text).into())
    }
}

/// Takes the mask off (§5.3), eight bytes at a time.
fn unmask(bytes: &mut [u8], [a, b, c, d]: [u8; 4]) {
    let mask = [a, b, c, d, a, b, c, d];
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ u64::from_ne_bytes(mask)).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}
