//! The codec, with its answers in the words of the model.

use bytes::BytesMut;
use nova_ws::codec::{Decoder, Encoder, Limits, Message, TungsteniteDecoder, TungsteniteEncoder};

use crate::model::Told;

/// A decoder, and the code of what it found to be wrong.
pub(crate) struct Real {
    decoder: TungsteniteDecoder,
    pub(crate) code: Option<u16>,
}

impl Real {
    pub(crate) fn new(limits: Limits) -> Self {
        Real {
            decoder: TungsteniteDecoder::new(limits),
            code: None,
        }
    }

    /// Decodes all that there is in `bytes`.
    pub(crate) fn take(&mut self, mut bytes: &[u8], mut seen: impl FnMut(Message)) {
        loop {
            match self.decoder.decode(&mut bytes) {
                Ok(Some(message)) => seen(message),
                Ok(None) => break,
                Err(violation) => {
                    assert!(violation.to_string().len() <= 123, "{violation}");
                    assert_eq!(self.code.replace(violation.code()), None);
                }
            }
        }
        assert!(bytes.is_empty(), "bytes are left, and there is no message");
    }

    /// Frees what can be freed, which changes nothing else.
    pub(crate) fn shrink(&mut self) {
        self.decoder.shrink();
    }
}

/// What the encoder writes, as if a client had sent it with a mask of zeroes.
pub(crate) fn encode(message: &Message) -> Vec<u8> {
    let mut frame = BytesMut::new();
    TungsteniteEncoder.encode(message, &mut frame);
    let mut bytes = frame.to_vec();
    let head = match bytes[1] {
        0..126 => 2,
        126 => 4,
        _ => 10,
    };
    bytes[1] |= 0x80;
    bytes.splice(head..head, [0; 4]);
    bytes
}

/// A message in the words of the model.
pub(crate) fn translate(message: &Message) -> Told {
    match message {
        Message::Data(frame) => match frame.as_text() {
            Some(text) => Told::Text(text.to_owned()),
            None => Told::Binary(frame.as_bytes().to_vec()),
        },
        Message::Ping(payload) => Told::Ping(payload.to_vec()),
        Message::Pong(payload) => Told::Pong(payload.to_vec()),
        Message::Close(close) => {
            let close = close.as_ref();
            Told::Close(close.map(|close| (close.code, close.reason.clone())))
        }
    }
}
