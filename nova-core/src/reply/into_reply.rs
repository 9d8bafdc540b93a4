//! What an action can return in place of a reply.

use super::{Reply, status, text};
use crate::error::{Error, Result};

/// What an action can return.
///
/// A [`Reply`], text, `()` for an empty 200, or a `Result` of one of these: its error is the
/// answer then.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no reply",
    label = "an action returns a `Reply`, or a `Result` of one",
    note = "make one with `json(&value)`, `view(&context)`, `status(204)`, `redirect(\"/\")` or `text(\"…\")`"
)]
pub trait IntoReply {
    /// The reply, or the error that is the answer instead.
    ///
    /// # Errors
    /// Whatever the action returned as one.
    fn into_reply(self) -> Result<Reply>;
}

impl IntoReply for Reply {
    fn into_reply(self) -> Result<Reply> {
        Ok(self)
    }
}

impl IntoReply for () {
    fn into_reply(self) -> Result<Reply> {
        Ok(status(200))
    }
}

impl IntoReply for &str {
    fn into_reply(self) -> Result<Reply> {
        Ok(text(self))
    }
}

impl IntoReply for String {
    fn into_reply(self) -> Result<Reply> {
        Ok(text(self))
    }
}

impl<T: IntoReply, E: IntoError> IntoReply for Result<T, E> {
    fn into_reply(self) -> Result<Reply> {
        self.map_err(Into::into)?.into_reply()
    }
}

/// What an action can return as its error: all that is an [`Error`] by `?`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no error",
    label = "an action fails with a `nova_core::Error`, or with what implements `std::error::Error`",
    note = "make one with `Error::new(422, \"what the client may read\")`"
)]
pub trait IntoError: Into<Error> {}

// The compiler is to say what an error is, instead of which `From` is missing.
#[diagnostic::do_not_recommend]
impl<E: Into<Error>> IntoError for E {}
