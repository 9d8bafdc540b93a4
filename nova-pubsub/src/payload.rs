//! What a message carries: the value as it was sent, and its JSON once somebody needs it.
//!
//! Members on this node get the value itself, so a broadcast between tasks encodes nothing. The
//! first socket that needs bytes encodes them, and all others share the result.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;
use tracing::warn;

use crate::stats::Counters;

/// The value of a [`Message`](crate::Message).
///
/// It serialises as the value that was broadcast, so it can stand in a struct of your own:
///
/// ```
/// # use nova_pubsub::{Payload, PubSub, Received};
/// #[derive(serde::Serialize)]
/// struct Event<'a> {
///     event: &'a str,
///     data: &'a Payload,
/// }
///
/// # let pubsub = PubSub::new();
/// # let mut mailbox = pubsub.mailbox();
/// # mailbox.join("notes");
/// pubsub.broadcast("notes", "note_deleted", &serde_json::json!({ "id": 7 }));
/// # let Some(Received::Message(message)) = mailbox.try_recv() else { panic!() };
/// let event = Event { event: message.topic(), data: message.payload() };
/// assert_eq!(
///     serde_json::to_string(&event).unwrap(),
///     r#"{"event":"note_deleted","data":{"id":7}}"#
/// );
/// ```
///
/// It is encoded as JSON, at most once; serialise it with `serde_json`.
pub struct Payload {
    value: Arc<dyn Value>,
    json: OnceLock<Result<Box<RawValue>, String>>,
    counters: Arc<Counters>,
}

impl Payload {
    /// `counters` hears of it, once, if the value cannot be encoded.
    pub(crate) fn new<T>(value: Arc<T>, counters: Arc<Counters>) -> Self
    where
        T: Serialize + Send + Sync + 'static,
    {
        Payload {
            value,
            json: OnceLock::new(),
            counters,
        }
    }

    /// The value as JSON text, encoded by the first call and kept.
    ///
    /// # Errors
    /// The value's `Serialize` refused, or it is something JSON cannot say, such as a map whose
    /// keys are lists. The first failure is logged and counted.
    pub fn json(&self) -> Result<&str, DecodeError> {
        self.raw().map(RawValue::get)
    }

    /// The value as a `T`: the kept value if it is one, decoded from JSON otherwise.
    pub(crate) fn decode<T>(&self) -> Result<Arc<T>, DecodeError>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        match Arc::clone(&self.value).into_any().downcast::<T>() {
            Ok(kept) => Ok(kept),
            Err(_) => serde_json::from_str(self.json()?)
                .map(Arc::new)
                .map_err(|error| DecodeError {
                    reason: format!(
                        "the payload is no `{}`: {error}",
                        std::any::type_name::<T>()
                    ),
                }),
        }
    }

    fn raw(&self) -> Result<&RawValue, DecodeError> {
        let encoded = self.json.get_or_init(|| {
            self.value.to_json().map_err(|error| {
                let reason = format!(
                    "a payload of type `{}` cannot be encoded as JSON: {error}",
                    self.value.type_name()
                );
                self.counters.count_encoding_failure();
                warn!("{reason}");
                reason
            })
        });
        match encoded {
            Ok(raw) => Ok(raw),
            Err(reason) => Err(DecodeError {
                reason: reason.clone(),
            }),
        }
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.raw().map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.json.get() {
            Some(Ok(raw)) => write!(f, "Payload({raw})"),
            _ => f.write_str("Payload(not encoded)"),
        }
    }
}

/// Why a payload is not what the receiver asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    reason: String,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for DecodeError {}

/// Anything that can be broadcast, with its type erased.
trait Value: Send + Sync {
    fn to_json(&self) -> serde_json::Result<Box<RawValue>>;
    fn type_name(&self) -> &'static str;
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<T: Serialize + Send + Sync + 'static> Value for T {
    fn to_json(&self) -> serde_json::Result<Box<RawValue>> {
        serde_json::value::to_raw_value(self)
    }

    fn type_name(&self) -> &'static str {
        std::any::type_name::<T>()
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}
