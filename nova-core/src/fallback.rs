//! Who answers when a controller does not: fallbacks, from the controller outwards.
//!
//! A fallback turns what the app's own code gives, an error or a value, into an answer, in one
//! place for many actions. What it does not know it hands on.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::protocol::BoxFuture;
use crate::reply::Reply;
use crate::request::Head;

/// Answers what the actions of a controller, of a group or of the whole app leave open: their
/// errors, and values that nothing renders.
///
/// ```
/// use nova_core::{Failure, Fallback, Head, Reply, Request, Result, controller, json, status, value};
///
/// struct Missing(&'static str);
///
/// struct NoteErrors;
///
/// impl Fallback for NoteErrors {
///     async fn resolve(&self, failure: Failure, _head: &Head) -> Result<Reply, Failure> {
///         match failure.value::<Missing>() {
///             Some(Missing(what)) => Ok(status(404).json(&format!("there is no such {what}"))),
///             None => Err(failure), // to the group, then to the app
///         }
///     }
/// }
///
/// struct NotesApi;
///
/// controller!("notes_api" => NotesApi { show } fallback NoteErrors);
///
/// impl NotesApi {
///     async fn show(&self, _request: Request) -> Reply {
///         value(Missing("note"))
///     }
/// }
/// ```
///
/// Three levels are asked, each at most once: the fallback of the controller, which
/// [`controller!`](crate::controller!) names; that of the group, `fallback = "name"` in the router
/// file or [`Group::fallback`](crate::Group::fallback); that of the app,
/// [`AppBuilder::fallback`](crate::AppBuilder::fallback). Then the framework answers, with a status
/// page or as [`Error`] says.
///
/// They get the errors of the controller, of its reply, of the plugins and of the security function
/// of its route, and of the handler that opens a socket. What the router itself answers, a path that
/// is no route's or a method that a route has not, is for status pages; the app's fallback gets
/// errors of plugins there.
///
/// A reply without a status has that of the error. The headers of the error are added to it.
pub trait Fallback: Send + Sync + 'static {
    /// The answer to `failure`, or the failure again, for the next level.
    ///
    /// # Errors
    /// Any failure is handed on, this one or another. So is a panic here, and a reply that cannot be
    /// rendered: both are logged, and what was to be resolved is logged beside them.
    ///
    /// # Cancel safety
    /// The future is dropped when the client hangs up.
    fn resolve(
        &self,
        failure: Failure,
        head: &Head,
    ) -> impl Future<Output = Result<Reply, Failure>> + Send;
}

/// What a request has come to in place of an answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// An error. If it wraps one that [`AppBuilder::error`](crate::AppBuilder::error) maps, it is
    /// mapped already.
    Error(Error),
    /// A reply whose [value](crate::value) has no handler.
    Value(Box<Reply>),
}

impl Failure {
    /// The error, if it is one.
    pub fn error(&self) -> Option<&Error> {
        match self {
            Failure::Error(error) => Some(error),
            Failure::Value(_) => None,
        }
    }

    /// The value that nothing renders, if it is a `T`.
    pub fn value<T: 'static>(&self) -> Option<&T> {
        match self {
            Failure::Error(_) => None,
            Failure::Value(reply) => reply.downcast_ref(),
        }
    }

    /// The error that it is when nobody resolves it.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Failure::Error(error) => error,
            Failure::Value(reply) => reply.without_handler(),
        }
    }
}

/// An [`Error`], and whatever becomes one by `?`.
impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::Error(error.into())
    }
}

/// A [`Fallback`] with its type erased, as [`Controller::fallback`](crate::Controller::fallback)
/// gives it.
#[derive(Clone)]
pub struct Resolver {
    code: Arc<dyn ErasedFallback>,
    name: &'static str,
}

impl Resolver {
    /// A resolver from a fallback.
    pub fn new<F: Fallback>(fallback: F) -> Self {
        Resolver {
            code: Arc::new(fallback),
            name: std::any::type_name::<F>(),
        }
    }

    /// Its type, for the log.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn resolve<'f>(
        &'f self,
        failure: Failure,
        head: &'f Head,
    ) -> BoxFuture<'f, Result<Reply, Failure>> {
        self.code.resolve(failure, head)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resolver({})", self.name)
    }
}

/// A fallback as a group names it.
#[derive(Debug, Clone)]
pub(crate) struct NamedFallback {
    pub(crate) name: Arc<str>,
    pub(crate) code: Resolver,
}

/// [`Fallback`] with its future boxed.
trait ErasedFallback: Send + Sync {
    fn resolve<'f>(
        &'f self,
        failure: Failure,
        head: &'f Head,
    ) -> BoxFuture<'f, Result<Reply, Failure>>;
}

impl<F: Fallback> ErasedFallback for F {
    fn resolve<'f>(
        &'f self,
        failure: Failure,
        head: &'f Head,
    ) -> BoxFuture<'f, Result<Reply, Failure>> {
        Box::pin(Fallback::resolve(self, failure, head))
    }
}
