//! The listener, and the app that is served.

mod connection;
mod cork;
mod first_words;
mod framing;
mod http2;
mod last_words;
mod patience;
mod room;
mod under_way;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use crate::app::{App, Core};
use crate::life::Life;
use crate::plugin::{PluginContext, PluginFailed, PluginLife};
use crate::serve_error::ServeError;
use crate::service::Supervisor;
use connection::connection;
use room::{Placed, Room};

/// The usual 128 drop connections in a burst, which costs each of those clients a second.
const BACKLOG: u32 = 4096;
/// The pause after an `accept` that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens on `address`.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A port whose connections of a moment ago still linger can be taken again at once. On
    // Windows the same option would let two programs share a port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl App {
    /// Serves the app on `listener` until `stop` resolves or a service fails for good, and then
    /// stops it: requests finish, sockets are closed, plugins and then services stop in reverse order.
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
        listener: TcpListener,
        stop: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let mut served = Served::start(self);
        let mut stop = pin!(stop);
        let outcome = match served.begin_plugins() {
            Err(failed) => Err(failed.into()),
            Ok(()) => tokio::select! {
                () = &mut stop => Ok(()),
                failed = served.services.failure() => Err(failed.into()),
                () = accept(&listener, &served.core, &served.life) => Ok(()),
            },
        };
        drop(listener); // from here on, nobody connects any more
        served.stop().await;
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
        let services = Supervisor::start(app.services, &app.core.shared.pubsub);
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
    pub(crate) fn connect<I>(&self, io: I, peer: Option<SocketAddr>)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.life.track(connection(
            io,
            None,
            peer,
            Arc::clone(&self.core),
            self.life.clone(),
        ));
    }

    pub(crate) async fn stop(&mut self) {
        let limit = self.core.config.server.shutdown_drain_timeout;
        let begun = Instant::now();
        self.life.end(limit).await;
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

async fn accept(listener: &TcpListener, core: &Arc<Core>, life: &Life) {
    let room = Room::new(core.config.server.connections);
    loop {
        let place = room.place().await;
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Small answers leave at once; the connection gathers its writes itself.
                if let Err(error) = stream.set_nodelay(true) {
                    debug!("TCP_NODELAY was refused: {error}");
                }
                life.track(connection(
                    Placed::new(stream, place),
                    None,
                    Some(peer),
                    Arc::clone(core),
                    life.clone(),
                ));
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                warn!("no connection can be accepted for now: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
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
