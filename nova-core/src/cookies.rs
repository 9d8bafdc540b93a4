//! The cookies that a client sends.

use cookie::Cookie;
use http::HeaderMap;
use http::header::COOKIE;

/// Names and values, in the order in which the client sent them. Whatever is malformed is passed
/// over: other apps of the same host may have set it.
pub(crate) fn sent(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(COOKIE).iter();
    let parts = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    parts.filter_map(|part| {
        let cookie = Cookie::parse(std::str::from_utf8(part).ok()?).ok()?;
        Some((cookie.name_raw()?, unquoted(cookie.value_raw()?)))
    })
}

/// RFC 6265 §4.1.1: a value may stand in quotes.
fn unquoted(value: &str) -> &str {
    let inner = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn malformed_parts_are_passed_over() {
        let mut headers = HeaderMap::new();
        for line in [
            &b"a=1; =x; b; ;; c=\"2\"; \xff=1; d=\xff; e= 3 ;f=x=y"[..],
            b"a=4; g=\"; h=",
        ] {
            headers.append(COOKIE, HeaderValue::from_bytes(line).unwrap());
        }

        let all: Vec<_> = sent(&headers).collect();

        assert_eq!(
            all,
            [
                ("a", "1"),
                ("c", "2"),
                ("e", "3"),
                ("f", "x=y"),
                ("a", "4"),
                ("g", "\""),
                ("h", ""),
            ]
        );
    }
}
