//! How a connection ends, towards the client and towards the handler.

use crate::close::{Close, CloseReason};
use crate::wire::{ReadError, SendError};

#[derive(Debug)]
pub(crate) struct End {
    /// What the client is told; `None` if it has closed, or is gone.
    pub(crate) close: Option<Close>,
    pub(crate) reason: CloseReason,
}

impl End {
    pub(crate) fn with(code: u16, text: &str, reason: CloseReason) -> Self {
        End {
            close: Some(Close::new(code, text)),
            reason,
        }
    }

    pub(crate) fn without_close(reason: CloseReason) -> Self {
        End {
            close: None,
            reason,
        }
    }

    pub(crate) fn too_slow() -> Self {
        let text = "the connection fell behind";
        End::with(Close::TRY_AGAIN_LATER, text, CloseReason::TooSlow)
    }

    pub(crate) fn too_fast() -> Self {
        let text = "too many messages in a second";
        let reason = CloseReason::Violation(text.to_owned());
        End::with(Close::POLICY, text, reason)
    }

    pub(crate) fn ordered(close: Close) -> Self {
        let reason = CloseReason::Ordered {
            code: close.code,
            reason: close.reason.clone(),
        };
        End {
            close: Some(close),
            reason,
        }
    }
}

impl From<SendError> for End {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Full => End::too_slow(),
            SendError::Gone => End::without_close(CloseReason::Disconnected),
        }
    }
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Gone => End::without_close(CloseReason::Disconnected),
            ReadError::Violation(violation) => {
                let told = violation.to_string();
                let reason = CloseReason::Violation(told.clone());
                End::with(violation.code(), &told, reason)
            }
        }
    }
}
