//! How a connection ends.

use tracing::warn;

/// The most that the reason in a close frame can hold (RFC 6455 §5.5).
const REASON_BYTES: usize = 123;

/// Why a connection ended, for [`WebSocket::terminate`](crate::WebSocket::terminate).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The handler stopped it.
    Stopped,
    /// The client closed it, with this code and reason if it gave any.
    Remote {
        /// The code of the close frame (RFC 6455 §7.4).
        code: Option<u16>,
        /// What the client said; empty if nothing.
        reason: String,
    },
    /// The connection broke without a close frame, or there never was one: the client had gone before
    /// the 101, or got another answer than that.
    Disconnected,
    /// The client broke the protocol or a limit: what it did. It was closed with 1002, 1007, 1008
    /// or 1009.
    Violation(String),
    /// The handler panicked with this message. The client was closed with 1011.
    Panicked(String),
    /// Too much waited: the client did not read what was sent to it, or the handler was busy for
    /// too long. It was closed with 1013.
    TooSlow,
    /// The client answered no ping; no close frame was sent.
    Silent,
    /// No message came or went for [`idle_timeout`](crate::WsLimits::idle_timeout). The client was
    /// closed with 1001.
    Idle,
    /// Another part of the app closed it, by its [`Sender`](crate::Sender) or by
    /// [`disconnect`](crate::disconnect), with this code and reason.
    Ordered {
        /// The code of the close frame.
        code: u16,
        /// The reason that the client was told.
        reason: String,
    },
    /// The app stops. The client was closed with 1001 or 1012.
    Shutdown,
}

/// The code and text of a close frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// Why (RFC 6455 §7.4).
    pub code: u16,
    /// The same for people, or nothing. It is 123 bytes at most.
    pub reason: String,
}

impl Close {
    pub(crate) const NORMAL: u16 = 1000;
    pub(crate) const GOING_AWAY: u16 = 1001;
    pub(crate) const PROTOCOL_ERROR: u16 = 1002;
    pub(crate) const NOT_UTF_8: u16 = 1007;
    pub(crate) const POLICY: u16 = 1008;
    pub(crate) const TOO_LONG: u16 = 1009;
    pub(crate) const INTERNAL_ERROR: u16 = 1011;
    pub(crate) const RESTART: u16 = 1012;
    /// In the range of apps, and what 401 is to HTTP.
    pub(crate) const LOGGED_OUT: u16 = 4401;
    pub(crate) const TRY_AGAIN_LATER: u16 = 1013;

    pub(crate) fn new(code: u16, reason: &str) -> Self {
        let end = (0..=reason.len().min(REASON_BYTES))
            .rev()
            .find(|&end| reason.is_char_boundary(end))
            .unwrap_or(0);
        Close {
            code,
            reason: reason[..end].to_owned(),
        }
    }

    /// A close with a code that the handler chose. One that must not be sent (RFC 6455 §7.4)
    /// is a mistake of the handler's: it is logged, and 1011 sent.
    pub(crate) fn chosen(code: u16, reason: &str) -> Self {
        if Close::is_code(code) {
            Close::new(code, reason)
        } else {
            warn!("a handler closes with {code}, which no close frame can have; 1011 is sent");
            Close::new(Close::INTERNAL_ERROR, "")
        }
    }

    /// Whether a close frame can have this code: what RFC 6455 §7.4 and the registry that it
    /// founds have a meaning for, or leave to libraries and apps.
    pub(crate) fn is_code(code: u16) -> bool {
        matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_at_a_character() {
        let close = Close::new(1000, &"é".repeat(100));
        assert_eq!(close.reason.len(), 122);
    }

    #[test]
    fn a_code_that_must_not_be_sent_is_1011() {
        for wrong in [0, 999, 1004, 1005, 1006, 1015, 2000, 5000] {
            assert_eq!(Close::chosen(wrong, "x").code, 1011, "{wrong}");
        }
        assert_eq!(Close::chosen(4000, "x"), Close::new(4000, "x"));
    }
}
