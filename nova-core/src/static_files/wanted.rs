//! What a request names in a folder, and whether such a thing may be named at all.

use std::path::{Component, Path, PathBuf};

use http::Uri;
use percent_encoding::{CONTROLS, utf8_percent_encode};

use crate::bindings::percent_decode;
use crate::error::{Error, Result};
use crate::request::Head;

/// A path below a folder, of plain names.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Empty for the folder itself.
    pub(super) path: PathBuf,
    /// Whether it was asked for as a folder.
    pub(super) ends_with_slash: bool,
}

impl Wanted {
    /// What the rest of the route's path names.
    ///
    /// # Errors
    /// 404 if it is nothing that is ever sent.
    pub(super) fn of(head: &Head) -> Result<Self> {
        let rest = head.bindings.names().last();
        let rest = rest.and_then(|name| head.bindings.get(name, head.path()));
        let rest = rest.unwrap_or_default();
        let names: Vec<&str> = match rest {
            "" => Vec::new(),
            rest => rest.split('/').collect(),
        };
        // A slash that was encoded joins what the router has taken for one segment.
        let sent = head.path().rsplit('/').filter(|sent| !sent.is_empty());
        let mut pairs = sent.zip(names.iter().rev());
        let is_as_sent = pairs.all(|(sent, name)| percent_decode(sent).is_ok_and(|it| it == *name));
        match is_as_sent && names.iter().all(|name| is_servable(name)) {
            true => Ok(Wanted {
                path: names.iter().collect(),
                ends_with_slash: head.path().ends_with('/'),
            }),
            false => Err(Error::internal("the path names no file").with_status(404)),
        }
    }
}

/// Whether something with this name can be sent: it is one name, and no hidden one.
pub(super) fn is_servable(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let is_plain = matches!(parts.next(), Some(Component::Normal(part)) if part == name);
    is_plain && parts.next().is_none() && !name.starts_with('.') && !name.contains(['\\', '\0'])
}

/// The same address with a slash at the end of its path.
pub(super) fn with_slash(uri: &Uri) -> String {
    rebuilt(uri, uri.path(), "/")
}

/// The same address with nothing encoded that need not be, if it is another one.
///
/// `%61` is `a` (RFC 3986 §6.2.2.2), but the router compares paths as they are written: without this,
/// `/assets/%61dmin/…` would go around a route to `/assets/admin/…` that asks who is there.
pub(super) fn normalized(uri: &Uri) -> Option<String> {
    let mut path = String::with_capacity(uri.path().len());
    let mut rest = uri.path();
    while let Some(at) = rest.find('%') {
        let code = rest.get(at + 1..at + 3);
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        path.push_str(&rest[..at]);
        match byte.map(char::from) {
            Some(plain) if plain.is_ascii_alphanumeric() || "-._~".contains(plain) => {
                path.push(plain);
                rest = &rest[at + 3..];
            }
            _ => {
                path.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    path.push_str(rest);
    let end = if path.ends_with('/') { "/" } else { "" };
    (path != uri.path()).then(|| rebuilt(uri, &path, end))
}

/// One slash at its beginning: two would begin the name of a host.
fn rebuilt(uri: &Uri, path: &str, end: &str) -> String {
    let mut location = String::with_capacity(path.len() + 1);
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        location.push('/');
        location.push_str(segment);
    }
    location.push_str(end);
    if let Some(query) = uri.query() {
        location.push('?');
        location.push_str(query);
    }
    utf8_percent_encode(&location, CONTROLS).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_plain_name() {
        for name in ["a", "a.b", "a b", "é", "a..", "~", "%2e"] {
            assert!(is_servable(name), "{name:?}");
        }
        for name in [
            "", ".", "..", ".a", "a/b", "/", "/a", "a/", "a\\b", "a\0", "..\\a",
        ] {
            assert!(!is_servable(name), "{name:?}");
        }
    }

    #[test]
    fn a_location_has_one_slash_in_front_and_keeps_its_query() {
        for (uri, expected) in [
            ("/a", "/a/"),
            ("//evil.example/a", "/evil.example/a/"),
            ("/a//b?c=d", "/a/b/?c=d"),
            ("/a%20b", "/a%20b/"),
        ] {
            assert_eq!(with_slash(&uri.parse().unwrap()), expected);
        }
    }

    #[test]
    fn only_what_need_not_be_encoded_is_decoded() {
        let of = |uri: &str| normalized(&uri.parse().unwrap());
        assert_eq!(of("/%61%2Fb%20c?%61").unwrap(), "/a%2Fb%20c?%61");
        assert_eq!(of("/%2e%7e/").unwrap(), "/.~/");
        for same in ["/a", "/a%20b", "/%c3%a9", "/a%2fb", "/a%2540", "/%", "/%4"] {
            assert_eq!(of(same), None, "{same}");
        }
    }
}
