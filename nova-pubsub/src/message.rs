//! What a member receives.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;

use crate::member::MemberId;
use crate::payload::{DecodeError, Payload};
use crate::sync::{Mutex, lock};

/// One broadcast, as every member of the channel receives it, or what was sent to one member alone.
///
/// It has the five parts of Nova's `{nova_pubsub, Channel, Sender, Topic, Payload}`: the tag is
/// this type. Cloning is one reference count.
#[derive(Clone)]
pub struct Message(Arc<Parts>);

struct Parts {
    channel: Arc<str>,
    sender: MemberId,
    topic: Box<str>,
    payload: Payload,
    derived: Mutex<Vec<Derived>>,
}

/// What was worked out of a message, by the type that it was worked out for.
struct Derived {
    of: TypeId,
    value: Arc<OnceLock<Arc<dyn Any + Send + Sync>>>,
}

impl Message {
    pub(crate) fn new(
        channel: Arc<str>,
        sender: MemberId,
        topic: &str,
        payload: Payload,
    ) -> Message {
        Message(Arc::new(Parts {
            channel,
            sender,
            topic: topic.into(),
            payload,
            derived: Mutex::new(Vec::new()),
        }))
    }

    /// The channel that it was broadcast on; empty if it was [sent](crate::PubSub::send_to) to one
    /// member alone.
    pub fn channel(&self) -> &str {
        &self.0.channel
    }

    /// Whether it was [sent](crate::PubSub::send_to) to this member alone. No broadcast is: there is no
    /// channel without a name.
    pub fn is_direct(&self) -> bool {
        self.0.channel.is_empty()
    }

    /// Who broadcast or sent it.
    pub fn sender(&self) -> MemberId {
        self.0.sender
    }

    /// What it is about, such as `note_created`.
    pub fn topic(&self) -> &str {
        &self.0.topic
    }

    /// What it carries, as something to serialise. To look inside, use [`decode`](Self::decode).
    pub fn payload(&self) -> &Payload {
        &self.0.payload
    }

    /// What it carries, as a `T`.
    ///
    /// If the sender broadcast a `T` on this node, this is that value and nothing is decoded.
    /// Otherwise the payload is decoded from JSON, so a receiver never needs to know where or as
    /// what type the sender had it.
    ///
    /// # Errors
    /// The payload cannot be encoded, or its JSON is no `T`.
    pub fn decode<T>(&self) -> Result<Arc<T>, DecodeError>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.0.payload.decode()
    }

    /// What `derive` makes of this message, worked out once for all who hold it.
    ///
    /// `For` says what for: the first call for a `For` runs `derive`, every other call for it, by
    /// any member, gets the same value. This is how nova-ws encodes one frame for ten thousand
    /// sockets. A concurrent call waits for the first, so `derive` should be quick; it must not
    /// ask the same message for the same `For`.
    ///
    /// # Panics
    /// If the value kept for this `For` has another type than `V`: one `For`, one `V`. If
    /// `derive` panics, so does this call, and the next call runs its own `derive`.
    pub fn derived<For, V>(&self, derive: impl FnOnce(&Message) -> V) -> Arc<V>
    where
        For: ?Sized + 'static,
        V: Send + Sync + 'static,
    {
        let of = TypeId::of::<For>();
        let cell = {
            let mut derived = lock(&self.0.derived);
            match derived.iter().find(|entry| entry.of == of) {
                Some(entry) => Arc::clone(&entry.value),
                None => {
                    let value = Arc::new(OnceLock::new());
                    derived.push(Derived {
                        of,
                        value: Arc::clone(&value),
                    });
                    value
                }
            }
        };
        let value = cell.get_or_init(|| Arc::new(derive(self)));
        Arc::clone(value)
            .downcast()
            .expect("one `For` derives one type of value")
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("channel", &self.0.channel)
            .field("sender", &self.0.sender)
            .field("topic", &self.0.topic)
            .field("payload", &self.0.payload)
            .finish()
    }
}
