//! The `[session]` table.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use cookie::SameSite;
use http::HeaderName;
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Unexpected, Visitor};

use super::secret::Secret;
use super::values::some_time;

/// The `[session]` table of `nova.toml`: how long sessions live, and their cookie.
///
/// ```toml
/// [session]
/// idle = "30m"
/// [prod.session]
/// secure = true
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SessionConfig {
    /// The name of the cookie. **Default:** `session_id`.
    ///
    /// With `__Host-` in front, browsers take it from this host alone, and with `__Secure-` by HTTPS
    /// alone (RFC 6265bis §4.1.3); what they ask for in turn is checked at build.
    #[serde(deserialize_with = "cookie_name")]
    pub cookie: String,
    /// A session that is not used for so long ends, up to a 120th of it earlier. It is no longer
    /// than `absolute`. **Default:** 2 h.
    #[serde(deserialize_with = "some_time")]
    pub idle: Duration,
    /// A session ends after so long, used or not; a login begins it anew. **Default:** 14 d.
    #[serde(deserialize_with = "some_time")]
    pub absolute: Duration,
    /// Whether browsers send the cookie by HTTPS only. **Default:**
    /// [`Auto`](SecureCookie::Auto), where the client has spoken HTTPS.
    pub secure: SecureCookie,
    /// The domain whose hosts all get the cookie, such as `example.com`. **Default:** empty, for
    /// the host of the request alone.
    #[serde(deserialize_with = "domain")]
    pub domain: String,
    /// The path below which the cookie is sent. **Default:** `/`.
    #[serde(deserialize_with = "path")]
    pub path: String,
    /// Whether the cookie comes with requests that other sites cause: `lax`, with links to the app;
    /// `strict`, with none; `none`, with all, and then `secure` has to be `true`.
    /// **Default:** `lax`.
    #[serde(deserialize_with = "same_site")]
    pub same_site: SameSite,
    /// What cookies are signed with, of at least 32 characters, or a list: the first one signs, and
    /// all are good, so that a new one can be put in front of the old one. **Default:** none, and so
    /// each start of the app makes one up. Sessions that outlive the app need one in `prod`.
    #[serde(deserialize_with = "secrets")]
    pub secret: Vec<Secret>,
    /// The most sessions that are kept in memory; those unused for longest make room.
    /// **Default:** 100,000.
    pub capacity: NonZeroU32,
}

/// Whether the session's cookie is sent by HTTPS only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecureCookie {
    /// `"auto"`: if the request came by HTTPS, as [`Head::is_secure`](crate::Head::is_secure) says.
    /// Behind a proxy that speaks HTTPS for the app, that needs
    /// [`trusted_proxies`](crate::ServerConfig::trusted_proxies).
    Auto,
    /// `true`.
    Always,
    /// `false`.
    Never,
}

impl SessionConfig {
    /// What does not go together: the key at whose value it is told, and the mistake.
    pub(super) fn contradictions(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let mut add = |wrong: bool, key: &'static str, told: &str| {
            if wrong {
                found.push((key, told.to_owned()));
            }
        };
        let (idle, absolute) = (self.idle, self.absolute);
        add(
            idle > absolute,
            "idle",
            &format!(
                "`idle` is longer than `absolute`, which is {}: no session lives \
                 that long",
                humantime::format_duration(absolute)
            ),
        );
        let is_secure = self.secure == SecureCookie::Always;
        add(
            self.same_site == SameSite::None && !is_secure,
            "same_site",
            "browsers refuse a cookie with `same_site = \"none\"` unless it is secure: set \
             `secure = true`, too",
        );
        let name = self.cookie.to_ascii_lowercase(); // RFC 6265bis §5.7: in any case
        let is_host = name.starts_with("__host-");
        add(
            (is_host || name.starts_with("__secure-")) && !is_secure,
            "cookie",
            "browsers refuse a cookie with such a name unless it is secure: set `secure = true`, \
             too",
        );
        add(
            is_host && (self.path != "/" || !self.domain.is_empty()),
            "cookie",
            "browsers refuse a cookie that is named `__Host-…` unless its path is `/` and it has \
             no domain: leave `path` and `domain` out",
        );
        found
    }
}

impl<'de> Deserialize<'de> for SecureCookie {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;
        impl Visitor<'_> for Word {
            type Value = SecureCookie;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`true`, `false` or \"auto\"")
            }

            fn visit_bool<E: Error>(self, always: bool) -> Result<SecureCookie, E> {
                Ok(match always {
                    true => SecureCookie::Always,
                    false => SecureCookie::Never,
                })
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<SecureCookie, E> {
                match text {
                    "auto" => Ok(SecureCookie::Auto),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Word)
    }
}

/// Text that passes `is_good`, which `expected` describes.
struct Text {
    expected: &'static str,
    is_good: fn(&str) -> bool,
}

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        match (self.is_good)(text) {
            true => Ok(text.to_owned()),
            false => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

fn domain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    deserializer.deserialize_str(Text {
        expected: "a domain, such as \"example.com\", or nothing",
        is_good: |text| {
            let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
            text.chars().all(is_part) && !text.starts_with('.')
        },
    })
}

/// RFC 6265 §4.1.1.
fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    deserializer.deserialize_str(Text {
        expected: "a path, such as \"/\" or \"/app\"",
        is_good: |text| {
            let is_part = |c: char| c.is_ascii_graphic() && c != ';';
            text.starts_with('/') && text.chars().all(is_part)
        },
    })
}

fn same_site<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SameSite, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        Lax,
        Strict,
        None,
    }
    Ok(match Word::deserialize(deserializer)? {
        Word::Lax => SameSite::Lax,
        Word::Strict => SameSite::Strict,
        Word::None => SameSite::None,
    })
}

/// Shorter ones can be guessed.
const SHORTEST_SECRET: usize = 32;

fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Secret>, D::Error> {
    #[derive(Clone, Copy)]
    struct Secrets;
    impl<'de> Visitor<'de> for Secrets {
        type Value = Vec<Secret>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(
                f,
                "at least {SHORTEST_SECRET} characters, such as `openssl rand -base64 32` gives, \
                 or a list of such"
            )
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<Secret>, E> {
            match text.chars().count() >= SHORTEST_SECRET {
                true => Ok(vec![Secret::from(text)]),
                false => Err(E::invalid_value(Unexpected::Other("a shorter text"), &self)),
            }
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Secret>, A::Error> {
            let mut secrets = Vec::new();
            while let Some(secret) = list.next_element::<Secret>()? {
                secrets.extend(self.visit_str::<A::Error>(secret.expose())?);
            }
            Ok(secrets)
        }
    }
    deserializer.deserialize_any(Secrets)
}

/// RFC 6265 §4.1.1: the name of a cookie is a token, as that of a header is.
fn cookie_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    deserializer.deserialize_str(Text {
        expected: "the name of a cookie: letters, digits, `-` and `_`",
        is_good: |text| HeaderName::from_bytes(text.as_bytes()).is_ok(),
    })
}
