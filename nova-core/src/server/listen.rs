//! The sockets that an app takes connections from.

mod error;
mod inherited;
#[cfg(unix)]
mod socket_file;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

use crate::config::{Config, ListenAddress};
pub use error::ListenErrors;
use error::Problem;
pub(crate) use inherited::Inherited;
#[cfg(unix)]
use socket_file::SocketFile;

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
}

#[derive(Debug)]
struct Listener {
    socket: Socket,
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
    #[cfg(unix)]
    Unix(UnixStream),
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
                ListenAddress::Http(address) => bind_tcp(*address),
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
        match problems.is_empty() {
            true => Ok(Listeners { all, first: 0 }),
            false => Err(ListenErrors::new(problems, config)),
        }
    }

    /// Where clients find the app: `http://127.0.0.1:8080`, or `unix:/run/app.sock`. A port that was
    /// free is told as what it has become.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|listener| &*listener.url)
    }

    /// The next connection of any of them.
    ///
    /// # Cancel safety
    /// No connection is lost.
    pub(super) async fn accept(&mut self) -> io::Result<Accepted> {
        poll_fn(|context| {
            for step in 0..self.all.len() {
                let position = (self.first + step) % self.all.len();
                if let Poll::Ready(accepted) = self.all[position].socket.poll_accept(context) {
                    self.first = position + 1;
                    return Poll::Ready(accepted);
                }
            }
            Poll::Pending
        })
        .await
    }
}

impl Socket {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match self {
            Socket::Tcp(listener) => listener
                .poll_accept(context)
                .map_ok(|(stream, peer)| Accepted::Tcp(stream, peer)),
            #[cfg(unix)]
            Socket::Unix { listener, .. } => listener
                .poll_accept(context)
                .map_ok(|(stream, _)| Accepted::Unix(stream)),
        }
    }
}

fn bind_tcp(address: SocketAddr) -> Result<Listener, Problem> {
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
        Ok(listener) => Ok(Listener::tcp(listener)),
        Err(error) => Err(Problem::Tcp { address, error }),
    }
}

impl Listener {
    fn tcp(listener: TcpListener) -> Self {
        let url = match listener.local_addr() {
            Ok(address) => format!("http://{address}"),
            Err(_) => "http://".to_owned(),
        };
        Listener {
            socket: Socket::Tcp(listener),
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
            url,
        }
    }
}

impl From<Listener> for Listeners {
    fn from(listener: Listener) -> Self {
        Listeners {
            all: vec![listener],
            first: 0,
        }
    }
}

impl From<TcpListener> for Listeners {
    fn from(listener: TcpListener) -> Self {
        Listener::tcp(listener).into()
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
