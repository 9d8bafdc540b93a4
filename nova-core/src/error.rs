//! What goes wrong while a request is served.

use std::error::Error as StdError;
use std::fmt;

use http::StatusCode;

/// What a controller, a plugin or the framework gives when it cannot answer, with the status that
/// the client gets.
///
/// Every [`std::error::Error`] becomes one by `?`, as a `500`. Another status is named at the
/// place, by [`ResultExt::status`]:
///
/// ```
/// use nova_core::{Error, Result, ResultExt};
///
/// fn parse(text: &str) -> Result<u32> {
///     let number = text.parse::<u32>().status(400)?;
///     if number == 0 {
///         return Err(Error::new(422, "zero is not for sale"));
///     }
///     Ok(number)
/// }
///
/// assert_eq!(parse("x").unwrap_err().status(), 400);
/// assert_eq!(parse("0").unwrap_err().status(), 422);
/// ```
///
/// The client gets a problem document (RFC 9457) with the status and, from [`Error::new`], the
/// message. The text of a wrapped error may tell too much, so it goes to the log only: at `error`
/// for 5xx, and at `debug` for 4xx, which are the client's.
pub struct Error {
    status: StatusCode,
    /// For the client.
    detail: Option<String>,
    /// For the client: which parts of its input are wrong.
    fields: Vec<FieldError>,
    /// For the log.
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// One part of what a client sent that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldError {
    /// Where it stands: `title`, or `items[0].count`.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

impl FieldError {
    /// The part at `path` is wrong, as `message` says.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        FieldError {
            path: path.into(),
            message: message.into(),
        }
    }
}

/// What an action returns: [`Error`] is the error unless another is named.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error whose `message` the client may read.
    ///
    /// A `status` that is no error (400 to 599) is a mistake: it becomes a 500 and is logged.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        let message = message.into();
        match error_status(status) {
            Some(status) => Error {
                status,
                detail: Some(message),
                fields: Vec::new(),
                source: None,
            },
            None => Error::internal(format!(
                "{message} (with {status}, which is no error status)"
            )),
        }
    }

    /// A 500 whose `message` only the log gets.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Error {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            detail: None,
            fields: Vec::new(),
            source: Some(message.into().into()),
        }
    }

    /// What the client gets.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What the client may read, if there is anything.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The same error, which also names the parts of the input that are wrong.
    ///
    /// ```
    /// use nova_core::{Error, FieldError};
    ///
    /// let error = Error::new(422, "the order is not complete")
    ///     .with_fields([FieldError::new("items[0].count", "zero is not for sale")]);
    /// assert_eq!(error.fields().len(), 1);
    /// ```
    #[must_use]
    pub fn with_fields(mut self, fields: impl IntoIterator<Item = FieldError>) -> Self {
        self.fields.extend(fields);
        self
    }

    /// The parts of the input that are wrong, as far as they are known.
    pub fn fields(&self) -> &[FieldError] {
        &self.fields
    }

    /// The wrapped error, if it is an `E`.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.source.as_deref()?.downcast_ref()
    }

    /// The same error with another status. One that is no error is logged and becomes a 500.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        match error_status(status) {
            Some(status) => self.status = status,
            None => return Error::internal(format!("{self} (with {status}, no error status)")),
        }
        self
    }
}

fn error_status(status: u16) -> Option<StatusCode> {
    StatusCode::from_u16(status)
        .ok()
        .filter(|status| status.is_client_error() || status.is_server_error())
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Error {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            detail: None,
            fields: Vec::new(),
            source: Some(Box::new(error)),
        }
    }
}

/// The error and its causes, in one line.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = self.detail.clone().unwrap_or_default();
        let mut cause = self.source.as_deref().map(|source| source as &dyn StdError);
        while let Some(error) = cause {
            let text = error.to_string();
            // Many errors tell their cause in their own text already.
            if !told.contains(&text) {
                if !told.is_empty() {
                    told.push_str(": ");
                }
                told.push_str(&text);
            }
            cause = error.source();
        }
        f.write_str(&told)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({self})", self.status)
    }
}

/// Names the status of an error where it happens.
pub trait ResultExt<T> {
    /// Turns the error into an [`Error`] with this status, and leaves all else as [`Error`] has it.
    ///
    /// # Errors
    /// Whatever `self` was.
    fn status(self, status: u16) -> Result<T>;
}

impl<T, E: Into<Error>> ResultExt<T> for Result<T, E> {
    fn status(self, status: u16) -> Result<T> {
        self.map_err(|error| error.into().with_status(status))
    }
}
