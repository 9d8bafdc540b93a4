//! Hosts that groups of routes are for.

use std::fmt;
use std::net::Ipv6Addr;

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
        let host = normalized(text);
        if let Some((_, rest)) = host.split_once("://") {
            let rest = rest.split('/').next().unwrap_or_default();
            let rest = without_port(rest);
            return Err(format!("a host has no scheme: `{rest}`"));
        }
        if let Ok(address) = host.parse::<Ipv6Addr>() {
            return Err(format!("an IPv6 address stands in brackets: `[{address}]`"));
        }
        if ipv6(&host).is_some() {
            return Ok(Host::Exact(host.into()));
        }
        let name = without_port(host.split('/').next().unwrap_or_default());
        if name != host && !name.is_empty() && (ipv6(name).is_some() || !name.contains(['[', ':']))
        {
            return Err(format!("a host has neither a port nor a path: `{name}`"));
        }
        if !host.is_ascii() {
            let said = "a host is written as browsers send it, in ASCII: `xn--bcher-kva.example`";
            return Err(said.to_owned());
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
    Some(normalized(host))
}

/// A host in the one form in which hosts are compared: in lower case, without the dot that may end a
/// name (RFC 1034 §3.1), an IPv6 address as RFC 5952 has it.
pub(super) fn normalized(host: &str) -> String {
    if let Some(address) = ipv6(host) {
        return format!("[{address}]");
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    host.to_ascii_lowercase()
}

fn ipv6(host: &str) -> Option<Ipv6Addr> {
    let address = host.strip_prefix('[')?.strip_suffix(']')?;
    address.parse().ok()
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
            ("example.com:80/a", "`example.com`"),
            ("https://[::1]:80/a", "no scheme: `[::1]`"),
            ("[::1]:80", "neither a port nor a path: `[::1]`"),
            ("2001:DB8::0:1", "in brackets: `[2001:db8::1]`"),
            ("[a b]", "`*.example.com`"),
            ("[]", "`*.example.com`"),
            ("[::1", "`*.example.com`"),
            ("*", "`*.example.com`"),
            (":80", "`*.example.com`"),
            ("bücher.example", "in ASCII"),
            ("*example.com", "`*.example.com`"),
            ("a b", "`*.example.com`"),
            ("", "`example.com`"),
        ] {
            let refused = Host::parse(text).unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }

    #[test]
    fn one_host_in_two_spellings_is_one() {
        for (one, other) in [
            ("Example.com", "example.com."),
            ("[2001:DB8:0:0::1]", "[2001:db8::1]"),
            ("*.A.com", "*.a.com."),
        ] {
            assert_eq!(Host::parse(one), Host::parse(other));
            assert!(Host::parse(one).is_ok(), "{one}");
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
            ("/", "[0:0::0:1]:80", "[::1]"),
            ("/", "example.com.:80", "example.com"),
            ("http://[2001:DB8:0::1]/", "example.com", "[2001:db8::1]"),
            ("http://other.org:81/", "example.com", "other.org"),
        ] {
            let request = testing::request("GET", path).header("host", header).build();
            assert_eq!(host_of(&request).unwrap(), expected);
        }
        assert_eq!(host_of(&testing::request("GET", "/").build()), None);
    }
}
