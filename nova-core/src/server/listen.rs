//! The sockets that an app takes connections from.

mod error;
mod inherited;
#[cfg(unix)]
mod socket_file;
mod waiting;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tracing::{debug, warn};

use super::tls::Tls;
use crate::config::{Config, ListenAddress};
pub use error::ListenErrors;
use error::Problem;
pub(crate) use inherited::Inherited;
#[cfg(unix)]
use socket_file::SocketFile;
use waiting::Waiting;

/// The usual 128 drop connections in a burst, which costs each of those clients a second.
pub(super) const BACKLOG: u32 = 4096;

/// Sockets that an app is served on: what [`App::serve`](crate::App::serve) takes.
///
/// A [`TcpListener`] and a `UnixListener` of tokio's are some. [`bind`](Self::bind) listens where the
/// settings say, as [`run`](crate::run) does.
///
/// ```
/// use nova_core::{App, Listeners, text};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("nova.toml");
/// # std::fs::write(&file, "[server]\nlisten = '127.0.0.1:0'")?;
/// let app = App::builder()
///     .config_file(file)
///     .route(("/", |_: nova_core::Request| async { text("hello") }))
///     .build()?;
/// let listeners = Listeners::bind(app.config()).await?;
/// for url in listeners.urls() {
///     println!("listening on {url}");
/// }
/// # let ctrl_c = std::future::ready(());
/// app.serve(listeners, ctrl_c).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Listeners {
    all: Vec<Listener>,
    /// The one that is asked first, so that none waits for the others.
    first: usize,
    tls: Option<Arc<Tls>>,
}

#[derive(Debug)]
struct Listener {
    socket: Socket,
    /// Whether it is for HTTPS.
    is_secure: bool,
    url: String,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix {
        listener: UnixListener,
        /// The file, if it is ours: it is removed with the listener.
        _file: Option<SocketFile>,
    },
}

/// A connection that has come.
pub(super) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    /// A connection on which the client begins with a handshake.
    Tls(TcpStream, SocketAddr, Arc<Tls>),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Accepted {
    fn tcp(stream: TcpStream, peer: SocketAddr) -> Self {
        // Small answers leave at once; the connection gathers its writes itself.
        if let Err(error) = stream.set_nodelay(true) {
            debug!("TCP_NODELAY was refused: {error}");
        }
        Accepted::Tcp(stream, peer)
    }
}

