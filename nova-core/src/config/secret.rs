//! Settings that no message, log line or listing may show.

use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// What stands in place of a secret.
pub(crate) const MASK: &str = "***";

/// What serde is told when a [`Secret`] is none: without the value.
pub(super) const NO_SECRET: &str = "a secret is a string";

/// Text that is not printed: a password, a key, a token among the settings of an app.
///
/// Its `Debug` and `Display` are `***`, and no message about a mistake in the settings quotes it.
/// The same goes for every setting whose name tells that it is secret, such as `smtp_password`,
/// `api_token` or `signing_key`; of a URL, the password is left out.
///
/// ```
/// use nova_core::Secret;
///
/// let secret = Secret::from("hunter2");
/// assert_eq!(format!("{secret:?}"), "***");
/// assert_eq!(secret.expose(), "hunter2");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret::from(text))
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Secret, E> {
                Err(E::custom(NO_SECRET))
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Secret, E> {
                Err(E::custom(NO_SECRET))
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Secret, E> {
                Err(E::custom(NO_SECRET))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

/// What is in the names of secret settings.
const WORDS: &str = "pass|secret|token|credential|key";

/// Whether a setting of that name is a secret.
pub(crate) fn is_telling(key: &str) -> bool {
    let key = key.to_lowercase();
    WORDS.split('|').any(|word| key.contains(word))
}

static SETTING: LazyLock<Regex> = LazyLock::new(|| {
    let pattern =
        format!(r#"(?i)(?:^\s*|[{{,]\s*)["']?[\w.-]*(?:{WORDS})[\w-]*["']?\s*=\s*(\S.*)$"#);
    Regex::new(&pattern).expect("the pattern is one")
});
/// A line that lacks its `=`.
static BROKEN: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = format!(r#"(?i)^\s*["']?[\w.-]*(?:{WORDS})[\w-]*["']?\s+([^\s=].*)$"#);
    Regex::new(&pattern).expect("the pattern is one")
});
static URL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"://[^/?#\s:@]*:([^\s]*)@").expect("the pattern is one"));

/// The parts of a line of configuration that no message may show.
pub(crate) fn hidden_parts(line: &str) -> Vec<Range<usize>> {
    let setting = SETTING.captures(line).or_else(|| BROKEN.captures(line));
    match setting.and_then(|found| found.get(1)) {
        Some(value) => vec![value.range()],
        None => URL
            .captures_iter(line)
            .filter_map(|found| Some(found.get(1)?.range()))
            .collect(),
    }
}

/// The text without the password of a URL.
pub(crate) fn masked_url(text: &str) -> String {
    let mut masked = String::new();
    let mut end = 0;
    for found in URL.captures_iter(text) {
        if let Some(password) = found.get(1) {
            masked += &text[end..password.start()];
            masked += MASK;
            end = password.end();
        }
    }
    masked + &text[end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_secret_is_shown_without_it() {
        for (line, shown) in [
            ("password = \"a # b\" # c", "password = "),
            ("\"smtp.password\" = 'x", "\"smtp.password\" = "),
            (
                "  mail = { user = \"u\", api_token = 5 }",
                "  mail = { user = \"u\", api_token = ",
            ),
            ("signing-key \"x\"", "signing-key "),
            (
                "database = \"postgres://ann:p@ss@db/notes\"",
                "database = \"postgres://ann:",
            ),
        ] {
            let hidden = hidden_parts(line);
            assert_eq!(&line[..hidden[0].start], shown);
        }
        for line in [
            "listen = \"127.0.0.1:80\"",
            "[\"/tokens\", \"tokens::index\"],",
            "keys",
        ] {
            assert!(hidden_parts(line).is_empty(), "{line}");
        }
        assert_eq!(
            masked_url("postgres://ann:p@ss@db/notes"),
            "postgres://ann:***@db/notes"
        );
        assert_eq!(masked_url("sqlite:notes.db"), "sqlite:notes.db");
    }
}
