//! What goes wrong while a request is served.

use std::error::Error as StdError;
use std::fmt;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};

use crate::problem;
use crate::reply::is_framing;

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
/// The client gets the status, the [detail](Self::detail), the [fields](Self::fields) and the
/// [headers](Self::headers): as a problem document (RFC 9457) or, if it is a browser, as a page.
/// The text of a wrapped error may tell too much, so it goes to the log only: at `error` for 5xx,
/// and at `debug` for 4xx, which are the client's. In `dev` the client gets it too.
// One pointer, because every action's `Result` has room for it.
pub struct Error(Box<Inner>);

struct Inner {
    /// `None` until somebody names one.
    status: Option<StatusCode>,
    /// For the client.
    detail: Option<String>,
    /// For the client: which parts of its input are wrong.
    fields: Vec<FieldError>,
    /// For the client: what goes with the status, such as `Retry-After`.
    headers: HeaderMap,
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
    /// An error whose `message` the client may read: it is the [detail](Self::detail).
    ///
    /// A `status` that is no error (400 to 599) is a mistake: it becomes a 500 and is logged.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Error::empty().with_detail(message).with_status(status)
    }

    /// An error of which the client learns the status and nothing else.
    ///
    /// ```
    /// let error = nova_core::Error::from_status(404);
    /// assert_eq!(error.detail(), None);
    /// assert_eq!(error.to_string(), "Not Found");
    /// ```
    ///
    /// A `status` that is no error (400 to 599) is a mistake: it becomes a 500 and is logged.
    pub fn from_status(status: u16) -> Self {
        Error::empty().with_status(status)
    }

    /// A 500 whose `message` only the log gets.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        let mut error = Error::empty();
        error.0.source = Some(message.into().into());
        error
    }

    fn empty() -> Self {
        Error(Box::new(Inner {
            status: None,
            detail: None,
            fields: Vec::new(),
            headers: HeaderMap::new(),
            source: None,
        }))
    }

    /// What the client gets: 500 unless another was named.
    pub fn status(&self) -> StatusCode {
        self.0.status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The status, if one was named; `None` for what became an `Error` by `?` alone.
    ///
    /// ```
    /// use nova_core::{Error, Result, ResultExt};
    ///
    /// let error = Error::from(std::io::Error::other("the disk is full"));
    /// assert_eq!((error.named_status(), error.status().as_u16()), (None, 500));
    ///
    /// let named: Result<()> = Err(error).status(507);
    /// assert_eq!(named.unwrap_err().named_status().unwrap(), 507);
    /// ```
    pub fn named_status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// The same error with another status. One that is no error (400 to 599) is a mistake: it
    /// becomes a 500 and is logged.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        let code = StatusCode::from_u16(status).ok();
        match code.filter(|code| code.is_client_error() || code.is_server_error()) {
            Some(code) => {
                self.0.status = Some(code);
                self
            }
            None => self.mistaken(format_args!("{status}, which is no status of an error")),
        }
    }

    /// What the client may read, if there is anything.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The same error with a text that the client may read. What is wrapped stays for the log.
    ///
    /// ```
    /// use nova_core::Error;
    ///
    /// let cause = std::io::Error::other("connection to 10.0.0.7 refused");
    /// let error = Error::from(cause)
    ///     .with_status(503)
    ///     .with_detail("the search is being built, please come back");
    /// assert_eq!(error.detail(), Some("the search is being built, please come back"));
    /// assert!(error.source().is_some());
    /// ```
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// The parts of the input that are wrong, as far as they are known.
    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
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
        self.0.fields.extend(fields);
        self
    }

    /// The headers that the answer has on account of this error.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The same error, whose answer has this header, in place of any of that name: `Retry-After`
    /// with a 503, `WWW-Authenticate` with a 401.
    ///
    /// ```
    /// let error = nova_core::Error::new(503, "come back later").with_header("retry-after", 2);
    /// assert_eq!(error.headers()["retry-after"], "2");
    /// ```
    ///
    /// A name or value that no header can have, such as one with a line break, becomes a 500, with
    /// the reason in the log. So do `content-type`, which goes by what the client takes, and
    /// `content-length`, `transfer-encoding` and `connection`, which the server sets.
    #[must_use]
    pub fn with_header(
        mut self,
        name: impl TryInto<HeaderName>,
        value: impl TryInto<HeaderValue>,
    ) -> Self {
        match (name.try_into(), value.try_into()) {
            (Ok(name), Ok(_)) if name == CONTENT_TYPE || is_framing(&name) => self.mistaken(
                format_args!("the header `{name}`, which is the framework's"),
            ),
            (Ok(name), Ok(value)) => {
                self.0.headers.insert(name, value);
                self
            }
            (Err(_), _) => self.mistaken(format_args!("a header whose name is none")),
            (Ok(name), Err(_)) => {
                self.mistaken(format_args!("a header `{name}` whose value is none"))
            }
        }
    }

    /// The same error with the headers of the answer that it takes the place of, all values of each,
    /// but for those that say what the body is: it had none.
    pub(crate) fn with_headers_of(mut self, answer: &HeaderMap) -> Self {
        for (name, value) in answer {
            if *name != CONTENT_TYPE && *name != CONTENT_ENCODING && !is_framing(name) {
                self.0.headers.append(name, value.clone());
            }
        }
        self
    }

    /// The wrapped error.
    pub fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }

    /// The same error, which wraps `source` in place of what it wrapped: for the log.
    ///
    /// ```
    /// use nova_core::Error;
    ///
    /// let port = "x".parse::<u16>();
    /// let error = port.map_err(|error| Error::new(400, "the port is a number").with_source(error));
    /// assert_eq!(
    ///     error.unwrap_err().to_string(),
    ///     "the port is a number: invalid digit found in string"
    /// );
    /// ```
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The wrapped error, its cause, the cause of that, and so on to the first one.
    ///
    /// ```
    /// use nova_core::Error;
    ///
    /// let error = Error::from(std::io::Error::other("the disk is full"));
    /// let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    /// assert!(io.is_some());
    /// ```
    pub fn chain(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        std::iter::successors(self.source(), |&error| error.source())
    }

    /// The wrapped error, if it is an `E`. [`chain`](Self::chain) has its causes too.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.source()?.downcast_ref()
    }

    /// The same error as `meant` tells it to the client, where it does not tell that itself.
    pub(crate) fn meaning(mut self, meant: Error) -> Self {
        let meant = *meant.0;
        self.0.status = self.0.status.or(meant.status);
        self.0.detail = self.0.detail.or(meant.detail);
        if self.0.fields.is_empty() {
            self.0.fields = meant.fields;
        }
        let own = std::mem::replace(&mut self.0.headers, meant.headers);
        self.0.headers.extend(own);
        self
    }

    /// What becomes of an error that was made with a mistake: nothing of it reaches the client.
    fn mistaken(self, with: fmt::Arguments<'_>) -> Self {
        Error::internal(format!("{self} (with {with})"))
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Error::empty().with_source(error)
    }
}

