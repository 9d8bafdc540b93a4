//! From the request to the stream: nova-core's extension point for protocols.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{Method, header};
use nova_core::{
    BoxFuture, Error, Head, Opening, ProtocolHandler, Reply, Request, Result, Streaming,
};

use super::accept;
use super::handler::{ErasedSource, EventSource};
use super::outgoing::outgoing;
use super::session::Accepted;
use crate::connection::Connection;
use crate::handler::Accept;

/// The registered handler, of which each client gets a clone.
pub(crate) struct Prototype(Box<dyn ErasedSource>);

impl Prototype {
    pub(crate) fn new(handler: impl EventSource) -> Self {
        Prototype(Box::new(handler))
    }
}

impl ProtocolHandler for Prototype {
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
            let mut handler = self.0.clone_boxed();
            let mut conn = Connection::new(&request);
            match handler.init(&request, &mut conn).await? {
                Accept::Refuse(reply) => Ok(Opening::Refused(reply)),
                Accept::Protocol(name) => {
                    let mistake =
                        format!("`init` chooses `{name}`, and events have no sub-protocols");
                    Err(io::Error::other(mistake).into()) // a 500, whose cause the log has
                }
                Accept::Yes => {
                    conn.hear_of_its_session(&request).await?;
                    // The request is dropped here: its headers would hold hyper's buffer for as
                    // long as the stream lasts.
                    let accepted = Accepted {
                        handler,
                        conn,
                        path: request.path().into(),
                    };
                    Ok(Opening::Stream(accepted.streaming(request.method())))
                }
            }
        })
    }
}

impl Accepted {
    fn streaming(self, method: &Method) -> Streaming {
        if method == Method::HEAD {
            return Streaming::new(reply(stream::empty()), |stopping| self.run(None, stopping));
        }
        let (outgoing, body) = outgoing();
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
