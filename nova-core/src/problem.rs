//! Problem documents (RFC 9457): what a program gets to read of an error.

use http::StatusCode;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;

use crate::dev_facts::DevFacts;
use crate::error::{Error, FieldError};

/// Its media type. JSON has no charset (RFC 8259 §11).
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// The document of an [`Error`]: only what the client may read, but for `dev`.
///
/// Its `type` is left out, which means `about:blank`: the problem is what the status says
/// (RFC 9457 §4.2.1).
#[derive(Debug, Serialize)]
pub(crate) struct Problem<'e> {
    pub(crate) title: &'static str,
    pub(crate) status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<&'e str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<WrongField<'e>>,
    /// What only a developer may read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dev: Option<DevFacts<'e>>,
}

/// An element of `errors`, as in the example of RFC 9457 §3.
#[derive(Debug, Serialize)]
pub(crate) struct WrongField<'e> {
    pub(crate) detail: &'e str,
    /// For programs: `#/items/0/count`.
    pointer: String,
    /// For people: `items[0].count`.
    pub(crate) path: &'e str,
}

impl<'e> Problem<'e> {
    pub(crate) fn of(error: &'e Error, dev: Option<DevFacts<'e>>) -> Self {
        Problem {
            title: title(error.status()),
            status: error.status().as_u16(),
            detail: error.detail(),
            errors: error.fields().iter().map(WrongField::of).collect(),
            dev,
        }
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers always encode")
    }
}

impl<'e> WrongField<'e> {
    fn of(field: &'e FieldError) -> Self {
        WrongField {
            detail: &field.message,
            pointer: pointer(&field.path),
            path: &field.path,
        }
    }
}

/// The phrase of a status, or that of its class for one that has none (RFC 9110 §15).
pub(crate) fn title(status: StatusCode) -> &'static str {
    let class = || match status.is_client_error() {
        true => "Client Error",
        false => "Server Error",
    };
    status.canonical_reason().unwrap_or_else(class)
}

/// What a URI fragment holds only percent-encoded (RFC 3986 §3.5).
const FRAGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The path of a field as a JSON pointer in a fragment (RFC 6901 §6): `items[0].count` is
/// `#/items/0/count`, and the whole, `.` or nothing, is `#`.
fn pointer(path: &str) -> String {
    let mut pointer = String::from("#");
    for name in path.split('.').filter(|name| !name.is_empty()) {
        let (name, indices) = split_indices(name);
        let steps = Some(name).filter(|name| !name.is_empty());
        for step in steps.into_iter().chain(indices) {
            let step = step.replace('~', "~0").replace('/', "~1");
            pointer.push('/');
            pointer.extend(utf8_percent_encode(&step, FRAGMENT));
        }
    }
    pointer
}

/// `items[0][1]` as `items`, and `0` and `1`. Brackets with anything else are part of the name.
fn split_indices(name: &str) -> (&str, Vec<&str>) {
    let (mut name, mut indices) = (name, Vec::new());
    while let Some((before, index)) = name
        .strip_suffix(']')
        .and_then(|open| open.rsplit_once('['))
    {
        if index.is_empty() || !index.bytes().all(|digit| digit.is_ascii_digit()) {
            break;
        }
        indices.insert(0, index);
        name = before;
    }
    (name, indices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_field_is_a_json_pointer_too() {
        for (path, expected) in [
            ("title", "#/title"),
            ("items[0].count", "#/items/0/count"),
            ("[2].a[0][10]", "#/2/a/0/10"),
            (".", "#"),
            ("", "#"),
            ("a/b~c", "#/a~1b~0c"),
            ("a b.ü%", "#/a%20b/%C3%BC%25"),
            ("x[y]", "#/x%5By%5D"),
            ("x[]", "#/x%5B%5D"),
        ] {
            assert_eq!(pointer(path), expected, "{path}");
        }
    }

    #[test]
    fn a_status_without_a_phrase_has_that_of_its_class() {
        let title = |status| title(StatusCode::from_u16(status).unwrap());
        assert_eq!(title(404), "Not Found");
        assert_eq!(title(499), "Client Error");
        assert_eq!(title(599), "Server Error");
    }

    #[test]
    fn a_document_has_what_the_client_may_read_and_nothing_empty() {
        let json = |error: &Error| String::from_utf8(Problem::of(error, None).to_json()).unwrap();
        let cause = std::io::Error::other("a secret");

        assert_eq!(
            json(&Error::from(cause)),
            r#"{"title":"Internal Server Error","status":500}"#
        );
        let error = Error::new(422, "the order is not complete")
            .with_fields([FieldError::new("items[0].count", "zero is not for sale")]);
        assert_eq!(
            json(&error),
            concat!(
                r##"{"title":"Unprocessable Entity","status":422,"detail":"the order is not complete","##,
                r##""errors":[{"detail":"zero is not for sale","pointer":"#/items/0/count","path":"items[0].count"}]}"##
            )
        );
    }
}
