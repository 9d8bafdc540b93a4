//! The codec: tungstenite's frame heads, opcodes and lengths, and on top of them what RFC 6455
//! says of messages.
//!
//! tungstenite's own reader of messages is not used. It looks at a frame when all of it is there,
//! keeps the longest for ever, and knows no extensions; see `docs/design/websocket-codec.md`.

use std::io::Cursor;
use std::mem;

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::{CONTROL_BYTES, Decoder, Encoder, Limits, Message, Violation};
use crate::close::Close;
use crate::frame::Frame;

/// The longest head: two bytes, a length of eight, a mask of four.
const HEAD_BYTES: usize = 14;

/// Reads what a client sends. It holds the message that is not whole yet, and nothing between
/// messages.
#[derive(Debug)]
pub struct TungsteniteDecoder {
    limits: Limits,
    head: PartialHead,
    /// The frame whose head has been read.
    frame: Option<PartialFrame>,
    /// The message that is not whole yet.
    message: Option<PartialMessage>,
    /// What there is of a control frame, which may stand amid a message.
    control: Vec<u8>,
    /// A close or a violation was told.
    ended: bool,
}

impl TungsteniteDecoder {
    /// One for a new connection.
    pub fn new(limits: Limits) -> Self {
        TungsteniteDecoder {
            limits,
            head: PartialHead::default(),
            frame: None,
            message: None,
            control: Vec::new(),
            ended: false,
        }
    }

    fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Message>, Violation> {
        loop {
            let mut frame = match self.frame.take() {
                Some(frame) => frame,
                None => match self.head.take(bytes)? {
                    Some((head, length)) => self.begin(&head, length)?,
                    None => return Ok(None),
                },
            };
            self.take_payload(&mut frame, bytes);
            if let Some(message) = self.end(frame)? {
                return Ok(Some(message));
            }
            if self.frame.is_some() {
                return Ok(None);
            }
        }
    }

    /// Checks what a head says, before there is any of its payload.
    fn begin(&mut self, head: &FrameHeader, length: u64) -> Result<PartialFrame, Violation> {
        if head.rsv1 || head.rsv2 || head.rsv3 {
            return Err(Violation::ReservedBit);
        }
        let mask = head.mask.ok_or(Violation::Unmasked)?;
        let length = match head.opcode {
            OpCode::Control(_) => control_length(head, length)?,
            OpCode::Data(opcode) => self.data_length(opcode, length)?,
        };
        Ok(PartialFrame {
            opcode: head.opcode,
            is_final: head.is_final,
            mask,
            missing: length,
        })
    }

    fn data_length(&mut self, opcode: Data, length: u64) -> Result<usize, Violation> {
        let begun = match (opcode, &self.message) {
            (Data::Continue, None) => return Err(Violation::NothingToContinue),
            (Data::Continue, Some(message)) => message.bytes.len(),
            (_, Some(_)) => return Err(Violation::UnfinishedMessage),
            (opcode, None) => {
                self.message = Some(PartialMessage {
                    is_text: opcode == Data::Text,
                    bytes: Vec::new(),
                    checked: 0,
                });
                0
            }
        };
        let Limits {
            frame_bytes,
            message_bytes,
            ..
        } = self.limits;
        let length = usize::try_from(length)
            .ok()
            .filter(|&length| length <= frame_bytes)
            .ok_or(Violation::LongFrame(frame_bytes))?;
        match begun.checked_add(length) {
            Some(whole) if whole <= message_bytes => Ok(length),
            _ => Err(Violation::LongMessage(message_bytes)),
        }
    }

    /// Takes what there is of a frame's payload.
    fn take_payload(&mut self, frame: &mut PartialFrame, bytes: &mut &[u8]) {
        match (frame.opcode, &mut self.message) {
            (OpCode::Data(_), Some(message)) => {
                let most = match frame.is_final {
                    true => message.bytes.len() + frame.missing,
                    false => self.limits.message_bytes,
                };
                frame.take(bytes, &mut message.bytes, most);
            }
            _ => frame.take(bytes, &mut self.control, CONTROL_BYTES),
        }
    }

    /// The message that ends with this frame, if the frame is whole and the last one of it.
    fn end(&mut self, frame: PartialFrame) -> Result<Option<Message>, Violation> {
        let is_whole = frame.missing == 0;
        match frame.opcode {
            OpCode::Control(control) if is_whole => {
                let payload = Bytes::from(mem::take(&mut self.control));
                return Ok(Some(match control {
                    Control::Ping => Message::Ping(payload),
                    Control::Pong => Message::Pong(payload),
                    _ => Message::Close(close(&payload)?),
                }));
            }
            OpCode::Data(_) if is_whole && frame.is_final => {
                return self.message.take().map(PartialMessage::end).transpose();
            }
            OpCode::Data(_) => {
                if let Some(message) = &mut self.message {
                    message.check()?;
                }
            }
            OpCode::Control(_) => {}
        }
        if !is_whole {
            self.frame = Some(frame);
        }
        Ok(None)
    }
}

