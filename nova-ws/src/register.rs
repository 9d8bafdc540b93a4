//! The way from an app to its handlers: nova-core's extension point for protocols.

use http::HeaderMap;
use nova_core::{AppBuilder, BoxFuture, Head, Opening, ProtocolHandler, Request, Result, Switch};

use crate::connection::Connection;
use crate::handler::{Accept, ErasedHandler, WebSocket};
use crate::handshake;
use crate::session::Accepted;
use crate::sse::{self, EventSource};

/// Adds WebSocket handlers and sources of events to an app.
pub trait AppBuilderExt {
    /// Registers a handler; routes with `protocol = "ws"` name it.
    ///
    /// ```
    /// use nova_core::{App, protocol};
    /// use nova_ws::{AppBuilderExt, WebSocket};
    ///
    /// #[derive(Clone)]
    /// struct Silent;
    /// impl WebSocket for Silent {}
    ///
    /// let app = App::builder()
    ///     .websocket("silent", Silent)
    ///     .route(("/silent", "silent", protocol("ws")))
    ///     .build()
    ///     .unwrap();
    /// ```
    #[must_use]
    #[track_caller]
    fn websocket(self, name: &str, handler: impl WebSocket) -> Self;

    /// Registers a source of events; routes with `protocol = "sse"` name it.
    ///
    /// ```
    /// use nova_core::{App, protocol};
    /// use nova_ws::AppBuilderExt;
    /// use nova_ws::sse::EventSource;
    ///
    /// #[derive(Clone)]
    /// struct Silent;
    /// impl EventSource for Silent {}
    ///
    /// let app = App::builder()
    ///     .event_source("silent", Silent)
    ///     .route(("/silent", "silent", protocol("sse")))
    ///     .build()
    ///     .unwrap();
    /// ```
    #[must_use]
    #[track_caller]
    fn event_source(self, name: &str, handler: impl EventSource) -> Self;
}

impl AppBuilderExt for AppBuilder {
    #[track_caller]
    fn websocket(self, name: &str, handler: impl WebSocket) -> Self {
        let prototype = Box::new(handler);
        self.protocol_handler("ws", name, Prototype(prototype))
    }

    #[track_caller]
    fn event_source(self, name: &str, handler: impl EventSource) -> Self {
        self.protocol_handler("sse", name, sse::Prototype::new(handler))
    }
}

/// The registered handler, of which each connection gets a clone.
struct Prototype(Box<dyn ErasedHandler>);

impl ProtocolHandler for Prototype {
    fn claims(&self, head: &Head) -> bool {
        handshake::is_upgrade(head.headers())
    }

    fn open(&self, request: Request) -> BoxFuture<'_, Result<Opening>> {
        Box::pin(async move {
            match handshake::accept(&request) {
                Ok(headers) => self.init(request, headers).await,
                Err(refusal) => Ok(Opening::Refused(refusal.reply())),
            }
        })
    }
}

impl Prototype {
    async fn init(&self, request: Request, headers: HeaderMap) -> Result<Opening> {
        let mut handler = self.0.clone_boxed();
        let mut conn = Connection::new(request.pubsub());
        match handler.init(&request, &mut conn).await? {
            Accept::Refuse(reply) => Ok(Opening::Refused(reply)),
            Accept::Yes => {
                // The request is dropped here: its headers would hold hyper's buffer for as long
                // as the connection lasts.
                let accepted = Accepted {
                    handler,
                    conn,
                    path: request.path().into(),
                };
                let run = |upgraded| accepted.run(upgraded);
                Ok(Opening::Switch(Switch::new(headers, run)))
            }
        }
    }
}
