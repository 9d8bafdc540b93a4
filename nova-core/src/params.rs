//! Forms, query strings and JSON into types.
//!
//! What is right is read in one pass. Only what is refused is read again, to find all that is
//! wrong with it ([`wrong`]), or nothing: of a key that stands there twice, the last one counts.

mod form;
mod json;
mod words;
mod wrong;

use bytes::Bytes;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
pub(crate) use form::check as check_form;

/// What is longer is not searched for all that is wrong with it: the search takes memory, and
/// many passes.
const SEARCHED: usize = 64 * 1024;

/// What a body holds, by its content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Json,
    Form,
}

/// A body that is well-formed, for the controller to read its type from.
#[derive(Debug, Clone)]
pub(crate) struct Params {
    kind: Kind,
    body: Bytes,
}

impl Kind {
    /// The media type without its parameters, in any case (RFC 9110 §8.3.1): JSON is
    /// `application/json` or what ends in `+json` (RFC 6839 §3.1).
    pub(crate) fn of(headers: &HeaderMap) -> Option<Kind> {
        let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?.as_bytes();
        let essence = value.split(|&byte| byte == b';').next()?.trim_ascii();
        let subtype = without_case(essence, b"application/")?;
        let is = |name: &[u8]| subtype.eq_ignore_ascii_case(name);
        let suffix = subtype.last_chunk::<5>();
        if is(b"json") || suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case(b"+json")) {
            return Some(Kind::Json);
        }
        is(b"x-www-form-urlencoded").then_some(Kind::Form)
    }

    /// # Errors
    /// 400 if `body` is malformed, 422 with all that is wrong if it is no `T`.
    pub(crate) fn decode<T: DeserializeOwned>(self, body: &[u8]) -> Result<T> {
        match self {
            Kind::Json => json::decode(body),
            Kind::Form => form::decode(body),
        }
    }

    /// Checks that `body` is well-formed, and keeps it for [`Params::decode`].
    ///
    /// # Errors
    /// 400 if it is not.
    pub(crate) fn check(self, body: Bytes) -> Result<Params> {
        match self {
            Kind::Json => json::check(&body)?,
            Kind::Form => check_form(&body)?,
        }
        Ok(self.unchecked(body))
    }

    /// A body that [`Params::decode`] will find to be well-formed or not.
    pub(crate) fn unchecked(self, body: Bytes) -> Params {
        Params { kind: self, body }
    }
}

impl Params {
    /// Named parameters as a `T`. JSON has to be an object: serde would take a list for a struct
    /// as well, by the order of its fields.
    ///
    /// # Errors
    /// 400 if the JSON is malformed, 422 if it is no `T`.
    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        let is_object = || self.body.trim_ascii_start().starts_with(b"{");
        if self.kind == Kind::Json && !is_object() {
            json::check(&self.body)?;
            return Err(Error::new(422, "the parameters are a JSON object"));
        }
        self.kind.decode(&self.body)
    }
}

/// What stands behind `prefix`, which may be written in any case.
fn without_case<'t>(text: &'t [u8], prefix: &[u8]) -> Option<&'t [u8]> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(content_type: &str) -> Option<Kind> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        Kind::of(&headers)
    }

    #[test]
    fn media_types_are_compared_whole_and_in_any_case() {
        assert_eq!(kind("Application/JSON; charset=utf-8"), Some(Kind::Json));
        assert_eq!(kind("application/vnd.api+json"), Some(Kind::Json));
        assert_eq!(kind("application/jsonfoo"), None);
        assert_eq!(kind("application/x-www-form-urlencoded"), Some(Kind::Form));
        assert_eq!(kind("text/plain"), None);
    }

    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only decoding is tested")]
    struct Order {
        title: String,
        count: u32,
    }

    fn status<T>(result: Result<T>) -> Option<u16> {
        result.err().map(|error| error.status().as_u16())
    }

    #[test]
    fn malformed_is_400_and_a_wrong_field_422() {
        for (kind, body, expected) in [
            (Kind::Json, r#"{"title":"a","count":1}"#, None),
            (Kind::Json, r#"{"title":"a","count":1} x"#, Some(400)),
            (Kind::Json, r#"{"title":"#, Some(400)),
            (Kind::Json, "", Some(400)),
            (Kind::Json, r#"{"title":"a"}"#, Some(422)),
            (Kind::Json, r#"{"title":"a","count":"1"}"#, Some(422)),
            (Kind::Json, "[]", Some(422)),
            (Kind::Json, r#"["a",1]"#, Some(422)),
            (Kind::Json, r#"{"title":1, "#, Some(400)),
            (Kind::Json, r#"{"title":1} x"#, Some(400)),
            (Kind::Json, "\"\u{e9}", Some(400)),
            (Kind::Form, "title=a&count=1", None),
            (Kind::Form, "title=a&count=x", Some(422)),
            (Kind::Form, "title=a", Some(422)),
            (Kind::Form, "title=%zz&count=1", Some(400)),
            (Kind::Form, "title=%ff&count=1", Some(400)),
        ] {
            let unchecked = kind.unchecked(Bytes::from(body));
            assert_eq!(
                status(unchecked.decode::<Order>()),
                expected,
                "unchecked: {body}"
            );
            let checked = kind.check(Bytes::from(body));
            let decoded = checked.and_then(|params| params.decode::<Order>());
            assert_eq!(status(decoded), expected, "{body}");
        }
    }
}