impl Decoder for TungsteniteDecoder {
    fn decode(&mut self, bytes: &mut &[u8]) -> Result<Option<Message>, Violation> {
        if self.ended {
            *bytes = &[];
            return Ok(None);
        }
        let next = self.next(bytes);
        if let Err(_) | Ok(Some(Message::Close(_))) = next {
            *self = TungsteniteDecoder {
                ended: true,
                ..TungsteniteDecoder::new(self.limits)
            };
        }
        next
    }

    fn shrink(&mut self) {
        self.control.shrink_to_fit();
        if let Some(message) = &mut self.message {
            message.bytes.shrink_to_fit();
        }
    }
}

/// Bytes of a head that is not whole yet.
#[derive(Debug, Default)]
struct PartialHead {
    bytes: [u8; HEAD_BYTES],
    len: usize,
}

impl PartialHead {
    /// The head that begins with what came before, and the length of the payload.
    fn take(&mut self, bytes: &mut &[u8]) -> Result<Option<(FrameHeader, u64)>, Violation> {
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
struct PartialFrame {
    opcode: OpCode,
    is_final: bool,
    /// Turned so that it begins with the byte for the next one of the payload.
    mask: [u8; 4],
    /// How many bytes of the payload are still to come.
    missing: usize,
}

impl PartialFrame {
    /// Puts what there is of the payload into `payload`, unmasked. That grows with what has come,
    /// not with what a head has announced, and to `most` at most.
    fn take(&mut self, bytes: &mut &[u8], payload: &mut Vec<u8>, most: usize) {
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
struct PartialMessage {
    is_text: bool,
    bytes: Vec<u8>,
    /// Up to here it is known to be UTF-8.
    checked: usize,
}

impl PartialMessage {
    /// Checks that what there is of a text can become UTF-8.
    fn check(&mut self) -> Result<(), Violation> {
        if self.is_text {
            match std::str::from_utf8(&self.bytes[self.checked..]) {
                Ok(_) => self.checked = self.bytes.len(),
                Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
                Err(_) => return Err(Violation::Text),
            }
        }
        Ok(())
    }

    fn end(self) -> Result<Message, Violation> {
        let bytes = Bytes::from(self.bytes);
        if !self.is_text {
            return Ok(Frame::binary(bytes).into());
        }
        let text = ByteString::try_from(bytes).map_err(|_| Violation::Text)?;
        Ok(Frame::from(text).into())
    }
}

/// Control frames are short and whole (§5.5), whatever the limits are.
fn control_length(head: &FrameHeader, length: u64) -> Result<usize, Violation> {
    if !head.is_final {
        return Err(Violation::FragmentedControlFrame);
    }
    usize::try_from(length)
        .ok()
        .filter(|&length| length <= CONTROL_BYTES)
        .ok_or(Violation::LongControlFrame)
}

/// What a close frame says (§5.5.1).
fn close(payload: &[u8]) -> Result<Option<Close>, Violation> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [_] => return Err(Violation::HalfCloseCode),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    if !Close::is_code(code) {
        return Err(Violation::CloseCode(code));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| Violation::CloseReason)?;
    Ok(Some(Close::new(code, reason)))
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

/// Writes what the server sends: whole messages, not masked (§5.1).
#[derive(Debug)]
pub struct TungsteniteEncoder;

impl Encoder for TungsteniteEncoder {
    fn encode(&mut self, message: &Message, bytes: &mut BytesMut) {
        match message {
            Message::Data(frame) => {
                let opcode = if frame.is_binary() {
                    Data::Binary
                } else {
                    Data::Text
                };
                put(OpCode::Data(opcode), &[frame.as_bytes()], bytes);
            }
            Message::Ping(payload) => put(OpCode::Control(Control::Ping), &[payload], bytes),
            Message::Pong(payload) => put(OpCode::Control(Control::Pong), &[payload], bytes),
            Message::Close(None) => put(OpCode::Control(Control::Close), &[], bytes),
            Message::Close(Some(close)) => {
                let payload = [&close.code.to_be_bytes()[..], close.reason.as_bytes()];
                put(OpCode::Control(Control::Close), &payload, bytes);
            }
        }
    }
}

fn put(opcode: OpCode, payload: &[&[u8]], bytes: &mut BytesMut) {
    let length: usize = payload.iter().map(|part| part.len()).sum();
    let head = FrameHeader {
        opcode,
        ..FrameHeader::default()
    };
    bytes.reserve(HEAD_BYTES + length);
    let written = head.format(length as u64, &mut (&mut *bytes).writer());
    written.expect("a buffer in memory takes whatever is written");
    for part in payload {
        bytes.extend_from_slice(part);
    }
}
