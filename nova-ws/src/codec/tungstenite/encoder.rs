//! Messages become frames.

use bytes::{BufMut, BytesMut};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::HEAD_BYTES;
use crate::codec::{Encoder, Message};

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
