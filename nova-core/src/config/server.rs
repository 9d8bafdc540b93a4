//! The `[server]` table.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// The `[server]` table of `nova.toml`: where the app listens, and its limits.
///
/// ```toml
/// [server]
/// listen = "127.0.0.1:8080"
/// body_limit = 2_097_152
/// shutdown_drain_timeout = 15 # or "15s"
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
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

impl Default for ServerConfig {
    fn default() -> Self {
        ServerConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            body_limit: 2 * 1024 * 1024,
            shutdown_drain_timeout: Duration::from_secs(15),
        }
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    struct Address;
    impl Visitor<'_> for Address {
        type Value = SocketAddr;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an IP address with a port, such as \"127.0.0.1:8080\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<SocketAddr, E> {
            text.parse()
                .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_str(Address)
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    struct Bytes;
    impl Visitor<'_> for Bytes {
        type Value = usize;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a number of bytes above 0, such as 2_097_152")
        }

        fn visit_i64<E: Error>(self, bytes: i64) -> Result<usize, E> {
            usize::try_from(bytes)
                .ok()
                .filter(|bytes| *bytes > 0)
                .ok_or_else(|| E::invalid_value(Unexpected::Signed(bytes), &self))
        }
    }
    deserializer.deserialize_any(Bytes)
}

/// Longer ones are slips of the pen, and could not be added to the clock.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Integer seconds, or text with a unit.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    struct Seconds;
    impl Visitor<'_> for Seconds {
        type Value = Duration;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a number of seconds, or text such as \"90s\" or \"2h\", up to a year")
        }

        fn visit_i64<E: Error>(self, seconds: i64) -> Result<Duration, E> {
            u64::try_from(seconds)
                .map(Duration::from_secs)
                .ok()
                .filter(|duration| *duration <= LONGEST)
                .ok_or_else(|| E::invalid_value(Unexpected::Signed(seconds), &self))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
            humantime::parse_duration(text)
                .ok()
                .filter(|duration| *duration <= LONGEST)
                .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_any(Seconds)
}
