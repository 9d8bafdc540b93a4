//! What is told when sessions of a user end.

use serde::{Deserialize, Serialize};

use super::store::SessionKey;

/// Sessions of a user have ended: a message on the channel [`CHANNEL`](Self::CHANNEL) of the app's
/// pub/sub, with the topic [`TOPIC`](Self::TOPIC).
///
/// It is told of a [log-out](crate::Session::end), in this browser, in [all](crate::Session::end_all_of)
/// or in all [others](crate::Session::end_others), and when a session gets a new id: what was opened with
/// the old one belongs to it no longer. It is not told of a session that ends by its time.
///
/// An open WebSocket has asked for its session once, before the upgrade. If its security function or
/// its `init` has, nova-ws closes it by itself when the session ends. What else belongs to somebody
/// joins the channel, asks who it is, and stops when it hears of them:
///
/// ```
/// use nova_core::pubsub::Message;
/// use nova_core::{SessionKey, SessionsEnded};
///
/// fn is_over(message: &Message, user: &str, session: Option<SessionKey>) -> bool {
///     let ended = message.decode::<SessionsEnded>();
///     ended.is_ok_and(|ended| ended.includes(user, session))
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionsEnded {
    /// Whose.
    pub user: String,
    /// The one that has ended; `None` for all of them.
    #[serde(default)]
    pub session: Option<SessionKey>,
    /// Of all, the one that goes on, if one does.
    pub kept: Option<SessionKey>,
}

impl SessionsEnded {
    /// The channel.
    pub const CHANNEL: &'static str = "nova:sessions";
    /// The topic.
    pub const TOPIC: &'static str = "sessions_ended";

    /// What the channels of users begin with.
    pub const OF_USER: &'static str = "nova:user:";

    /// The channel of one user, on which it is told as well: a connection that belongs to somebody
    /// hears of nobody else there. nova-ws joins it by itself.
    pub fn channel_of(user: &str) -> String {
        format!("{}{user}", Self::OF_USER)
    }

    pub(super) fn one(user: &str, session: SessionKey) -> Self {
        SessionsEnded {
            user: user.to_owned(),
            session: Some(session),
            kept: None,
        }
    }

    pub(super) fn all_of(user: &str, kept: Option<SessionKey>) -> Self {
        SessionsEnded {
            user: user.to_owned(),
            session: None,
            kept,
        }
    }

    /// Whether a session is one of these: that of `user`, with this [key](crate::Session::key).
    pub fn includes(&self, user: &str, session: Option<SessionKey>) -> bool {
        let is_it = |other: SessionKey| session == Some(other);
        self.user == user && self.session.is_none_or(is_it) && !self.kept.is_some_and(is_it)
    }
}
