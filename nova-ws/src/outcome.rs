//! What a handler's callbacks return.

use crate::close::Close;
use crate::frame::Frame;

/// What is sent after a callback, and whether the connection goes on.
#[derive(Debug)]
#[must_use = "a callback returns its outcome"]
pub struct Outcome {
    pub(crate) frames: Vec<Frame>,
    pub(crate) stop: Option<Close>,
}

/// Goes on, and sends nothing.
pub fn ok() -> Outcome {
    replies([])
}

/// Sends one frame, and goes on.
pub fn reply(frame: Frame) -> Outcome {
    replies([frame])
}

/// Sends these frames, in this order, and goes on.
pub fn replies(frames: impl IntoIterator<Item = Frame>) -> Outcome {
    Outcome {
        frames: frames.into_iter().collect(),
        stop: None,
    }
}

/// Closes the connection normally, with the code 1000.
pub fn stop() -> Outcome {
    ok().and_stop()
}

/// Closes the connection with this code and reason (RFC 6455 §7.4).
///
/// Codes of an app's own are 4000 to 4999. A code that no close frame can have is logged and sent
/// as 1011; a reason is cut after 123 bytes.
pub fn stop_with(code: u16, reason: &str) -> Outcome {
    Outcome {
        frames: Vec::new(),
        stop: Some(Close::chosen(code, reason)),
    }
}

impl Outcome {
    /// Sends the frames, and then closes the connection normally.
    pub fn and_stop(mut self) -> Self {
        self.stop = Some(Close::new(Close::NORMAL, ""));
        self
    }
}
