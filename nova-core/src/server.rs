//! The app that is served: its listeners, its connections, and how they end.

mod connection;
mod cork;
mod first_words;
mod framing;
pub(crate) mod health;
mod http2;
mod last_words;
mod listen;
mod patience;
mod room;
#[cfg_attr(not(feature = "tls"), path = "server/tls_off.rs")]
mod tls;
mod under_way;

use std::future::{poll_fn, ready};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

use crate::app::{App, Core};
use crate::life::Life;
use crate::peer::Peer;
use crate::plugin::{PluginContext, PluginFailed, PluginLife};
use crate::serve_error::ServeError;
use crate::service::Supervisor;
use connection::connection;
pub(crate) use cork::Corked;
use listen::Accepted;
pub(crate) use listen::Inherited;
pub use listen::{ListenErrors, Listeners};
use room::{Place, Room};
pub(crate) use room::{Placed, raise_most_files};
pub(crate) use tls::Tls;

/// The pause after an `accept` that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl App {
    /// Serves the app on a listener, or on several, until `stop` resolves or a service fails for good, and then
    /// stops it: `/health/ready` says so, after `server.shutdown_delay` nobody connects any more, requests finish, sockets are closed, plugins and then services stop in reverse order.
    ///
    /// [`run`](crate::run) does this and more; this is for programs that have a runtime already.
    ///
    /// # Errors
    /// A plugin could not get ready, or a service failed too often.
    ///
    /// # Cancel safety
    /// Dropping the future cuts all connections.
    pub async fn serve(
        self,
        listeners: impl Into<Listeners>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let mut listeners = listeners.into();
        let mut served = Served::start(self);
        if let Err(failed) = served.begin_plugins() {
            drop(listeners);
            served.stop(ready(())).await;
            return Err(failed.into());
        }
        let mut stop = pin!(stop);
        let (core, life) = (Arc::clone(&served.core), served.life.clone());
        let leaving = async {
            stop.as_mut().await;
            // The load balancer has to see it before nobody can connect any more.
            life.leave();
            sleep(core.config.server.shutdown_delay).await;
        };
        let mut room = Room::new(core.config.server.connections);
        let renewing = listeners.renewing();
        let outcome = tokio::select! {
            () = leaving => Ok(()),
            failed = served.services.failure() => Err(failed.into()),
            () = renewing => Ok(()),
            () = accept(&mut listeners, &mut room, &core, &life) => Ok(()),
        };
        served
            .stop(accept_last(listeners, room, &core, &life))
            .await;
        outcome
    }
}

/// An app whose services run and which takes connections.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) core: Arc<Core>,
    pub(crate) life: Life,
    services: Supervisor,
}

impl Served {
    pub(crate) fn start(app: App) -> Self {
        let services = Supervisor::start(
            app.services,
            &app.core.shared.pubsub,
            &app.core.health.restarting,
        );
        Served {
            life: Life::new(app.core.shared.tasks.clone()),
            core: app.core,
            services,
        }
    }

    /// Initialises the plugins. No request comes before.
    pub(crate) fn begin_plugins(&self) -> Result<(), PluginFailed> {
        let shared = &self.core.shared;
        let context = PluginContext::new(&self.core.config, &shared.pubsub);
        let life = PluginLife::new(context, &shared.tasks);
        shared.router.begin_plugins(life)
    }

    /// Takes one connection, from wherever it comes.
    pub(crate) fn connect<I>(&self, io: I, peer: Peer)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        connect(io, peer, &self.core, &self.life);
    }

    /// Stops all; `arriving` takes those who have connected already, and ends by itself.
    pub(crate) async fn stop(&mut self, arriving: impl Future<Output = ()>) {
        let limit = self.core.config.server.shutdown_drain_timeout;
        let begun = Instant::now();
        self.life.end(limit, arriving).await;
        let left = limit.saturating_sub(begun.elapsed());
        self.core.shared.router.stop_plugins(left).await;
        self.services.stop(limit).await;
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.life.abandon();
    }
}

/// Shakes hands before it is a connection like any other: in its own task, for a client may take its time.
async fn secure_connection(
    stream: TcpStream,
    place: Place,
    peer: SocketAddr,
    tls: Arc<Tls>,
    core: Arc<Core>,
    life: Life,
) {
    let limit = core.config.server.head_timeout;
    let mut stop = life.stopping().listener();
    let accepted = tokio::select! {
        accepted = timeout(limit, tls.accept(stream, place)) => accepted,
        () = poll_fn(|context| stop.poll_idle(context)) => return,
    };
    match accepted {
        Ok(Ok(Some((stream, spoken)))) => {
            connection(stream, Some(spoken), Peer::Tls(peer), core, life).await;
        }
        Ok(Ok(None)) => debug!(%peer, "a client has spoken HTTP to a port for HTTPS"),
        Ok(Err(error)) => debug!(%peer, "no handshake: {error}"),
        Err(_) => debug!(%peer, "no handshake in {limit:?}"),
    }
}

fn connect<I>(io: I, peer: Peer, core: &Arc<Core>, life: &Life)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    life.track(connection(io, None, peer, Arc::clone(core), life.clone()));
}

async fn accept(listeners: &mut Listeners, room: &mut Room, core: &Arc<Core>, life: &Life) {
    loop {
        let place = room.place().await;
        match listeners.accept().await {
            Ok(accepted) => admit(accepted, place, core, life),
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                warn!("no connection can be accepted for now: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Takes those who stand in the system's queues, who would be reset with them, as far as there is room, and
/// closes the listeners at once when there is nobody left.
async fn accept_last(listeners: Listeners, mut room: Room, core: &Arc<Core>, life: &Life) {
    let mut waiting = listeners.into_waiting();
    let mut stop = life.stopping().listener();
    loop {
        let place = tokio::select! {
            biased;
            () = poll_fn(|context| stop.poll_idle(context)) => return,
            place = room.place() => place,
        };
        match waiting.next() {
            Some(Ok(accepted)) => admit(accepted, place, core, life),
            Some(Err(error)) if is_about_one_connection(&error) => {}
            Some(Err(error)) => {
                warn!("no further connection can be accepted: {error}");
                return;
            }
            None => return,
        }
    }
}

fn admit(accepted: Accepted, place: Place, core: &Arc<Core>, life: &Life) {
    match accepted {
        Accepted::Tcp(stream, peer) => {
            connect(Placed::new(stream, place), Peer::Tcp(peer), core, life);
        }
        Accepted::Tls(stream, peer, tls) => {
            let (core, own) = (Arc::clone(core), life.clone());
            life.track(secure_connection(stream, place, peer, tls, core, own));
        }
        #[cfg(unix)]
        Accepted::Unix(stream) => connect(Placed::new(stream, place), Peer::Unix, core, life),
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
