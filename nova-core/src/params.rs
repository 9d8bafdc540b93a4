//! Forms, query strings and JSON into types.

use std::fmt::Display;

use bytes::Bytes;
use http::{HeaderMap, header};
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::bindings::percent_decode;
use crate::error::{Error, Result};

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
        let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let essence = value.split(';').next()?.trim().to_ascii_lowercase();
        match &*essence {
            "application/json" => Some(Kind::Json),
            "application/x-www-form-urlencoded" => Some(Kind::Form),
            other if other.starts_with("application/") && other.ends_with("+json") => {
                Some(Kind::Json)
            }
            _ => None,
        }
    }

    /// # Errors
    /// 400 if `body` is malformed, 422 if it is no `T`.
    pub(crate) fn decode<T: DeserializeOwned>(self, body: &[u8]) -> Result<T> {
        match self {
            Kind::Json => {
                let mut json = serde_json::Deserializer::from_slice(body);
                let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
                    match error.inner().classify() {
                        // serde stops here; what follows may be no JSON at all.
                        serde_json::error::Category::Data => match check_json(body) {
                            Ok(()) => wrong_field(&error),
                            Err(malformed) => malformed,
                        },
                        _ => malformed(error.inner()),
                    }
                })?;
                json.end().map_err(|error| malformed(&error))?;
                Ok(read)
            }
            Kind::Form => {
                check_form(body)?;
                serde_html_form::from_bytes(body)
                    .map_err(|error| Error::new(422, error.to_string()))
            }
        }
    }

    /// Checks that `body` is well-formed, and keeps it for [`Params::decode`].
    ///
    /// # Errors
    /// 400 if it is not.
    pub(crate) fn check(self, body: Bytes) -> Result<Params> {
        match self {
            Kind::Json => check_json(&body)?,
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
            check_json(&self.body)?;
            return Err(Error::new(422, "the parameters are a JSON object"));
        }
        self.kind.decode(&self.body)
    }
}

/// 400 unless every part of a form or a query string is well encoded.
pub(crate) fn check_form(form: &[u8]) -> Result<()> {
    let text = std::str::from_utf8(form).ok();
    match text.map(percent_decode) {
        Some(Ok(_)) => Ok(()),
        _ => Err(Error::new(
            400,
            "the form or query is badly encoded: a `%` begins two hexadecimal digits, and the \
             result is UTF-8",
        )),
    }
}

/// 400 unless `json` is one whole JSON value.
fn check_json(json: &[u8]) -> Result<()> {
    let text = std::str::from_utf8(json).map_err(|error| malformed(&error))?;
    serde_json::from_str::<IgnoredAny>(text)
        .map(|_| ())
        .map_err(|error| malformed(&error))
}

fn malformed(error: &dyn Display) -> Error {
    Error::new(400, format!("the JSON is malformed: {error}"))
}

fn wrong_field(error: &serde_path_to_error::Error<serde_json::Error>) -> Error {
    let path = error.path().to_string();
    let message = match &*path {
        "." => error.inner().to_string(),
        path => format!("`{path}`: {}", error.inner()),
    };
    Error::new(422, message)
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

    #[test]
    fn a_wrong_field_is_named() {
        let error = Kind::Json.decode::<Vec<Order>>(br#"[{"title":"a","count":"x"}]"#);
        let message = error.unwrap_err().to_string();
        assert!(
            message.starts_with("`[0].count`: invalid type"),
            "{message}"
        );
    }
}
