//! Settings that no message, log line or listing may show.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use toml::de::DeValue;

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
        // Not serde's own words for what else it is: they quote it.
        let text = Maybe::deserialize(deserializer)?.0;
        let text = text.ok_or_else(|| D::Error::custom(NO_SECRET))?;
        SEEN.with_borrow_mut(|seen| seen.push(text.clone()));
        Ok(Secret(text))
    }
}

/// A string, or anything else.
struct Maybe(Option<String>);

impl<'de> Deserialize<'de> for Maybe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Maybe;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Maybe, E> {
                Ok(Maybe(Some(text.to_owned())))
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Maybe, E> {
                Ok(Maybe(None))
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Maybe, E> {
                Ok(Maybe(None))
            }

            fn visit_i128<E: Error>(self, _: i128) -> Result<Maybe, E> {
                Ok(Maybe(None))
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Maybe, E> {
                Ok(Maybe(None))
            }

            fn visit_u128<E: Error>(self, _: u128) -> Result<Maybe, E> {
                Ok(Maybe(None))
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Maybe, E> {
                Ok(Maybe(None))
            }

            fn visit_unit<E: Error>(self) -> Result<Maybe, E> {
                Ok(Maybe(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Maybe, A::Error> {
                while all.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Maybe(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Maybe, A::Error> {
                while all.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Maybe(None))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

thread_local! {
    /// The secrets that were deserialised on this thread since somebody asked.
    static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Does `work`, and gives the text of each [`Secret`] that it deserialised.
pub(super) fn seen_in<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    SEEN.take();
    let done = work();
    (done, SEEN.take())
}

/// Whether one of `secrets` is in the value.
pub(super) fn is_in(value: &DeValue<'_>, secrets: &[String]) -> bool {
    match value {
        DeValue::String(text) => secrets.iter().any(|secret| {
            let is_long = secret.len() >= 4; // shorter ones are in much that is none
            text == secret || (is_long && text.contains(secret))
        }),
        DeValue::Array(values) => values.iter().any(|value| is_in(value.get_ref(), secrets)),
        DeValue::Table(table) => table.values().any(|value| is_in(value.get_ref(), secrets)),
        _ => false,
    }
}

/// The message without these secrets, and without the password of a URL.
pub(super) fn scrubbed<'s>(message: &str, secrets: impl Iterator<Item = &'s str>) -> String {
    let secrets = secrets.filter(|secret| !secret.is_empty());
    let message = secrets.fold(message.to_owned(), |message, secret| {
        message.replace(secret, MASK)
    });
    masked_url(&message)
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
/// The password in front of a host, or among the parameters.
static URL: LazyLock<Regex> = LazyLock::new(|| {
    let pattern =
        format!(r#"(?i)://[^/?\#\s:@]*:([^\s]*)@|[?&][^=&\s]*(?:{WORDS})[^=&\s]*=([^&\s"'`]*)"#);
    Regex::new(&pattern).expect("the pattern is one")
});

/// The parts of a line of configuration that no message may show; `above` is what stands in the
/// file before it.
pub(crate) fn hidden_parts(above: &str, line: &str) -> Vec<Range<usize>> {
    let is_header = |line: &&str| line.trim_start().starts_with('[');
    let header = above.lines().rev().find(is_header).unwrap_or_default();
    let in_secret_table = header.trim_start_matches(['[', ' ']).split(']').next();
    let value = line
        .split_once('=')
        .map(|(key, _)| key.len() + 1..line.len());
    if in_secret_table.is_some_and(is_telling) && !is_header(&line) {
        return value.into_iter().collect();
    }
    let setting = SETTING.captures(line).or_else(|| BROKEN.captures(line));
    match setting.and_then(|found| found.get(1)) {
        Some(value) => vec![value.range()],
        None => URL
            .captures_iter(line)
            .filter_map(|found| Some(found.get(1).or(found.get(2))?.range()))
            .collect(),
    }
}

/// The text without the password of a URL.
pub(crate) fn masked_url(text: &str) -> String {
    let mut masked = String::new();
    let mut end = 0;
    for found in URL.captures_iter(text) {
        if let Some(password) = found.get(1).or(found.get(2)) {
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
            let hidden = hidden_parts("", line);
            assert_eq!(&line[..hidden[0].start], shown);
        }
        for line in [
            "listen = \"127.0.0.1:80\"",
            "[\"/tokens\", \"tokens::index\"],",
            "keys",
        ] {
            assert!(hidden_parts("[app]\n", line).is_empty(), "{line}");
        }
        assert_eq!(
            masked_url("postgres://ann:p@ss@db/notes"),
            "postgres://ann:***@db/notes"
        );
        assert_eq!(masked_url("sqlite:notes.db"), "sqlite:notes.db");
        let url = "pg://db/x?user=a&password=p&b=c";
        assert_eq!(masked_url(url), "pg://db/x?user=a&password=***&b=c");
        assert!(!hidden_parts("a = 1\n[app.secrets]\n", "stripe = \"x").is_empty());
        assert!(hidden_parts("[app.secrets]\n[app]\n", "stripe = \"x").is_empty());
    }
}
