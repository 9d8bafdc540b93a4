//! From the request to the stream: nova-core's extension point for protocols.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{Method, header};
use nova_core::{
    BoxFuture, Error, Head, Opening, ProtocolHandler, ProtocolRoute, Reply, Request, Result,
    Streaming,
};
use scopeguard::ScopeGuard;

use super::accept;
use super::handler::{ErasedSource, EventSource};
use super::limits::InForce;
use super::outgoing::outgoing;
use super::session::Accepted;
use crate::connection::Connection;
use crate::crowd::Crowd;
use crate::handler::Accept;
use crate::membership::Membership;
use crate::open::Permit;

/// How many messages may wait for a client whose handler is busy, as for sockets.
const MAILBOX_CAPACITY: usize = 16_384;

/// The registered handler, of which each client gets a clone.
pub(crate) struct Prototype(Arc<dyn ErasedSource>);

impl Prototype {
    pub(crate) fn new(handler: impl EventSource) -> Self {
        Prototype(Arc::new(handler))
    }
}

impl ProtocolHandler for Prototype {
    fn claims(&self, head: &Head) -> bool {
        accept::names(head.headers())
    }

    fn for_route(
        &self,
        route: &ProtocolRoute<'_>,
    ) -> std::result::Result<Option<Arc<dyn ProtocolHandler>>, String> {
        Ok(Some(Arc::new(Streams {
            handler: Arc::clone(&self.0),
            route: Arc::new(Route {
                name: route.info().path.as_str().into(),
                limits: InForce::of(route),
                crowd: Crowd::default(),
            }),
        })))
    }

    /// No route has this one: each has its own.
    fn open(&self, _request: Request) -> BoxFuture<'_, Result<Opening>> {
        Box::pin(async { Err(Error::from_status(500)) })
    }
}

/// The streams of one route.
struct Streams {
    handler: Arc<dyn ErasedSource>,
    route: Arc<Route>,
}

/// What the streams of a route have in common.
pub(super) struct Route {
    /// Its path, for the log.
    pub(super) name: Box<str>,
    pub(super) limits: InForce,
    pub(super) crowd: Crowd,
}

impl ProtocolHandler for Streams {
    fn claims(&self, head: &Head) -> bool {
        accept::names(head.headers())
    }

    fn switches(&self) -> bool {
        false
    }

    fn open(&self, request: Request) -> BoxFuture<'_, Result<Opening>> {
        Box::pin(async move {
            if accept::excludes(request.headers()) {
                let told = "there are events here: accept `text/event-stream`";
                return Err(Error::new(406, told));
            }
            match self.route.limits.admit(request.client_ip()) {
                Ok(permits) => self.init(request, permits).await,
                Err(too_many) => Ok(Opening::Refused(too_many.reply())),
            }
        })
    }
}

impl Streams {
    async fn init(&self, request: Request, permits: Vec<Permit>) -> Result<Opening> {
        let mut handler = self.handler.clone_boxed();
        let mailbox = request.pubsub().mailbox_with_capacity(MAILBOX_CAPACITY);
        let mut conn = Connection::new(&request, Membership::Mailbox(mailbox));
        match handler.init(&request, &mut conn).await? {
            Accept::Yes => {}
            Accept::Refuse(reply) => return Ok(Opening::Refused(reply)),
            Accept::Protocol(name) => {
                let mistake = format!(
                    "`init` chooses the sub-protocol `{name}`, and a stream of events has none"
                );
                return Err(io::Error::other(mistake).into()); // a 500, whose cause the log has
            }
        }
        let accepted = Accepted {
            handler,
            conn,
            route: Arc::clone(&self.route),
            permits,
        };
        let mut accepted = scopeguard::guard(accepted, Accepted::end_unopened);
        accepted.conn.hear_of_its_session(&request).await?;
        // The request is dropped here: its headers would hold hyper's buffer for as long as the
        // stream lasts.
        let accepted = ScopeGuard::into_inner(accepted);
        Ok(Opening::Stream(accepted.streaming(request.method())))
    }
}

impl Accepted {
    fn streaming(self, method: &Method) -> Streaming {
        if method == Method::HEAD {
            return Streaming::new(reply(stream::empty()), |stopping| self.run(None, stopping));
        }
        let (outgoing, body) = outgoing(self.route.limits.outgoing_bytes);
        Streaming::new(reply(body), |stopping| self.run(Some(outgoing), stopping))
    }
}

/// The answer. `no-transform` keeps proxies from compressing it, and `x-accel-buffering` nginx from
/// collecting it.
fn reply(body: impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static) -> Reply {
    nova_core::stream(body)
        .content_type("text/event-stream")
        .header(header::CACHE_CONTROL, "no-store, no-transform")
        .header("x-accel-buffering", "no")
}
