//! Hosts that groups of routes are for.

use std::fmt;

use http::header;

use crate::request::Head;

/// The host of a group: `example.com`, or `*.example.com` for all that ends in `.example.com`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    Exact(Box<str>),
    /// What stands behind the `*`, with its dot.
    Below(Box<str>),
}

impl Host {
    /// Reads a host, in any case.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let host = text.to_ascii_lowercase();
        if let Some((_, rest)) = host.split_once("://") {
            let rest = rest.split(['/', ':']).next().unwrap_or_default();
            return Err(format!("a host has no scheme: `{rest}`"));
        }
        if host.starts_with('[') && host.ends_with(']') {
            return Ok(Host::Exact(host.into()));
        }
        if let Some((name, _)) = host.split_once([':', '/']) {
            return Err(format!("a host has neither a port nor a path: `{name}`"));
        }
        let name = host.strip_prefix("*.").unwrap_or(&host);
        let is_label = |label: &str| {
            !label.is_empty()
                && label
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        };
        if !name.split('.').all(is_label) {
            return Err("a host is `example.com`, or `*.example.com` for all below it".to_owned());
        }
        Ok(match host.strip_prefix('*') {
            Some(below) => Host::Below(below.into()),
            None => Host::Exact(host.into()),
        })
    }

    /// Whether `host`, in lower case and without its port, is this one or below it.
    pub(crate) fn matches(&self, host: &str) -> bool {
        match self {
            Host::Exact(own) => **own == *host,
            Host::Below(end) => host.len() > end.len() && host.ends_with(&**end),
        }
    }

    /// Whether all requests for `other` are for this one too.
    pub(super) fn contains(&self, other: &Host) -> bool {
        match other {
            Host::Exact(name) => self.matches(name),
            Host::Below(end) => match self {
                Host::Exact(_) => false,
                Host::Below(own) => end.ends_with(&**own),
            },
        }
    }

    /// How particular it is: the table asks the most particular host first.
    pub(super) fn rank(&self) -> (bool, usize) {
        match self {
            Host::Exact(name) => (true, name.len()),
            Host::Below(end) => (false, end.len()),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Exact(name) => f.write_str(name),
            Host::Below(end) => write!(f, "*{end}"),
        }
    }
}

/// The host that a request is for, without its port and in lower case: the target's, or else that
/// of the `host` header (RFC 9110 §7.2).
pub(crate) fn host_of(head: &Head) -> Option<String> {
    let named = head.uri().host();
    let host = match named {
        Some(host) => host,
        None => without_port(head.headers().get(header::HOST)?.to_str().ok()?),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    Some(host.to_ascii_lowercase())
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        // The colons of an IPv6 address stand within brackets.
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn what_is_no_host_says_what_to_write() {
        for (text, said) in [
            ("https://example.com/a", "no scheme: `example.com`"),
            (
                "example.com:8080",
                "neither a port nor a path: `example.com`",
            ),
            ("example.com/a", "`example.com`"),
            ("*example.com", "`*.example.com`"),
            ("a b", "`*.example.com`"),
            ("", "`example.com`"),
        ] {
            let refused = Host::parse(text).unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }

    #[test]
    fn a_star_stands_for_what_is_below() {
        let below = Host::parse("*.Example.com").unwrap();
        assert!(below.matches("a.example.com") && below.matches("a.b.example.com"));
        assert!(!below.matches("example.com") && !below.matches("anexample.com"));
        assert!(below.contains(&Host::parse("*.b.example.com").unwrap()));
        assert!(!Host::parse("a.example.com").unwrap().contains(&below));
    }

    #[test]
    fn a_request_has_its_host_without_port_and_in_lower_case() {
        for (path, header, expected) in [
            ("/", "Example.COM:8080", "example.com"),
            ("/", "example.com.", "example.com"),
            ("/", "[::1]:80", "[::1]"),
            ("/", "[::1]", "[::1]"),
            ("http://other.org:81/", "example.com", "other.org"),
        ] {
            let request = testing::request("GET", path).header("host", header).build();
            assert_eq!(host_of(&request).unwrap(), expected);
        }
        assert_eq!(host_of(&testing::request("GET", "/").build()), None);
    }
}
