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
    /// The app stops.
    Shutdown,
}
