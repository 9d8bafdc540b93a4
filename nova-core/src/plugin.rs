//! Code that runs before and after a controller, and the list of it that a route carries.
//!
//! The list decides the order and stops at the first reply; a plugin only sees the request. So a
//! plugin can be tested without a router or a socket.

mod access_log;
mod built_in;
mod compression;
mod correlation;
mod cors;
mod csrf;
mod flow;
mod info;
mod list;
mod origins;
mod rate_limit;
mod request;
mod running;
mod secure_headers;
mod timeout;
mod vary;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use stackfuture::StackFuture;

use crate::error::Result;
use crate::protocol::Extension;
use crate::request::{Head, Request};
use crate::response::Response;

pub use access_log::{AccessLogFormat, AccessLogOptions, AccessLogPlugin};
pub(crate) use built_in::register as register_built_in;
pub use compression::{Algorithm, CompressionOptions, CompressionPlugin};
pub(crate) use correlation::CorrelationId;
pub use correlation::{CorrelationOptions, CorrelationPlugin};
pub use cors::{CorsOptions, CorsPlugin};
pub(crate) use csrf::page_context;
pub use csrf::{CsrfOptions, CsrfPlugin, CsrfTokenPolicy};
pub use flow::Flow;
pub use info::{ListedPlugin, PluginInfo};
pub(crate) use list::{Chain, NamedPlugin, check_order};
pub use rate_limit::{RateLimitKey, RateLimitOptions, RateLimitPlugin};
pub use request::{RequestOptions, RequestPlugin};
pub use running::{PluginContext, PluginFailed};
pub(crate) use running::{PluginLife, Running};
pub use secure_headers::{Frames, SecureHeadersOptions, SecureHeadersPlugin};
pub(crate) use timeout::Deadline;
pub use timeout::{TimeoutOptions, TimeoutPlugin};

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
///     async fn post_request(&self, _head: &Head, response: &mut Response) -> Result<Flow> {
///         response.headers_mut().insert("x-checked", http::HeaderValue::from_static("yes"));
///         Ok(Flow::Continue)
///     }
/// }
/// ```
///
/// # State
/// A plugin that is registered as a value is that value in every list that names it. One that is
/// made of its options, by [`plugin_with`](crate::AppBuilder::plugin_with), is made anew for every
/// place that lists it. Either way, [`init`](Self::init) is called once for each value, before it
/// sees its first request, and [`stop`](Self::stop) once, after its last one.
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
    /// panic is a 500. In both cases neither the plugins behind this one nor the security function
    /// nor the controller run, nor is a connection upgraded.
    fn pre_request(&self, request: &mut Request) -> impl Future<Output = Result<Flow>> + Send {
        let _ = request;
        GoOn
    }

    /// Looks at the answer before it is sent, may change it, and says how to go on.
    ///
    /// It sees every answer to a request of its group: also that of a plugin that stopped, of an
    /// error and of a panic, and as a global plugin a 404 and a 405. The answer to an upgrade is
    /// the 101.
    ///
    /// # Errors
    /// An error, or a panic, becomes the answer in place of `response`, and keeps the headers of that
    /// one which are not about its content; the plugins behind this one see it.
    fn post_request(
        &self,
        head: &Head,
        response: &mut Response,
    ) -> impl Future<Output = Result<Flow>> + Send {
        let _ = (head, response);
        GoOn
    }

    /// What is wrong with the value itself, such as two options that exclude each other. It is
    /// asked when the app is built.
    ///
    /// # Errors
    /// What is wrong and what to write instead, lower case and without a full stop:
    /// [`build`](crate::AppBuilder::build) tells it with the plugin's place.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Gets ready: called once, before the first request, in the order of the lists.
    ///
    /// The app has been built and checked then, and its services run. When routes are reloaded or
    /// added, it is called for the values that are new, before a request sees the new routes. It is
    /// not `async`, so that a reload is taken over as a whole or not at all; what has to be awaited
    /// belongs before the plugin is registered, or into a task or a [`Service`](crate::Service).
    ///
    /// # Errors
    /// The app does not start, and the plugins that have begun are stopped; a reload changes
    /// nothing. A panic is an error.
    fn init(&self, context: &PluginContext) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// Puts things away: called once, after the last request, the plugin that began last first.
    ///
    /// When the app stops, that is after the requests and sockets and before the services; all
    /// plugins together have what is left of `server.shutdown_drain_timeout`. When a reload has
    /// taken the value out of the routes, it is when the last request that still had it is
    /// answered.
    fn stop(&self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// What the plugin does for a protocol other than `http`, in a type that the protocol knows:
    /// nova-ws asks for its `MessageHooks`. It is asked when the table is built.
    fn extension(&self) -> Option<Extension> {
        None
    }

    /// What the plugin is, for people, and which plugins it needs before it. **Default:** the name
    /// of its type.
    fn info(&self) -> PluginInfo {
        PluginInfo::new(info::short_name(std::any::type_name::<Self>()))
    }
}

/// What a plugin does that does nothing there.
struct GoOn;

impl Future for GoOn {
    type Output = Result<Flow>;

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Result<Flow>> {
        Poll::Ready(Ok(Flow::Continue))
    }
}

/// [`Plugin`] as a route table can store it.
pub(crate) trait ErasedPlugin: Send + Sync {
    fn pre_request<'a>(&'a self, request: &'a mut Request) -> PluginFuture<'a>;
    fn post_request<'a>(&'a self, head: &'a Head, response: &'a mut Response) -> PluginFuture<'a>;
    fn check(&self) -> Result<(), String>;
    fn init(&self, context: &PluginContext) -> Result<()>;
    fn stop(&self) -> BoxFuture<'_, ()>;
    fn extension(&self) -> Option<Extension>;
    fn info(&self) -> PluginInfo;
}

/// What a plugin does at a stage, in place where that is small, as it is for most that wait for nothing;
/// else in a box. A box for each plugin and stage would be half of what a small plugin costs.
pub(crate) type PluginFuture<'a> = StackFuture<'a, Result<Flow>, 64>;

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl<P: Plugin> ErasedPlugin for P {
    fn pre_request<'a>(&'a self, request: &'a mut Request) -> PluginFuture<'a> {
        StackFuture::from_or_box(Plugin::pre_request(self, request))
    }

    fn post_request<'a>(&'a self, head: &'a Head, response: &'a mut Response) -> PluginFuture<'a> {
        StackFuture::from_or_box(Plugin::post_request(self, head, response))
    }

    fn check(&self) -> Result<(), String> {
        Plugin::check(self)
    }

    fn init(&self, context: &PluginContext) -> Result<()> {
        Plugin::init(self, context)
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(Plugin::stop(self))
    }

    fn extension(&self) -> Option<Extension> {
        Plugin::extension(self)
    }

    fn info(&self) -> PluginInfo {
        Plugin::info(self)
    }
}