/// The error and its causes, in one line; the status, if there is nothing else to tell.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = self.0.detail.clone().unwrap_or_default();
        for cause in self.chain() {
            let text = cause.to_string();
            // Many errors tell their cause in their own text already.
            if !told.contains(&text) {
                if !told.is_empty() {
                    told.push_str(": ");
                }
                told.push_str(&text);
            }
        }
        if told.is_empty() {
            told.push_str(problem::title(self.status()));
        }
        f.write_str(&told)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({self})", self.status())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_as_small_as_a_pointer() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }

    #[test]
    fn a_mistake_in_an_error_is_a_500_that_tells_only_the_log() {
        for (error, told) in [
            (
                Error::new(200, "fine"),
                "fine (with 200, which is no status of an error)",
            ),
            (
                Error::new(404, "no note").with_status(302),
                "no note (with 302, which is no status of an error)",
            ),
            (
                Error::new(404, "no note").with_header("x-why", "a\nb"),
                "no note (with a header `x-why` whose value is none)",
            ),
            (
                Error::new(404, "no note").with_header("x why", "a"),
                "no note (with a header whose name is none)",
            ),
            (
                Error::new(404, "no note").with_header("Content-Length", 3),
                "no note (with the header `content-length`, which is the framework's)",
            ),
        ] {
            assert_eq!((error.status().as_u16(), error.detail()), (500, None));
            assert_eq!(error.to_string(), told);
        }
    }
}
