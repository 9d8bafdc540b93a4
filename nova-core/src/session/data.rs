//! What is in a session, as its record in the store has it.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{Error, Result};

/// The most bytes of names and JSON that one session holds.
const MOST_BYTES: usize = 64 * 1024;

/// The name of the value that the `csrf` plugin keeps. It is given up at a login: whoever has lent the
/// client the session before knows it.
pub(crate) const CSRF_TOKEN: &str = "_csrf_token";

/// JSON values by name.
pub(super) type Values = BTreeMap<String, Box<RawValue>>;

/// Every part may be left out, so that another version of Nova can read it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Data {
    /// When it began, in milliseconds of Unix time.
    pub(super) begun: i64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) values: Values,
    /// Messages that somebody has yet to see.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) flash: Values,
    /// Whether the session has another id now. Requests with this one are still under way, and must
    /// not begin sessions whose cookies would take the place of the new id.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) retired: bool,
}

impl Data {
    pub(super) fn read(json: &str) -> Result<Self> {
        serde_json::from_str(json)
            .map_err(|error| Error::internal(format!("the store gives no session: {error}")))
    }

    /// # Errors
    /// It is too long.
    pub(super) fn written(&self) -> Result<String> {
        let all = self.values.iter().chain(&self.flash);
        let bytes: usize = all.map(|(name, json)| name.len() + json.get().len()).sum();
        if bytes > MOST_BYTES {
            return Err(Error::internal(format!(
                "a session holds at most {MOST_BYTES} bytes, and with this it would have {bytes}: \
                 keep it elsewhere"
            )));
        }
        Ok(serde_json::to_string(self)?)
    }
}

/// One of the values, as a `T`.
pub(super) fn decoded<T: DeserializeOwned>(name: &str, json: &RawValue) -> Result<T> {
    serde_json::from_str(json.get()).map_err(|error| {
        Error::internal(format!("`{name}` in the session is another type: {error}"))
    })
}
