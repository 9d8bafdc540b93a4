//! The `[log]` table.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use tracing_subscriber::EnvFilter;

/// The `[log]` table of `nova.toml`: what [`run`](crate::run) writes to standard error.
///
/// ```toml
/// [log]
/// level = "info,sqlx=warn"
/// [prod.log]
/// format = "json"
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LogConfig {
    /// How a line looks. **Default:** [`Text`](LogFormat::Text), and [`Json`](LogFormat::Json) in
    /// `prod`.
    pub format: LogFormat,
    /// What is logged: a level, or directives as
    /// [`EnvFilter`](tracing_subscriber::EnvFilter) has them. The variable `RUST_LOG` beats it.
    /// **Default:** `info`.
    #[serde(deserialize_with = "directives")]
    pub level: String,
    /// Whether each request gets a line, at `info`. **Default:** `true`.
    pub requests: bool,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

fn directives<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Directives;
    impl Visitor<'_> for Directives {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a level, such as \"info\", or directives, such as \"info,sqlx=warn\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
            // A bare word that is no level would be taken for the name of a target.
            let is_known = |directive: &str| {
                let level = directive
                    .rsplit_once('=')
                    .map_or(directive, |(_, level)| level);
                level
                    .trim()
                    .parse::<tracing_subscriber::filter::LevelFilter>()
                    .is_ok()
            };
            match EnvFilter::try_new(text) {
                Ok(_) if text.split(',').all(is_known) => Ok(text.to_owned()),
                _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
            }
        }
    }
    deserializer.deserialize_str(Directives)
}