impl Listeners {
    /// Listens where `listen` in `[server]` says, or on the sockets that the process was started with
    /// (`LISTEN_FDS`, as systemd and its like pass them). Those are taken once.
    ///
    /// # Errors
    /// All that is wrong with any of them, together, and what to do.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn bind(config: &Config) -> Result<Self, ListenErrors> {
        Self::bind_or_take(config, Inherited::take()).await
    }

    /// The same, with the sockets that the process was started with.
    pub(crate) async fn bind_or_take(
        config: &Config,
        inherited: Inherited,
    ) -> Result<Self, ListenErrors> {
        let mut problems = Vec::new();
        let mut all = Vec::new();
        let mut add = |listener: Result<Listener, Problem>| match listener {
            Ok(listener) => all.push(listener),
            Err(problem) => problems.push(problem),
        };
        let listen: &[ListenAddress] = match inherited.is_empty() {
            true => &config.server.listen,
            false => &[],
        };
        inherited.listeners().into_iter().for_each(&mut add);
        for address in listen {
            add(match address {
                ListenAddress::Http(address) => bind_tcp(*address, false),
                ListenAddress::Https(address) => bind_tcp(*address, true),
                #[cfg(unix)]
                ListenAddress::Unix(path) => socket_file::bind(path, config.server.unix_mode).await,
                #[cfg(not(unix))]
                ListenAddress::Unix(path) => Err(Problem::unix(
                    path,
                    "this system has no such sockets".to_owned(),
                    "listen on an address and port",
                )),
            });
        }
        let files = &config.server.tls;
        let wants_tls = all.iter().any(|listener| listener.is_secure)
            || listen
                .iter()
                .any(|address| matches!(address, ListenAddress::Https(_)));
        let mut tls = None;
        match (wants_tls, &files.certificate) {
            (true, Some(_)) => match Tls::new(files, config.server.http2) {
                Ok(ready) => tls = Some(Arc::new(ready)),
                Err(error) => problems.push(Problem::Tls(error)),
            },
            (true, None) => problems.push(Problem::NoCertificate),
            (false, Some(_)) => warn!(
                "the certificate in `[server.tls]` counts for nothing: no address of `listen` begins with \
                 `https://`"
            ),
            (false, None) => {}
        }
        match problems.is_empty() {
            true => Ok(Listeners { all, first: 0, tls }),
            false => Err(ListenErrors::new(problems, config)),
        }
    }

    /// Where clients find the app: `http://127.0.0.1:8080`, or `unix:/run/app.sock`. A port that was
    /// free is told as what it has become.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|listener| &*listener.url)
    }

    /// What makes connections secure, if some are.
    pub(crate) fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }

    /// Renews the certificate when its files change. It never ends.
    pub(super) fn renewing(&self) -> impl Future<Output = ()> + use<> {
        let tls = self.tls.clone();
        async move {
            match tls {
                Some(tls) => tls.renew().await,
                None => std::future::pending().await,
            }
        }
    }

    /// The next connection of any of them.
    ///
    /// # Cancel safety
    /// No connection is lost.
    pub(super) async fn accept(&mut self) -> io::Result<Accepted> {
        poll_fn(|context| {
            for step in 0..self.all.len() {
                let position = (self.first + step) % self.all.len();
                if let Poll::Ready(accepted) = self.all[position].poll_accept(context) {
                    self.first = position + 1;
                    return Poll::Ready(accepted.map(|accepted| self.secured(position, accepted)));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Those who have connected already. Nobody is waited for.
    pub(super) fn into_waiting(self) -> Waiting {
        Waiting::new(self)
    }

    /// What has come at a listener, with what makes it secure there.
    fn secured(&self, position: usize, accepted: Accepted) -> Accepted {
        match (accepted, &self.tls) {
            (Accepted::Tcp(stream, peer), Some(tls)) if self.all[position].is_secure => {
                Accepted::Tls(stream, peer, Arc::clone(tls))
            }
            (accepted, _) => accepted,
        }
    }
}

impl Listener {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match &self.socket {
            Socket::Tcp(listener) => listener
                .poll_accept(context)
                .map_ok(|(stream, peer)| Accepted::tcp(stream, peer)),
            #[cfg(unix)]
            Socket::Unix { listener, .. } => listener
                .poll_accept(context)
                .map_ok(|(stream, _)| Accepted::Unix(stream)),
        }
    }
}

fn bind_tcp(address: SocketAddr, is_secure: bool) -> Result<Listener, Problem> {
    let bound = || {
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
    };
    match bound() {
        Ok(listener) => Ok(Listener::tcp(listener, is_secure)),
        Err(error) => Err(Problem::Tcp { address, error }),
    }
}

impl Listener {
    fn tcp(listener: TcpListener, is_secure: bool) -> Self {
        let scheme = if is_secure { "https" } else { "http" };
        let url = match listener.local_addr() {
            Ok(address) => format!("{scheme}://{address}"),
            Err(_) => format!("{scheme}://"),
        };
        Listener {
            socket: Socket::Tcp(listener),
            is_secure,
            url,
        }
    }

    #[cfg(unix)]
    fn unix(listener: UnixListener, file: Option<SocketFile>) -> Self {
        let address = listener.local_addr().ok();
        let path = address.as_ref().and_then(|address| address.as_pathname());
        let url = match path {
            Some(path) => format!("unix:{}", path.display()),
            None => "a Unix socket without a name".to_owned(),
        };
        Listener {
            socket: Socket::Unix {
                listener,
                _file: file,
            },
            is_secure: false,
            url,
        }
    }
}

impl From<Listener> for Listeners {
    fn from(listener: Listener) -> Self {
        Listeners {
            all: vec![listener],
            first: 0,
            tls: None,
        }
    }
}

impl From<TcpListener> for Listeners {
    fn from(listener: TcpListener) -> Self {
        Listener::tcp(listener, false).into()
    }
}

/// Its file stays when the app ends: it is of whoever has made it.
#[cfg(unix)]
impl From<UnixListener> for Listeners {
    fn from(listener: UnixListener) -> Self {
        Listener::unix(listener, None).into()
    }
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Accepted")
    }
}
