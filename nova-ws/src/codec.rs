//! From bytes to messages and back.
//!
//! A [`Decoder`] is given bytes as they arrive, an [`Encoder`] messages as they leave. Neither
//! knows a socket, nor the other: one task can read while somebody else writes, and what is
//! decoded can be tested without either. Rules of the conversation, such as that a ping is
//! answered, stand in `wire`. `docs/design/websocket-codec.md` says why it is cut like this, and
//! what permessage-deflate would take.

use bytes::{Bytes, BytesMut};

use crate::close::Close;
use crate::frame::Frame;

mod tungstenite;
mod violation;

pub use tungstenite::{TungsteniteDecoder, TungsteniteEncoder};
pub use violation::Violation;

/// The most that a ping, a pong or a close frame can hold (RFC 6455 §5.5).
pub const CONTROL_BYTES: usize = 125;

/// What a connection may take up, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest message of a client's, all its fragments together. **Default:** 64 KiB.
    pub message_bytes: usize,
    /// The longest frame of a client's. **Default:** 64 KiB.
    pub frame_bytes: usize,
    /// What may wait for a client that does not read. A longer message is taken when nothing
    /// waits. **Default:** 1 MiB.
    pub outgoing_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            message_bytes: 64 * 1024,
            frame_bytes: 64 * 1024,
            outgoing_bytes: 1024 * 1024,
        }
    }
}

/// What one peer says to the other, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A text or a binary message; fragments are put together.
    Data(Frame),
    /// A ping, and what its pong has to repeat.
    Ping(Bytes),
    /// A pong, whether somebody asked for it or not.
    Pong(Bytes),
    /// The last message, with a code or without.
    Close(Option<Close>),
}

impl Message {
    /// How many bytes the payload has.
    pub fn payload_len(&self) -> usize {
        match self {
            Message::Data(frame) => frame.as_bytes().len(),
            Message::Ping(payload) | Message::Pong(payload) => payload.len(),
            Message::Close(close) => close.as_ref().map_or(0, |close| 2 + close.reason.len()),
        }
    }
}

impl From<Frame> for Message {
    fn from(frame: Frame) -> Self {
        Message::Data(frame)
    }
}

/// Makes messages of the bytes that a client sends.
pub trait Decoder: Send {
    /// The next message, if there is one in what came before and `bytes` together. What is used
    /// is taken from the front of `bytes`; it is all used when there is no message.
    ///
    /// After a close or a violation there are no more messages, whatever the bytes are.
    ///
    /// # Errors
    /// The client has broken the protocol or a limit. This is told as early as the bytes show it,
    /// not when the frame is whole.
    fn decode(&mut self, bytes: &mut &[u8]) -> Result<Option<Message>, Violation>;

    /// Frees memory that is not needed now.
    fn shrink(&mut self);
}

/// Makes bytes of the messages for a client.
pub trait Encoder: Send {
    /// Puts `message` at the end of `bytes`, as one frame.
    fn encode(&mut self, message: &Message, bytes: &mut BytesMut);
}
