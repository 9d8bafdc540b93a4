//! How a stream ends.

/// Why a stream of events ended, for [`EventSource::terminate`](super::EventSource::terminate).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// The handler stopped it.
    Stopped,
    /// The client has gone, or it asked for the head alone (`HEAD`).
    Disconnected,
    /// The handler panicked with this message.
    Panicked(String),
    /// Too much waited: the client did not read what was sent to it, or the handler was busy for
    /// too long.
    TooSlow,
    /// Another part of the app closed it, by its [`Sender`](crate::Sender) or by
    /// [`disconnect`](crate::disconnect), with this code and reason, or its session has ended. The
    /// client learns neither: it comes back, and is refused if it may not.
    Ordered {
        /// The code.
        code: u16,
        /// The reason.
        reason: String,
    },
    /// The app stops.
    Shutdown,
}
