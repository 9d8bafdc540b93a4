//! What a handler's callbacks return.

use super::event::Event;

/// What is sent after a callback, and whether the stream goes on.
#[derive(Debug)]
#[must_use = "a callback returns its outcome"]
pub struct Outcome {
    pub(super) events: Vec<Event>,
    pub(super) stop: bool,
}

/// Goes on, and sends nothing.
pub fn ok() -> Outcome {
    send_all([])
}

/// Sends one event, and goes on.
pub fn send(event: Event) -> Outcome {
    send_all([event])
}

/// Sends these events, in this order, and goes on.
///
/// They may be many, as after a long absence: those for which there is no room wait for the client.
/// Meanwhile, messages wait as they do for a callback.
pub fn send_all(events: impl IntoIterator<Item = Event>) -> Outcome {
    Outcome {
        events: events.into_iter().collect(),
        stop: false,
    }
}

/// Ends the stream.
///
/// A browser comes back after that, and stays away when [`init`](super::EventSource::init) refuses it
/// then. Or the page closes its `EventSource`, when an event tells it to.
pub fn stop() -> Outcome {
    ok().and_stop()
}

impl Outcome {
    /// Sends the events, and then ends the stream.
    pub fn and_stop(mut self) -> Self {
        self.stop = true;
        self
    }
}
