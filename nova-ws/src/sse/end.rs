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
    /// [`disconnect`](crate::disconnect), with this code and reason, of which the client hears
    /// nothing.
    Ordered {
        /// The code that a WebSocket would be closed with.
        code: u16,
        /// The reason that it would be told.
        reason: String,
    },
    /// The app stops.
    Shutdown,
}
