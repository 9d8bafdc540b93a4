//! Forms and query strings into a type.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::SEARCHED;
use super::wrong::{self, Input, Path, Step, Substitute, Wrong};
use crate::bindings::percent_decode;
use crate::error::{Error, Result};

/// How often a form is read again because a key stands there twice, or without a value.
const LENIENCE: usize = 64;

/// What serde_html_form says of several values where there should be one.
const SEVERAL: &str = "unsupported value";
/// How it says that a `bool` was expected.
const BOOL: &str = "expected \"true\", \"on\" or \"false\"";

pub(super) fn decode<T: DeserializeOwned>(form: &[u8]) -> Result<T> {
    check(form)?;
    match serde_html_form::from_bytes(form) {
        Ok(read) => Ok(read),
        Err(_) if form.len() > SEARCHED => read(form).map_err(|wrong| wrong.only()),
        Err(refused) => match Form::parse(form) {
            Some(mut form) => wrong::decode(&mut form),
            None => Err(Error::new(422, refused.to_string())),
        },
    }
}

/// 400 unless every part of a form or a query string is well encoded.
pub(crate) fn check(form: &[u8]) -> Result<()> {
    let text = std::str::from_utf8(form).ok();
    match text.map(percent_decode) {
        Some(Ok(_)) => Ok(()),
        _ => Err(Error::new(
            400,
            "the form or query is badly encoded: a `%` begins two hexadecimal digits, and the \
             result is UTF-8",
        )),
    }
}

fn read<T: DeserializeOwned>(form: &[u8]) -> Result<T, Wrong> {
    let form = serde_html_form::Deserializer::from_bytes(form);
    serde_path_to_error::deserialize(form).map_err(Wrong::from)
}

/// A form that was refused, with what may be changed in it.
struct Form {
    pairs: Vec<Pair>,
    lenience: usize,
}

struct Pair {
    key: String,
    value: String,
    /// It has no `=`, as `verbose` in `?verbose&page=2`.
    is_flag: bool,
}

impl Form {
    fn parse(form: &[u8]) -> Option<Self> {
        let pairs: Vec<(String, String)> = serde_html_form::from_bytes(form).ok()?;
        let parts = form.split(|byte| *byte == b'&');
        let parts = parts.filter(|part| !part.is_empty());
        let pairs = pairs.into_iter().zip(parts);
        Some(Form {
            pairs: pairs
                .map(|((key, value), part)| Pair {
                    key,
                    value,
                    is_flag: !part.contains(&b'='),
                })
                .collect(),
            lenience: LENIENCE,
        })
    }

    /// Takes the form for what it was meant as: of a key that stands there twice, the last one
    /// counts, and a key without a value is `true`. Both are as in Nova.
    fn lenient(&mut self, wrong: &Wrong) -> bool {
        let Some(Step::Key(key)) = wrong.path().and_then(|path| path.steps().last()) else {
            return false;
        };
        if self.lenience == 0 {
            return false;
        }
        self.lenience -= 1;
        let mut same = self.pairs.iter_mut().filter(|pair| pair.key == *key);
        if wrong.message() == SEVERAL {
            let last = self.pairs.iter().rposition(|pair| pair.key == *key);
            let before = self.pairs.len();
            let mut position = 0..before;
            self.pairs.retain(|pair| {
                let position = position.next();
                pair.key != *key || position == last
            });
            self.pairs.len() < before
        } else if wrong.message().ends_with(BOOL)
            && let Some(pair) = same.find(|pair| pair.is_flag)
        {
            pair.is_flag = false;
            pair.value = "true".to_owned();
            true
        } else {
            false
        }
    }
}

impl Input for Form {
    fn read<T: DeserializeOwned>(&mut self) -> Result<T, Wrong> {
        loop {
            let pairs: Vec<_> = self
                .pairs
                .iter()
                .map(|pair| (&pair.key, &pair.value))
                .collect();
            let form = serde_html_form::to_string(pairs).map_err(|error| Wrong::whole(&error))?;
            match read(form.as_bytes()) {
                Err(wrong) if self.lenient(&wrong) => {}
                read => return read,
            }
        }
    }

    fn substitutes(&self, message: &str) -> Vec<Substitute> {
        let variant = match message.rsplit_once("expected ") {
            Some((before, expected)) if before.starts_with("unknown variant") => {
                expected.split('`').nth(1)
            }
            _ => None,
        };
        let texts = variant.into_iter().chain(["0", "1", "true", ""]);
        texts
            .map(|text| Substitute::Value(text.into()))
            .chain([Substitute::Nothing])
            .collect()
    }

    fn put(&mut self, path: &Path, substitute: &Substitute) -> bool {
        let (key, index) = match path.steps() {
            [Step::Key(key)] => (key, None),
            [Step::Key(key), Step::Index(index)] => (key, Some(*index)),
            _ => return false,
        };
        let mut same = self.pairs.iter_mut().filter(|pair| pair.key == *key);
        match substitute {
            Substitute::Value(Value::String(text)) => {
                match same.nth(index.unwrap_or_default()) {
                    Some(pair) => pair.value.clone_from(text),
                    None => self.pairs.push(Pair {
                        key: key.clone(),
                        value: text.clone(),
                        is_flag: false,
                    }),
                }
                true
            }
            Substitute::Nothing if index.is_none() => {
                let before = self.pairs.len();
                self.pairs.retain(|pair| pair.key != *key);
                self.pairs.len() < before
            }
            Substitute::Value(_) | Substitute::Nothing => false,
        }
    }
}
