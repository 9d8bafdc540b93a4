//! Who is behind a proxy.
//!
//! A proxy writes the address of its client at the end of a header, behind whatever the client
//! itself has written there. So the header is read from its end, and only as far as proxies that
//! are trusted have written it.

use std::net::{IpAddr, SocketAddr};

use http::header::{AsHeaderName, FORWARDED};
use http::{HeaderMap, HeaderValue};

use crate::config::{ForwardedHeader, ServerConfig, TrustedProxy};
use crate::peer::Peer;

const X_FORWARDED_FOR: &str = "x-forwarded-for";
const X_FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The proxies whose word counts.
#[derive(Debug)]
pub(crate) struct Proxies {
    trusted: Vec<TrustedProxy>,
    header: ForwardedHeader,
}

/// Who sent a request, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) ip: Option<IpAddr>,
    /// Whether it spoke HTTPS.
    pub(crate) is_secure: bool,
}

/// What one proxy says of its client.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hop {
    ip: Option<IpAddr>,
    is_secure: Option<bool>,
}

impl Proxies {
    pub(crate) fn new(config: &ServerConfig) -> Self {
        Proxies {
            trusted: config.trusted_proxies.clone(),
            header: config.forwarded_header,
        }
    }

    /// The client of a request that came from `peer` with these `headers`.
    pub(crate) fn client(&self, peer: Peer, headers: &HeaderMap) -> Client {
        let mut client = Client {
            ip: peer.address().map(|address| address.ip().to_canonical()),
            is_secure: peer.is_secure(),
        };
        let is_trusted = match client.ip {
            Some(ip) => self.trust(ip),
            None => peer == Peer::Unix && self.trusted.contains(&TrustedProxy::Unix),
        };
        if !is_trusted {
            return client;
        }
        match self.header {
            ForwardedHeader::XForwardedFor => {
                // A proxy that says nothing of it leaves what its own connection is.
                if let Some(scheme) = from_end(headers, X_FORWARDED_PROTO).next() {
                    client.is_secure = scheme.is_some_and(is_https);
                }
                let hops = from_end(headers, X_FORWARDED_FOR);
                self.walk(&mut client, hops.map(|hop| (hop.and_then(address), None)));
            }
            ForwardedHeader::Forwarded => {
                let hops = from_end(headers, FORWARDED).map_while(|hop| element(hop?));
                let hops = hops.enumerate().map(|(position, hop)| {
                    let unsaid = (position > 0).then_some(false);
                    (hop.ip, hop.is_secure.or(unsaid))
                });
                self.walk(&mut client, hops);
            }
        }
        client
    }

    /// Goes back from proxy to proxy, to the first that is none.
    fn walk(
        &self,
        client: &mut Client,
        hops: impl Iterator<Item = (Option<IpAddr>, Option<bool>)>,
    ) {
        for (ip, is_secure) in hops {
            client.is_secure = is_secure.unwrap_or(client.is_secure);
            let Some(ip) = ip else { return };
            client.ip = Some(ip);
            if !self.trust(ip) {
                return;
            }
        }
    }

    fn trust(&self, ip: IpAddr) -> bool {
        self.trusted.iter().any(|proxy| match proxy {
            TrustedProxy::Network(network) => network.contains(&ip),
            TrustedProxy::Unix => false,
        })
    }
}

/// The elements of a list that may stand in several lines (RFC 9110 §5.3), the last one first;
/// `None` for one that is no text. A comma in quotes separates, too: no address has one, and what
/// it leaves is malformed.
fn from_end(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = Option<&str>> {
    let lines: Vec<&HeaderValue> = headers.get_all(name).iter().collect();
    let lines = lines.into_iter().rev();
    lines
        .flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','))
        .map(|element| Some(std::str::from_utf8(element).ok()?.trim()))
}

/// An element of `Forwarded` (RFC 7239 §4), such as `for="[2001:db8::1]:4711";proto=https`.
/// `None` if it is malformed.
fn element(element: &str) -> Option<Hop> {
    let mut hop = Hop::default();
    let mut seen = Vec::new();
    for pair in element.split(';') {
        let (name, value) = pair.trim().split_once('=')?;
        let name = name.to_ascii_lowercase();
        let value = match value.strip_prefix('"') {
            Some(rest) => rest.strip_suffix('"')?,
            None => value,
        };
        if value.contains('"') || seen.contains(&name) {
            return None;
        }
        match &*name {
            "for" => hop.ip = address(value),
            "proto" => hop.is_secure = Some(is_https(value)),
            _ => {}
        }
        seen.push(name);
    }
    Some(hop)
}

