//! The codec: tungstenite's frame heads, opcodes and lengths, and on top of them what RFC 6455
//! says of messages.
//!
//! tungstenite's own reader of messages is not used. It looks at a frame when all of it is there,
//! keeps the longest for ever, and knows no extensions; see `docs/design/websocket-codec.md`.

mod decoder;
mod encoder;
mod partial;

pub use decoder::TungsteniteDecoder;
pub use encoder::TungsteniteEncoder;

/// The longest head: two bytes, a length of eight, a mask of four.
const HEAD_BYTES: usize = 14;
