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
    values: Values,
}

#[derive(Debug, Clone)]
enum Values {
    /// As they stand in the path of the request: no copy.
    InPath(Spans),
    /// Other than they stand there.
    Decoded(Vec<Box<str>>),
}

/// Where values stand in a path, in bytes.
pub(crate) type Spans = SmallVec<[Range<u32>; 4]>;

/// A value with a percent sign that encodes nothing, or with bytes that are no UTF-8.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadEncoding;

impl Default for Values {
    fn default() -> Self {
        Values::InPath(Spans::new())
    }
}

impl Bindings {
    /// The values at `spans` in `path`, the path of the request: one for each of `names`.
    pub(crate) fn decode(
        names: &Arc<[Box<str>]>,
        spans: Spans,
        path: &str,
    ) -> Result<Self, BadEncoding> {
        let values = spans
            .iter()
            .map(|span| slice(path, span).unwrap_or_default());
        let values = match values.clone().all(stands_for_itself) {
            true => Values::InPath(spans),
            false => Values::Decoded(values.map(decoded).collect::<Result<_, _>>()?),
        };
        Ok(Bindings {
            names: Some(Arc::clone(names)),
            values,
        })
    }

    /// Binds a value by hand, for a request that no route has matched.
    pub(crate) fn bind(&mut self, name: &str, value: &str) {
        let names = self.names().iter().map(|name| &**name).chain([name]);
        self.names = Some(names.map(Box::from).collect());
        match &mut self.values {
            Values::Decoded(values) => values.push(value.into()),
            Values::InPath(_) => self.values = Values::Decoded(vec![value.into()]),
        }
    }

    /// The value of `name` in `path`, the path of the request.
    pub(crate) fn get<'a>(&'a self, name: &str, path: &'a str) -> Option<&'a str> {
        let position = self.names().iter().position(|one| &**one == name)?;
        match &self.values {
            Values::InPath(spans) => slice(path, spans.get(position)?),
            Values::Decoded(values) => values.get(position).map(|value| &**value),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_none()
    }

    pub(crate) fn names(&self) -> &[Box<str>] {
        self.names.as_deref().unwrap_or_default()
    }
}

fn slice<'p>(path: &'p str, span: &Range<u32>) -> Option<&'p str> {
    path.get(span.start as usize..span.end as usize)
}

fn stands_for_itself(value: &str) -> bool {
    let bytes = value.as_bytes();
    !bytes.contains(&b'%') && !bytes.windows(2).any(|pair| pair == b"//")
}

/// Repeated slashes, which only a rest can have, count as one.
fn decoded(value: &str) -> Result<Box<str>, BadEncoding> {
    let mut value = Cow::from(value);
    while value.contains("//") {
        value = value.replace("//", "/").into();
    }
    percent_decode(&value).map(Box::from)
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
    fn values_that_stand_in_the_path_are_not_copied() {
        let names: Arc<[Box<str>]> = ["a", "b"].map(Box::from).into();
        for (path, is_copied, expected) in [
            ("/x/7/ab", false, "ab"),
            ("/x/7/a/b", false, "a/b"),
            ("/x/7/a%20b", true, "a b"),
            ("/x/7/a///b%2F%2Fc", true, "a/b//c"),
        ] {
            let spans = Spans::from_iter([3..4, 5..path.len() as u32]);
            let bindings = Bindings::decode(&names, spans, path).unwrap();

            assert_eq!(matches!(bindings.values, Values::Decoded(_)), is_copied);
            let values = ["a", "b", "c"].map(|name| bindings.get(name, path));
            assert_eq!(values, [Some("7"), Some(expected), None]);
        }
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
