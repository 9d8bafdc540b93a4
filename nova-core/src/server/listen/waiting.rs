//! Those who have connected when the app stops: they stand in the system's queues, and would be reset with
//! them.
//!
//! The queues are asked themselves. The runtime knows of who has come only when it has looked.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tracing::warn;

#[cfg(unix)]
use super::SocketFile;
use super::{Accepted, Listener, Listeners, Socket, Tls};

/// The queues of listeners that are closed when this is dropped.
#[derive(Debug)]
pub(in super::super) struct Waiting(Vec<Queue>);

#[derive(Debug)]
enum Queue {
    /// With what makes its connections secure, if they are.
    Tcp(std::net::TcpListener, Option<Arc<Tls>>),
    #[cfg(unix)]
    Unix {
        listener: std::os::unix::net::UnixListener,
        _file: Option<SocketFile>,
    },
}

impl Waiting {
    pub(super) fn new(listeners: Listeners) -> Self {
        let Listeners { all, tls, .. } = listeners;
        let queues = all.into_iter().filter_map(|listener| {
            Queue::of(listener, tls.as_ref())
                .inspect_err(|error| warn!("a listener is closed without a last look: {error}"))
                .ok()
        });
        Waiting(queues.collect())
    }

    /// The next who has connected; `None` when there is nobody any more.
    pub(in super::super) fn next(&mut self) -> Option<io::Result<Accepted>> {
        self.0.iter().find_map(|queue| match queue.next() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            next => Some(next),
        })
    }
}

impl Queue {
    fn of(listener: Listener, tls: Option<&Arc<Tls>>) -> io::Result<Self> {
        Ok(match listener.socket {
            Socket::Tcp(tcp) => {
                let tls = tls.filter(|_| listener.is_secure);
                Queue::Tcp(tcp.into_std()?, tls.cloned())
            }
            #[cfg(unix)]
            Socket::Unix { listener, _file } => Queue::Unix {
                listener: listener.into_std()?,
                _file,
            },
        })
    }

    fn next(&self) -> io::Result<Accepted> {
        match self {
            Queue::Tcp(listener, tls) => {
                let (stream, peer): (_, SocketAddr) = listener.accept()?;
                stream.set_nonblocking(true)?;
                let accepted = Accepted::tcp(TcpStream::from_std(stream)?, peer);
                Ok(match (accepted, tls) {
                    (Accepted::Tcp(stream, peer), Some(tls)) => {
                        Accepted::Tls(stream, peer, Arc::clone(tls))
                    }
                    (accepted, _) => accepted,
                })
            }
            #[cfg(unix)]
            Queue::Unix { listener, .. } => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                Ok(Accepted::Unix(UnixStream::from_std(stream)?))
            }
        }
    }
}
