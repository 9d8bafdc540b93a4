//! What a handler's callbacks return.

use crate::close::Close;
use crate::frame::Frame;

/// What is sent after a callback, and whether the connection goes on.
#[derive(Debug)]
#[must_use = "a callback returns its outcome"]
pub struct Outcome {
    /// The only frame, without a list: most callbacks send one at most.
    pub(crate) first: Option<Frame>,
    /// Empty where there is a `first`.
    pub(crate) frames: Vec<Frame>,
    pub(crate) stop: Option<Close>,
    pub(crate) hibernate: bool,
}

/// Goes on, and sends nothing.
pub fn ok() -> Outcome {
    Outcome {
        first: None,
        frames: Vec::new(),
        stop: None,
        hibernate: false,
    }
}

/// Sends one frame, and goes on.
pub fn reply(frame: Frame) -> Outcome {
    Outcome {
        first: Some(frame),
        ..ok()
    }
}

/// Sends these frames, in this order, and goes on.
pub fn replies(frames: impl IntoIterator<Item = Frame>) -> Outcome {
    Outcome {
        frames: frames.into_iter().collect(),
        ..ok()
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
    ok().and_stop_with(code, reason)
}

impl Outcome {
    /// Sends the frames, and then closes the connection normally.
    pub fn and_stop(self) -> Self {
        self.and_stop_with(Close::NORMAL, "")
    }

    /// Sends the frames, and then closes the connection as [`stop_with`] does.
    pub fn and_stop_with(mut self, code: u16, reason: &str) -> Self {
        self.stop = Some(Close::chosen(code, reason));
        self
    }

    /// Sends the frames, and gives back what the connection can: for one that will be silent for long.
    ///
    /// Between messages there is nothing to give back, as a connection that waits holds no buffer. Amid a
    /// message that comes in fragments, and while frames wait for the client, it is the spare room for more.
    pub fn and_hibernate(mut self) -> Self {
        self.hibernate = true;
        self
    }

    /// What is sent, in this order.
    pub fn frames(&self) -> &[Frame] {
        match &self.first {
            Some(frame) => std::slice::from_ref(frame),
            None => &self.frames,
        }
    }

    /// What is sent, to be changed.
    pub fn frames_mut(&mut self) -> &mut Vec<Frame> {
        self.frames.extend(self.first.take());
        &mut self.frames
    }

    /// Whether the connection is closed after the frames.
    pub fn is_stop(&self) -> bool {
        self.stop.is_some()
    }
}
