//! Whose word counts for who is behind them.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// Who is believed: one entry of [`trusted_proxies`](crate::ServerConfig::trusted_proxies).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustedProxy {
    /// Every address of a network, such as `10.0.0.0/8`; one address is a network of one.
    Network(IpNet),
    /// Whoever comes by a Unix socket: `unix`. The permissions of its file say who can.
    Unix,
}

impl<'de> Deserialize<'de> for TrustedProxy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Network;
        impl Visitor<'_> for Network {
            type Value = TrustedProxy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "an IP address or a network, such as \"127.0.0.1\" or \"10.0.0.0/8\", or \"unix\"",
                )
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<TrustedProxy, E> {
                if text == "unix" {
                    return Ok(TrustedProxy::Unix);
                }
                let one = text.parse::<IpAddr>().map(IpNet::from);
                one.or_else(|_| text.parse())
                    .map(TrustedProxy::Network)
                    .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Network)
    }
}
