//! A value as the bytes of its JSON.

use std::cell::Cell;

use bytes::Bytes;
use serde::Serialize;

/// What is longer is not copied.
const COPIED: usize = 16 * 1024;

thread_local! {
    /// Where JSON is written before its length is known, so that the buffer need not grow for each
    /// reply.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The JSON of `value`, in bytes that are no more than it needs.
pub(super) fn encoded<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Bytes> {
    // Taken, not borrowed: a `Serialize` may make replies of its own.
    let mut buffer = BUFFER.take();
    serde_json::to_writer(&mut buffer, value)?;
    if buffer.len() > COPIED {
        return Ok(buffer.into());
    }
    let json = Bytes::copy_from_slice(&buffer);
    buffer.clear();
    BUFFER.set(buffer);
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_by_itself() {
        struct Nested;
        impl Serialize for Nested {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                assert_eq!(encoded(&"inner").unwrap(), "\"inner\"");
                serializer.serialize_str("outer")
            }
        }
        struct Broken;
        impl Serialize for Broken {
            fn serialize<S: serde::Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("no"))
            }
        }

        assert_eq!(encoded(&[1, 2]).unwrap(), "[1,2]");
        assert!(encoded(&(1, Broken)).is_err());
        assert_eq!(encoded(&Nested).unwrap(), "\"outer\"");
        let long = "x".repeat(COPIED);
        assert_eq!(encoded(&long).unwrap().len(), COPIED + 2);
        assert_eq!(encoded(&7).unwrap(), "7");
    }
}
