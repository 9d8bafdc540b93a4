//! Code that runs before and after a controller, and the list of it that a route carries.
//!
//! The list decides the order and stops at the first reply; a plugin only sees the request. So a
//! plugin can be tested without a router or a socket.

mod correlation;
mod request;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::error::Result;
use crate::reply::Reply;
use crate::request::{Head, Request};
use crate::response::Response;

pub(crate) use correlation::CorrelationId;
pub use correlation::{CorrelationOptions, CorrelationPlugin};
pub use request::{RequestOptions, RequestPlugin};

/// Code that runs before and after the controller of every route in a group.
///
/// Plugins run in the order in which the router file lists them, before the controller as after
/// it. One value serves all requests at once, so what belongs to one request lives in the
/// [`Request`], not in `self`.
///
/// ```
/// use nova_core::{Flow, Head, Plugin, Request, Response, Result, status};
///
/// struct RequireHeader(&'static str);
///
/// impl Plugin for RequireHeader {
///     async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
///         match request.header(self.0) {
///             Some(_) => Ok(Flow::Continue),
///             None => Ok(Flow::Stop(status(400))),
///         }
///     }
///
///     async fn post_request(&self, _head: &Head, response: &mut Response) -> Result<()> {
///         response.headers_mut().insert("x-checked", http::HeaderValue::from_static("yes"));
///         Ok(())
///     }
/// }
/// ```
///
/// # Cancel safety
/// The futures are dropped when the client hangs up. Work that has to finish regardless, such as
/// an audit record, belongs in a task of its own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no plugin",
    label = "a plugin is a value that implements `nova_core::Plugin`",
    note = "write `impl Plugin for` a struct of yours, with `pre_request` or `post_request` or both"
)]
pub trait Plugin: Send + Sync + 'static {
    /// Looks at `request` before its controller does, and says how to go on.
    ///
    /// # Errors
    /// An error ends the request: it is the answer, as it is when a controller returns it. A
    /// panic is a 500. In both cases neither the plugins behind this one nor the controller run.
    fn pre_request(&self, request: &mut Request) -> impl Future<Output = Result<Flow>> + Send {
        let _ = request;
        GoOn
    }

    /// Looks at the answer before it is sent, and may change it.
    ///
    /// It sees every answer to a request of its group: also that of a plugin that stopped, of an
    /// error and of a panic. The answer to an upgrade is the 101.
    ///
    /// # Errors
    /// An error, or a panic, becomes the answer in place of `response`; the plugins behind this
    /// one see that.
    fn post_request(
        &self,
        head: &Head,
        response: &mut Response,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (head, response);
        LeaveIt
    }
}

/// How a request goes on after a plugin.
#[derive(Debug)]
pub enum Flow {
    /// To the next plugin, and then to the controller.
    Continue,
    /// Not at all: this is the answer.
    Stop(Reply),
}

/// What a plugin does before the controller that does nothing there. It has no size, so that its box
/// is no allocation.
struct GoOn;

impl Future for GoOn {
    type Output = Result<Flow>;

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Result<Flow>> {
        Poll::Ready(Ok(Flow::Continue))
    }
}

/// The same for after it.
struct LeaveIt;

impl Future for LeaveIt {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The plugins of a route, in order.
pub(crate) type Chain = Arc<[NamedPlugin]>;

/// A plugin as the route table holds it.
#[derive(Clone)]
pub(crate) struct NamedPlugin {
    /// What the router file calls it, for the log.
    pub(crate) name: Arc<str>,
    pub(crate) code: Arc<dyn ErasedPlugin>,
    /// How the list has it, options included.
    pub(crate) written: Arc<str>,
}

/// [`Plugin`] with its futures boxed, as a route table can store it.
pub(crate) trait ErasedPlugin: Send + Sync {
    fn pre_request<'a>(&'a self, request: &'a mut Request) -> BoxFuture<'a, Flow>;
    fn post_request<'a>(&'a self, head: &'a Head, response: &'a mut Response) -> BoxFuture<'a, ()>;
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

impl<P: Plugin> ErasedPlugin for P {
    fn pre_request<'a>(&'a self, request: &'a mut Request) -> BoxFuture<'a, Flow> {
        Box::pin(Plugin::pre_request(self, request))
    }

    fn post_request<'a>(&'a self, head: &'a Head, response: &'a mut Response) -> BoxFuture<'a, ()> {
        Box::pin(Plugin::post_request(self, head, response))
    }
}
