//! Messages of the WebSocket protocol, whole.

use bytes::Bytes;
use bytestring::ByteString;

/// A text or binary message. Fragments arrive put together; cloning is one reference count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame(Data);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Data {
    Text(ByteString),
    Binary(Bytes),
}

impl Frame {
    /// A text frame.
    pub fn text(text: impl Into<String>) -> Self {
        Frame::from(ByteString::from(text.into()))
    }

    /// A binary frame.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Frame(Data::Binary(bytes.into()))
    }

    /// A text frame with `value` as JSON.
    ///
    /// # Errors
    /// The value does not serialise.
    pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> serde_json::Result<Self> {
        serde_json::to_string(value).map(Frame::text)
    }

    /// The text of a text frame.
    pub fn as_text(&self) -> Option<&str> {
        match &self.0 {
            Data::Text(text) => Some(text),
            Data::Binary(_) => None,
        }
    }

    /// The bytes, of a text frame too.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Data::Text(text) => text.as_bytes(),
            Data::Binary(bytes) => bytes,
        }
    }

    /// Whether it is a binary frame.
    pub fn is_binary(&self) -> bool {
        matches!(self.0, Data::Binary(_))
    }
}

/// A text frame.
impl From<ByteString> for Frame {
    fn from(text: ByteString) -> Self {
        Frame(Data::Text(text))
    }
}
