//! The way from an app to its handlers: nova-core's extension point for protocols.

use std::io;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};
use nova_core::{
    AppBuilder, BoxFuture, Error, Head, Opening, ProtocolHandler, ProtocolRoute, Request, Result,
    Switch,
};
use scopeguard::ScopeGuard;

use crate::connection::Connection;
use crate::crowd::Crowd;
use crate::handler::{Accept, ErasedHandler, WebSocket};
use crate::handshake::{self, Refusal};
use crate::hooks::{Hook, Hooks};
use crate::limits::{InForce, WsLimits};
use crate::membership::Membership;
use crate::open::Permit;
use crate::outlet::Outlet;
use crate::session::Accepted;
use crate::shard::Shards;
use crate::sse::{self, EventSource, SseLimits};

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
        let handler: Arc<dyn ErasedHandler> = Arc::new(handler);
        let shards = Shards::new(Arc::clone(&handler));
        self.protocol_limits::<WsLimits>().protocol_handler(
            "ws",
            name,
            Prototype { handler, shards },
        )
    }

    #[track_caller]
    fn event_source(self, name: &str, handler: impl EventSource) -> Self {
        self.protocol_limits::<SseLimits>().protocol_handler(
            "sse",
            name,
            sse::Prototype::new(handler),
        )
    }
}

/// The registered handler, of which each connection gets a clone.
struct Prototype {
    handler: Arc<dyn ErasedHandler>,
    shards: Arc<Shards>,
}

impl ProtocolHandler for Prototype {
    fn claims(&self, head: &Head) -> bool {
        handshake::is_upgrade(head.headers())
    }

    fn for_route(
        &self,
        route: &ProtocolRoute<'_>,
    ) -> std::result::Result<Option<Arc<dyn ProtocolHandler>>, String> {
        Ok(Some(Arc::new(Sockets {
            handler: Arc::clone(&self.handler),
            shards: Arc::clone(&self.shards),
            route: Arc::new(Route {
                name: route.info().path.as_str().into(),
                limits: InForce::of(route),
                hooks: Hooks(route.extensions::<Hook>().collect()),
                crowd: Crowd::default(),
            }),
        })))
    }

    /// No route has this one: each has its own.
    fn open(&self, _request: Request) -> BoxFuture<'_, Result<Opening>> {
        Box::pin(async { Err(Error::from_status(500)) })
    }
}

/// The connections of one route.
struct Sockets {
    handler: Arc<dyn ErasedHandler>,
    /// Those of all routes of the handler.
    shards: Arc<Shards>,
    route: Arc<Route>,
}

/// What the connections of a route have in common.
pub(crate) struct Route {
    /// Its path, for the log.
    pub(crate) name: Box<str>,
    pub(crate) limits: InForce,
    pub(crate) hooks: Hooks,
    pub(crate) crowd: Crowd,
}

impl ProtocolHandler for Sockets {
    fn claims(&self, head: &Head) -> bool {
        handshake::is_upgrade(head.headers())
    }

    fn open(&self, request: Request) -> BoxFuture<'_, Result<Opening>> {
        Box::pin(async move {
            let limits = &self.route.limits;
            let headers = match handshake::accept(&request, limits) {
                Ok(headers) => headers,
                Err(refusal) => return Ok(Opening::Refused(refusal.reply(limits))),
            };
            match limits.admit(request.client_ip()) {
                Ok(permits) => self.init(request, headers, permits).await,
                Err(too_many) => {
                    let refusal = Refusal::TooMany(too_many);
                    Ok(Opening::Refused(refusal.reply(limits)))
                }
            }
        })
    }
}

impl Sockets {
    async fn init(
        &self,
        request: Request,
        mut headers: HeaderMap,
        permits: Vec<Permit>,
    ) -> Result<Opening> {
        let mut handler = self.handler.clone_boxed();
        let outlet = Outlet::new(self.route.limits.codec.outgoing_bytes);
        let place = self.shards.place(request.pubsub(), Arc::clone(&outlet));
        let mut conn = Connection::new(&request, Membership::Place(place));
        let mut spoken = self.route.limits.protocols.iter();
        let common = spoken.find(|name| conn.offered.contains(name));
        conn.protocol = common.map(|name| name.as_str().into());
        let chosen = match handler.init(&request, &mut conn).await? {
            Accept::Refuse(reply) => return Ok(Opening::Refused(reply)),
            Accept::Protocol(name) => Some(name),
            Accept::Yes => None,
        };
        // The handler has said yes, so it learns that there is no connection, also where the client
        // hangs up meanwhile.
        let accepted = Accepted {
            handler,
            conn,
            outlet,
            route: Arc::clone(&self.route),
            permits,
        };
        let mut accepted = scopeguard::guard(accepted, Accepted::end_unopened);
        let settled = self.settle(chosen, &request, &mut accepted.conn, &mut headers);
        let refused = match settled.await {
            Ok(None) => {
                // The request is dropped here: its headers would hold hyper's buffer for as long as
                // the connection lasts.
                let accepted = ScopeGuard::into_inner(accepted);
                let run = |upgraded| accepted.run(upgraded);
                return Ok(Opening::Switch(Switch::new(headers, run)));
            }
            Ok(Some(refusal)) => Ok(Opening::Refused(refusal.reply(&self.route.limits))),
            Err(error) => Err(error),
        };
        let accepted = ScopeGuard::into_inner(accepted);
        accepted.run(Err(io::ErrorKind::NotConnected.into())).await;
        refused
    }

    /// What is left to be seen when `init` has said yes: the sub-protocol, and the session.
    async fn settle(
        &self,
        chosen: Option<String>,
        request: &Request,
        conn: &mut Connection,
        headers: &mut HeaderMap,
    ) -> Result<Option<Refusal>> {
        if let Some(name) = chosen {
            if !conn.offered.contains(&name) {
                let mistake = format!(
                    "`init` chooses the sub-protocol `{name}`, which the client does not offer"
                );
                return Err(io::Error::other(mistake).into()); // a 500, whose cause the log has
            }
            conn.protocol = Some(name.into());
        }
        match &conn.protocol {
            Some(name) => {
                let name = HeaderValue::from_str(name)?;
                headers.insert(header::SEC_WEBSOCKET_PROTOCOL, name);
            }
            None if !self.route.limits.protocols.is_empty() && !conn.offered.is_empty() => {
                return Ok(Some(Refusal::Protocol));
            }
            None => {}
        }
        conn.hear_of_its_session(request).await?;
        conn.offered = Box::default(); // may be tokens, which need not stay
        Ok(None)
    }
}