/// An address, with or without a port. What a proxy says in its place, such as `unknown`, is none.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let ip = match bare {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().ok().map(IpAddr::from),
        None => text.parse().ok(),
    };
    let ip = ip.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))?;
    Some(ip.to_canonical())
}

fn is_https(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("https")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(header: ForwardedHeader, peer: &str, lines: &[(&'static str, &str)]) -> String {
        let proxies = Proxies {
            trusted: ["10.0.0.0/8", "127.0.0.1/32", "2001:db8:1::/48"]
                .map(|net| TrustedProxy::Network(net.parse().unwrap()))
                .into_iter()
                .chain([TrustedProxy::Unix])
                .collect(),
            header,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let peer = match peer {
            "unix" => Peer::Unix,
            ip => Peer::Tcp(SocketAddr::new(ip.parse().unwrap(), 1)),
        };
        let client = proxies.client(peer, &headers);
        let ip = client.ip.map_or("none".to_owned(), |ip| ip.to_string());
        format!("{ip}{}", if client.is_secure { " s" } else { "" })
    }

    fn x_forwarded_for(peer: &str, lines: &[&str]) -> String {
        let lines: Vec<_> = lines.iter().map(|line| (X_FORWARDED_FOR, *line)).collect();
        client(ForwardedHeader::XForwardedFor, peer, &lines)
    }

    fn forwarded(peer: &str, lines: &[&str]) -> String {
        let lines: Vec<_> = lines.iter().map(|line| ("forwarded", *line)).collect();
        client(ForwardedHeader::Forwarded, peer, &lines)
    }

    #[test]
    fn the_first_address_from_the_end_that_is_no_proxy_is_the_client() {
        for (lines, expected) in [
            (&["1.1.1.1"][..], "1.1.1.1"),
            (&["1.1.1.1, 2.2.2.2"], "2.2.2.2"),
            (&["1.1.1.1,2.2.2.2 , 10.1.1.1"], "2.2.2.2"),
            (&["1.1.1.1", "2.2.2.2", "10.1.1.1"], "2.2.2.2"),
            (&["10.9.9.9, 10.1.1.1"], "10.9.9.9"),
            (&["1.1.1.1:4711"], "1.1.1.1"),
            (&["2001:db8::1"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["1.1.1.1, 2001:db8:1::7"], "1.1.1.1"),
            (&["1.1.1.1, ::ffff:10.1.1.1"], "1.1.1.1"),
            (&[], "10.0.0.1"),
        ] {
            assert_eq!(x_forwarded_for("10.0.0.1", lines), expected, "{lines:?}");
        }
        assert_eq!(x_forwarded_for("::ffff:10.0.0.1", &["1.1.1.1"]), "1.1.1.1");
    }

    #[test]
    fn who_comes_by_a_unix_socket_is_asked_like_any_other_proxy() {
        for (lines, expected) in [
            (&["1.1.1.1"][..], "1.1.1.1"),
            (&["1.1.1.1, 10.1.1.1"], "1.1.1.1"),
            (&["unknown"], "none"),
            (&[], "none"),
        ] {
            assert_eq!(x_forwarded_for("unix", lines), expected, "{lines:?}");
        }
        let untrusting = Proxies {
            trusted: Vec::new(),
            header: ForwardedHeader::XForwardedFor,
        };
        let headers = [(X_FORWARDED_FOR, "1.1.1.1"), (X_FORWARDED_PROTO, "https")];
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let client = untrusting.client(Peer::Unix, &HeaderMap::from_iter(headers));
        assert_eq!((client.ip, client.is_secure), (None, false));
    }

    #[test]
    fn what_is_malformed_ends_the_way_at_the_last_proxy() {
        for lines in [
            &["unknown"][..],
            &["1.1.1.1, unknown"],
            &["1.1.1.1, "],
            &["1.1.1.1", ""],
            &["[1.1.1.1]"],
            &["1.1.1.1:x"],
            &["1.1.1.256"],
            &["[2001:db8::1"],
            &["\"1.1.1.1\""],
            &["1.1.1.1; 2.2.2.2"],
            &["\u{661}.1.1.1"],
        ] {
            assert_eq!(x_forwarded_for("10.0.0.1", lines), "10.0.0.1", "{lines:?}");
        }
        assert_eq!(
            x_forwarded_for("10.0.0.1", &["1.1.1.1, x, 10.0.0.2"]),
            "10.0.0.2"
        );
    }

    #[test]
    fn the_header_of_a_peer_that_is_not_trusted_counts_for_nothing() {
        let lines = [
            (X_FORWARDED_FOR, "127.0.0.1"),
            (X_FORWARDED_PROTO, "https"),
            ("forwarded", "for=127.0.0.1;proto=https"),
        ];
        for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
            assert_eq!(client(header, "9.9.9.9", &lines), "9.9.9.9");
        }
    }

    #[test]
    fn only_the_header_that_the_settings_name_counts() {
        let lines = [
            (X_FORWARDED_FOR, "1.1.1.1"),
            (X_FORWARDED_PROTO, "https"),
            ("forwarded", "for=2.2.2.2"),
        ];
        let by = |header| client(header, "10.0.0.1", &lines);
        assert_eq!(by(ForwardedHeader::XForwardedFor), "1.1.1.1 s");
        assert_eq!(by(ForwardedHeader::Forwarded), "2.2.2.2");
    }

    #[test]
    fn of_several_schemes_the_one_of_the_nearest_proxy_counts() {
        for (lines, expected) in [
            (&["https"][..], "1.1.1.1 s"),
            (&["HTTPS"], "1.1.1.1 s"),
            (&["http"], "1.1.1.1"),
            (&["https, http"], "1.1.1.1"),
            (&["https", "http"], "1.1.1.1"),
            (&["http, https"], "1.1.1.1 s"),
            (&["x"], "1.1.1.1"),
        ] {
            let lines = lines.iter().map(|line| (X_FORWARDED_PROTO, *line));
            let lines: Vec<_> = lines.chain([(X_FORWARDED_FOR, "1.1.1.1")]).collect();
            let client = client(ForwardedHeader::XForwardedFor, "10.0.0.1", &lines);
            assert_eq!(client, expected, "{lines:?}");
        }
    }

    #[test]
    fn rfc_7239_is_read_in_all_its_forms() {
        for (lines, expected) in [
            (&["for=1.1.1.1"][..], "1.1.1.1"),
            (&["For=1.1.1.1;Proto=HTTPS;by=10.0.0.1"], "1.1.1.1 s"),
            (&["proto=https; for=\"1.1.1.1:4711\""], "1.1.1.1 s"),
            (&["for=\"[2001:db8::1]:4711\""], "2001:db8::1"),
            (
                &["for=\"[2001:db8::1]\", for=10.1.1.1;proto=https"],
                "2001:db8::1",
            ),
            (
                &["for=2.2.2.2;proto=http, for=1.1.1.1;proto=https"],
                "1.1.1.1 s",
            ),
            (
                &["for=2.2.2.2, for=1.1.1.1;proto=https", "for=10.1.1.1"],
                "1.1.1.1 s",
            ),
            // The way ends where nothing, or nothing that is an address, is said.
            (&["for=1.1.1.1, for=unknown"], "10.0.0.1"),
            (&["for=1.1.1.1, for=_hidden"], "10.0.0.1"),
            (&["for=1.1.1.1, proto=https"], "10.0.0.1 s"),
            (&["for=1.1.1.1, for=unknown;proto=https"], "10.0.0.1 s"),
            (&["for=1.1.1.1;for=2.2.2.2"], "10.0.0.1"),
            (&["for=\"1.1.1.1"], "10.0.0.1"),
            (&["for"], "10.0.0.1"),
            (&[""], "10.0.0.1"),
            // A client that begins a quotation does not swallow what its proxy says.
            (&["for=\"2.2.2.2, for=1.1.1.1"], "1.1.1.1"),
            // Nor does one whose `host` the proxy repeats.
            (&["for=1.1.1.1;host=\"a, for=2.2.2.2\""], "10.0.0.1"),
            (&["for=1.1.1.1;host=\"a;for=2.2.2.2\""], "10.0.0.1"),
        ] {
            assert_eq!(forwarded("10.0.0.1", lines), expected, "{lines:?}");
        }
    }
}
