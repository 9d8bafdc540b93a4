//! The `[server]` table.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use super::values::{address, bytes, duration};

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
}
