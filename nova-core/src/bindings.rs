//! What a path bound: the parts of it that a route's `{name}`s stand for.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use smallvec::SmallVec;

/// Names and values, in the order of the path. The values are decoded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bindings {
    /// Shared with the route, if that binds any; values that a test binds by hand have names of their
    /// own.
    names: Option<Arc<[Box<str>]>>,
    values: SmallVec<[Value; 4]>,
}

#[derive(Debug, Clone)]
enum Value {
    /// As it stands in the path of the request, which is shorter than 64 KiB: no copy.
    InPath(Range<u32>),
    /// Other than it stands there.
    Decoded(Box<str>),
}

/// A value with a percent sign that encodes nothing, or with bytes that are no UTF-8.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadEncoding;

impl Bindings {
    /// `values` as they were matched, one for each of `names`. Those that are parts of `path`,
    /// the path of the request, are kept as such.
    pub(crate) fn decode<'p>(
        names: &Arc<[Box<str>]>,
        values: impl IntoIterator<Item = &'p str>,
        path: &str,
    ) -> Result<Self, BadEncoding> {
        // A loop: collecting `Result`s takes twice as long.
        let mut decoded = SmallVec::new();
        for value in values {
            decoded.push(match percent_decode(value)? {
                Cow::Borrowed(value) => Value::of(value, path),
                Cow::Owned(decoded) => Value::Decoded(decoded.into()),
            });
        }
        Ok(Bindings {
            names: Some(Arc::clone(names)),
            values: decoded,
        })
    }

    pub(crate) fn bind(&mut self, name: &str, value: &str) {
        let names = self.names().iter().map(|name| &**name).chain([name]);
        self.names = Some(names.map(Box::from).collect());
        self.values.push(Value::Decoded(value.into()));
    }

    /// The value of `name` in `path`, the path of the request.
    pub(crate) fn get<'a>(&'a self, name: &str, path: &'a str) -> Option<&'a str> {
        let position = self.names().iter().position(|one| &**one == name)?;
        match self.values.get(position)? {
            Value::InPath(range) => path.get(range.start as usize..range.end as usize),
            Value::Decoded(value) => Some(value),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(crate) fn names(&self) -> &[Box<str>] {
        self.names.as_deref().unwrap_or_default()
    }
}

impl Value {
    /// `value` may be a slice of `path`, or of a path that was put in order.
    fn of(value: &str, path: &str) -> Self {
        let start = (value.as_ptr() as usize).wrapping_sub(path.as_ptr() as usize);
        let end = start.wrapping_add(value.len());
        match (path.get(start..end), u32::try_from(end)) {
            (Some(same), Ok(end)) if std::ptr::eq(same, value) => {
                Value::InPath(start as u32..end) // no more than `end`
            }
            _ => Value::Decoded(value.into()),
        }
    }
}

/// Decodes a part of a URI (RFC 3986 §2.1). Most parts need no decoding and are only checked.
pub(crate) fn percent_decode(text: &str) -> Result<Cow<'_, str>, BadEncoding> {
    let bytes = text.as_bytes();
    if !bytes.contains(&b'%') {
        return Ok(Cow::Borrowed(text));
    }
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
    fn a_value_that_stands_in_the_path_is_not_copied() {
        let names: Arc<[Box<str>]> = ["a", "b", "c"].map(Box::from).into();
        let path = "/x/7/a%20b";
        let elsewhere = String::from("7");
        let bindings = Bindings::decode(&names, [&path[3..4], &path[5..], &elsewhere], path);
        let bindings = bindings.unwrap();

        assert!(matches!(
            bindings.values[0],
            Value::InPath(Range { start: 3, end: 4 })
        ));
        assert!(matches!(bindings.values[2], Value::Decoded(_)));
        let values = ["a", "b", "c", "d"].map(|name| bindings.get(name, path));
        assert_eq!(values, [Some("7"), Some("a b"), Some("7"), None]);
    }

    #[test]
    fn parts_are_decoded_and_bad_encoding_is_told() {
        assert_eq!(percent_decode("a%20b%2Fc").unwrap(), "a b/c");
        assert_eq!(percent_decode("a+b").unwrap(), "a+b");
        for bad in ["%", "%4", "%zz", "x%f", "%ff", "%+1"] {
            assert_eq!(percent_decode(bad), Err(BadEncoding), "{bad}");
        }
    }
}
