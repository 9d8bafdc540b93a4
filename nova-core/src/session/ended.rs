//! What is told when all sessions of a user end.

use serde::{Deserialize, Serialize};

use super::store::SessionKey;

/// Sessions of a user have ended in all browsers: a message on the channel
/// [`CHANNEL`](Self::CHANNEL) of the app's pub/sub, with the topic [`TOPIC`](Self::TOPIC).
///
/// An open WebSocket has asked for its session once, before the upgrade. A handler that belongs to
/// somebody joins the channel, and closes the connection when it hears of its user:
///
/// ```
/// use nova_core::SessionsEnded;
/// use nova_core::pubsub::Message;
///
/// fn is_over(message: &Message, user: &str) -> bool {
///     let ended = message.decode::<SessionsEnded>();
///     ended.is_ok_and(|ended| ended.user == user)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionsEnded {
    /// Whose.
    pub user: String,
    /// The session that goes on, if one does: see [`Session::key`](crate::Session::key).
    pub kept: Option<SessionKey>,
}

impl SessionsEnded {
    /// The channel.
    pub const CHANNEL: &'static str = "nova:sessions";
    /// The topic.
    pub const TOPIC: &'static str = "sessions_ended";

    pub(super) fn new(user: &str, kept: Option<SessionKey>) -> Self {
        SessionsEnded {
            user: user.to_owned(),
            kept,
        }
    }
}
