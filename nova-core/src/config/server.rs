//! The `[server]` table.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use super::values::{address, bytes, duration, networks};

/// The `[server]` table of `nova.toml`: where the app listens, and its limits.
///
/// ```toml
/// [server]
/// listen = "127.0.0.1:8080"
/// body_limit = 2_097_152
/// shutdown_drain_timeout = 15 # or "15s"
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The address to listen on; port 0 takes a free one. **Default:** `127.0.0.1:8080`.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// The longest request body, in bytes; a longer one is refused with 413.
    /// **Default:** 2 MiB.
    #[serde(deserialize_with = "bytes")]
    pub body_limit: usize,
    /// How long a stopping app lets requests and sockets finish before it cuts them: integer
    /// seconds, or text such as `"2m"`; at most a year. **Default:** 15 s.
    #[serde(deserialize_with = "duration")]
    pub shutdown_drain_timeout: Duration,
    /// The proxies that are believed when they say whose request they pass on, as a list of
    /// addresses and networks: `["127.0.0.1", "10.0.0.0/8"]`. What
    /// [`Head::client_ip`](crate::Head::client_ip) and [`Head::scheme`](crate::Head::scheme) give
    /// comes from them. **Default:** none, so that no client can say that it is another.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which the trusted proxies say it. It has to be one that all of them write:
    /// the others pass on what a client has written. **Default:** `x-forwarded-for`.
    pub forwarded_header: ForwardedHeader,
}

/// The header in which a proxy says whose request it passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, with the scheme in `X-Forwarded-Proto`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}
