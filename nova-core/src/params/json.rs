//! JSON into a type.

use std::fmt::Display;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use serde_json::{Value, json};

use super::SEARCHED;
use super::wrong::{self, Input, Path, Step, Substitute, Wrong};
use crate::error::{Error, Result};

/// An array with more items than this is not made up.
const MADE_UP: usize = 32;

pub(super) fn decode<T: DeserializeOwned>(json: &[u8]) -> Result<T> {
    match serde_json::from_slice(json) {
        Ok(read) => Ok(read),
        // serde stops here; what follows may be no JSON at all.
        Err(refused) if refused.classify() == Category::Data => {
            check(json)?;
            search(json)
        }
        Err(error) => Err(malformed(&error)),
    }
}

/// 400 unless `json` is one whole JSON value.
pub(super) fn check(json: &[u8]) -> Result<()> {
    let text = std::str::from_utf8(json).map_err(|error| malformed(&error))?;
    serde_json::from_str::<IgnoredAny>(text)
        .map(|_| ())
        .map_err(|error| malformed(&error))
}

fn malformed(error: &dyn Display) -> Error {
    Error::new(400, format!("the JSON is malformed: {error}"))
}

/// What is wrong with well-formed JSON. As a [`Value`] it has each key once, with its last value.
fn search<T: DeserializeOwned>(json: &[u8]) -> Result<T> {
    if json.len() > SEARCHED {
        let mut json = serde_json::Deserializer::from_slice(json);
        let read = serde_path_to_error::deserialize(&mut json);
        return read.map_err(|error| Wrong::from(error).only());
    }
    let mut value: Value = serde_json::from_slice(json).map_err(|error| malformed(&error))?;
    wrong::decode(&mut value)
}

impl Input for Value {
    fn read<T: DeserializeOwned>(&mut self) -> Result<T, Wrong> {
        serde_path_to_error::deserialize(&*self).map_err(Wrong::from)
    }

    fn substitutes(&self, message: &str) -> Vec<Substitute> {
        let told = expected(message).map(Substitute::Value);
        told.into_iter()
            .chain([Substitute::Value(Value::Null), Substitute::Nothing])
            .collect()
    }

    fn put(&mut self, path: &Path, substitute: &Substitute) -> bool {
        let Some((last, above)) = path.steps().split_last() else {
            return false;
        };
        let Some(parent) = above.iter().try_fold(self, |value, step| match step {
            Step::Key(key) => value.get_mut(key),
            Step::Index(index) => value.get_mut(index),
        }) else {
            return false;
        };
        match (parent, last, substitute) {
            (Value::Object(object), Step::Key(key), Substitute::Value(value)) => {
                object.insert(key.clone(), value.clone());
                true
            }
            (Value::Object(object), Step::Key(key), Substitute::Nothing) => {
                object.remove(key).is_some()
            }
            (Value::Array(array), Step::Index(index), Substitute::Value(value)) => {
                let item = array.get_mut(*index);
                item.map(|item| *item = value.clone()).is_some()
            }
            // Without an item, the places of those behind it would be other ones.
            _ => false,
        }
    }
}

/// A value of the kind that serde, or a type's own `Deserialize`, says that it expected.
fn expected(message: &str) -> Option<Value> {
    let (_, expected) = message.rsplit_once("expected ")?;
    let has = |word: &str| expected.contains(word);
    let length = || {
        let mut digits = expected.split(|c: char| !c.is_ascii_digit());
        let length: Option<usize> = digits.rfind(|digits| !digits.is_empty())?.parse().ok();
        length.filter(|length| *length <= MADE_UP)
    };
    Some(if message.starts_with("unknown variant") {
        expected.split('`').nth(1)?.into()
    } else if has("array of length") || has("tuple") {
        vec![Value::Null; length()?].into()
    } else if has("struct ") || has("map") && !has("string") {
        json!({})
    } else if has("sequence") {
        json!([])
    } else if has("string") {
        "".into()
    } else if has("character") {
        "a".into()
    } else if has("bool") {
        false.into()
    } else if has("nonzero") {
        1.into()
    } else if is_number(expected) {
        0.into()
    } else {
        return None;
    })
}

fn is_number(expected: &str) -> bool {
    let names = [
        "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
        "f32", "f64",
    ];
    names.contains(&expected) || expected.contains("integer") || expected.contains("number")
}
