//! The kinds of values that settings have.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::de::{Deserializer, Error, Unexpected, Visitor};

pub(super) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
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

/// A number of things, above 0.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    number(deserializer, 1..=1_000_000)
}

/// The length of a head: hyper's buffer has a least size.
pub(super) fn head_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    number(deserializer, 8 * 1024..=16 * 1024 * 1024)
}

/// A window of HTTP/2, whose largest is 2 GiB (RFC 9113 §6.9.1).
pub(super) fn window<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let bytes = number(deserializer, 64 * 1024..=1024 * 1024 * 1024)?;
    Ok(u32::try_from(bytes).unwrap_or(u32::MAX))
}

/// Permissions, as `chmod` has them.
pub(super) fn permissions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    struct Octal;
    impl Visitor<'_> for Octal {
        type Value = u32;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("permissions as octal text, such as \"660\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<u32, E> {
            u32::from_str_radix(text, 8)
                .ok()
                .filter(|mode| *mode <= 0o777)
                .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_str(Octal)
}

fn number<'de, D: Deserializer<'de>>(
    deserializer: D,
    range: RangeInclusive<usize>,
) -> Result<usize, D::Error> {
    struct Number(RangeInclusive<usize>);
    impl Visitor<'_> for Number {
        type Value = usize;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "a number from {} to {}", self.0.start(), self.0.end())
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<usize, E> {
            usize::try_from(number)
                .ok()
                .filter(|number| self.0.contains(number))
                .ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
        }
    }
    deserializer.deserialize_any(Number(range))
}

/// As [`bytes`], for a value that may be left out.
pub(crate) fn bytes_or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<usize>, D::Error> {
    bytes(deserializer).map(Some)
}

/// Longer ones are slips of the pen, and could not be added to the clock.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// As [`duration`], but not nothing.
pub(crate) fn some_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    match duration(deserializer)? {
        Duration::ZERO => Err(Error::custom("it should be longer than nothing")),
        duration => Ok(duration),
    }
}

/// Integer seconds, or text with a unit.
pub(crate) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
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
