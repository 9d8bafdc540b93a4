//! Protocols other than `http`: what a crate like nova-ws puts behind a route.
//!
//! nova-core knows such a protocol by name only. It matches the request, runs the plugins, hands
//! the request to the handler that the route names, and then, if the handler agrees, the raw
//! connection. No frame type is known here.

mod limits;
mod route;
mod upgraded;

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use http::HeaderMap;

use crate::error::Result;
use crate::reply::Reply;
use crate::request::{Head, Request};
use crate::stopping::Stopping;

pub use limits::ProtocolLimits;
pub(crate) use limits::{ErasedLimits, ReadLimits, read};
pub use route::{Extension, ProtocolRoute};
pub use upgraded::{Upgraded, UpgradedTcp};

/// The handler of a route with a `protocol`.
///
/// Register it with [`AppBuilder::protocol_handler`](crate::AppBuilder::protocol_handler), or
/// offer your users a call that does.
pub trait ProtocolHandler: Send + Sync + 'static {
    /// Whether a `GET` request asks for this protocol. If not, an `http` route of the same path
    /// answers it; where there is none, the handler gets it all the same and can say what it
    /// misses.
    fn claims(&self, head: &Head) -> bool;

    /// Whether it takes the connection away from HTTP. One that does not is asked for a `HEAD` too,
    /// as an action for `GET` is. **Default:** `true`.
    fn switches(&self) -> bool {
        true
    }

    /// What answers one of the routes that name this handler, if that is not the handler itself: one
    /// with the limits of the route, say. It is asked when the table is built and at each reload, once
    /// for each route.
    ///
    /// # Errors
    /// What is wrong with the route, lower case and without a full stop; it is told with the place of
    /// the route.
    fn for_route(
        &self,
        route: &ProtocolRoute<'_>,
    ) -> std::result::Result<Option<Arc<dyn ProtocolHandler>>, String> {
        let _ = route;
        Ok(None)
    }

    /// Looks at the request, after the plugins, and says whether to switch protocols, or what the
    /// answer is.
    ///
    /// # Errors
    /// An error is the answer, as it is when a controller returns it. So is a panic, as a 500.
    fn open(&self, request: Request) -> BoxFuture<'_, Result<Opening>>;
}

/// A future behind a pointer, as traits that are stored return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a [`ProtocolHandler`] makes of a request.
#[derive(Debug)]
pub enum Opening {
    /// No switch: the client gets this answer.
    Refused(Reply),
    /// 101 Switching Protocols (RFC 9110 §15.2.2), and then the connection is the handler's.
    Switch(Switch),
    /// No switch: the client gets an answer that goes on for as long as something writes it.
    Stream(Streaming),
}

/// An answer, and what writes its body.
pub struct Streaming {
    reply: Reply,
    run: Box<dyn FnOnce(Stopping) -> BoxFuture<'static, ()> + Send>,
}

impl Streaming {
    /// Answers with `reply`, whose body is a [`stream`](crate::stream()), and calls `run` in a task
    /// of its own. The two share whatever `run` writes to.
    ///
    /// The stream is dropped when the client has gone, and when a plugin has changed the answer;
    /// `run` is always called. It is told when the app stops, and should end the stream then: the
    /// app waits for the answer as for any other. It is cut when `server.shutdown_drain_timeout` is
    /// over.
    pub fn new<F, Fut>(reply: Reply, run: F) -> Self
    where
        F: FnOnce(Stopping) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Streaming {
            reply,
            run: Box::new(move |stopping| Box::pin(run(stopping))),
        }
    }

    /// The answer, and the work.
    pub(crate) fn begin(self, stopping: Stopping) -> (Reply, impl Future<Output = ()> + Send) {
        let Streaming { reply, run } = self;
        (reply, async move { run(stopping).await })
    }
}

impl fmt::Debug for Streaming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming")
            .field("reply", &self.reply)
            .finish_non_exhaustive()
    }
}

/// How a connection goes on under another protocol.
pub struct Switch {
    pub(crate) headers: HeaderMap,
    /// Taken when it is run.
    run: Option<Run>,
}

type Run = Box<dyn FnOnce(io::Result<Upgraded>) -> BoxFuture<'static, ()> + Send>;

impl Switch {
    /// Sends `headers` with the 101, then calls `run` in a task of its own: with the connection,
    /// or with why there is none, if the client has gone or a plugin changed the answer. It is
    /// called once, whatever happens.
    pub fn new<F, Fut>(headers: HeaderMap, run: F) -> Self
    where
        F: FnOnce(io::Result<Upgraded>) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Switch {
            headers,
            run: Some(Box::new(move |upgraded| Box::pin(run(upgraded)))),
        }
    }

    /// What runs on the connection; it is there.
    pub(crate) fn run(mut self, upgraded: io::Result<Upgraded>) -> Option<BoxFuture<'static, ()>> {
        self.run.take().map(|run| run(upgraded))
    }
}

/// A client may hang up before the 101 is on its way, and the request is dropped: what waits for
/// the connection is told.
impl Drop for Switch {
    fn drop(&mut self) {
        let Some(run) = self.run.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(run(Err(io::ErrorKind::NotConnected.into())));
        }
    }
}

impl fmt::Debug for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Switch")
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}
