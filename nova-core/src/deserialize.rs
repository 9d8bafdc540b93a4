//! The kinds of values that Nova's settings have, for `#[serde(deserialize_with = "…")]` in settings,
//! limits and options of your own.
//!
//! ```
//! use std::time::Duration;
//!
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct Options {
//!     #[serde(deserialize_with = "nova_core::deserialize::duration")]
//!     every: Duration, // 90, "90s" or "2h"
//!     #[serde(default, deserialize_with = "nova_core::deserialize::optional_bytes")]
//!     room: Option<usize>,
//! }
//!
//! let options: Options = toml::from_str("every = \"2h\"").unwrap();
//! assert_eq!(options.every.as_secs(), 7_200);
//! assert_eq!(options.room, None);
//! ```

use std::time::Duration;

use serde::Deserializer;

use crate::config;

/// A length of time: integer seconds, or text with a unit, such as `"2h"`. It is at most a year.
///
/// # Errors
/// What is no such value, with what is.
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    config::duration(deserializer)
}

/// A [`duration`] above 0, in a field with `#[serde(default)]`, which is `None` if it is left out.
///
/// # Errors
/// What is no such value, with what is.
pub fn optional_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    config::some_time(deserializer).map(Some)
}

/// A number of bytes above 0, in a field with `#[serde(default)]`, which is `None` if it is left out.
///
/// # Errors
/// What is no such value, with what is.
pub fn optional_bytes<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<usize>, D::Error> {
    config::bytes_or_none(deserializer)
}
