//! The `[session]` table.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use http::HeaderName;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

use super::values::some_time;

/// The `[session]` table of `nova.toml`: how long sessions live, and their cookie.
///
/// ```toml
/// [session]
/// idle_timeout = "30m"
/// [prod.session]
/// secure = true
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SessionConfig {
    /// The name of the cookie. **Default:** `session_id`.
    #[serde(deserialize_with = "cookie_name")]
    pub cookie: String,
    /// A session that is not used for so long ends. **Default:** 2 h.
    #[serde(deserialize_with = "some_time")]
    pub idle_timeout: Duration,
    /// A session ends after so long, used or not. **Default:** 14 d.
    #[serde(deserialize_with = "some_time")]
    pub absolute_timeout: Duration,
    /// Whether browsers send the cookie by HTTPS only. **Default:** `false`, as the server speaks
    /// HTTP; set it where a proxy speaks HTTPS for the app.
    pub secure: bool,
    /// The most sessions that are kept in memory; those unused for longest make room.
    /// **Default:** 100,000.
    pub capacity: NonZeroU32,
}

/// RFC 6265 §4.1.1: the name of a cookie is a token, as that of a header is.
fn cookie_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Name;
    impl Visitor<'_> for Name {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the name of a cookie: letters, digits, `-` and `_`")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
            match HeaderName::from_bytes(text.as_bytes()) {
                Ok(_) => Ok(text.to_owned()),
                Err(_) => Err(E::invalid_value(Unexpected::Str(text), &self)),
            }
        }
    }
    deserializer.deserialize_str(Name)
}
