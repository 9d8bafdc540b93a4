//! What a path bound: the parts of it that a route's `{name}`s stand for.

use std::borrow::Cow;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use smallvec::SmallVec;

/// Names and values, in the order of the path. The values are decoded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bindings {
    /// Shared with the route; values that a test binds by hand have names of their own.
    names: Arc<[Box<str>]>,
    values: SmallVec<[Box<str>; 2]>,
}

/// A value with a percent sign that encodes nothing, or with bytes that are no UTF-8.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadEncoding;

impl Bindings {
    /// `values` as they stand in the path, one for each of `names`.
    pub(crate) fn decode<'p>(
        names: &Arc<[Box<str>]>,
        values: impl IntoIterator<Item = &'p str>,
    ) -> Result<Self, BadEncoding> {
        let values = values
            .into_iter()
            .map(|value| percent_decode(value).map(|decoded| decoded.into()))
            .collect::<Result<_, _>>()?;
        Ok(Bindings {
            names: Arc::clone(names),
            values,
        })
    }

    pub(crate) fn bind(&mut self, name: &str, value: &str) {
        let names = self.names.iter().map(|name| &**name).chain([name]);
        self.names = names.map(Box::from).collect();
        self.values.push(value.into());
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let position = self.names.iter().position(|one| &**one == name)?;
        self.values.get(position).map(|value| &**value)
    }

    pub(crate) fn names(&self) -> &[Box<str>] {
        &self.names
    }
}

/// Decodes a part of a URI (RFC 3986 §2.1). Most parts need no decoding and are only checked.
pub(crate) fn percent_decode(text: &str) -> Result<Cow<'_, str>, BadEncoding> {
    let bytes = text.as_bytes();
    let encodes = |at: usize| matches!(bytes.get(at + 1..at + 3), Some(pair) if pair.iter().all(u8::is_ascii_hexdigit));
    let all_encode = (0..bytes.len())
        .filter(|&at| bytes[at] == b'%')
        .all(encodes);
    if !all_encode {
        return Err(BadEncoding);
    }
    percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| BadEncoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_decoded_and_bad_encoding_is_told() {
        assert_eq!(percent_decode("a%20b%2Fc").unwrap(), "a b/c");
        assert_eq!(percent_decode("a+b").unwrap(), "a+b");
        for bad in ["%", "%4", "%zz", "x%f", "%ff", "%+1"] {
            assert_eq!(percent_decode(bad), Err(BadEncoding), "{bad}");
        }
    }
}
