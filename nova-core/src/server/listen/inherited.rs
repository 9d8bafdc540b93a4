//! Sockets that the process was started with, as systemd passes them: so a service manager can listen
//! on a port below 1024 for an app that may not, and keeps connections waiting while it starts again.

#[cfg(unix)]
pub(crate) use unix::Inherited;

#[cfg(not(unix))]
pub(crate) use elsewhere::Inherited;

#[cfg(unix)]
mod unix {
    use std::fmt;
    use std::io;
    use std::net;
    use std::os::fd::AsFd;
    use std::os::unix::net as unix;

    use listenfd::ListenFd;
    use rustix::net::sockopt::socket_acceptconn;
    use tokio::net::{TcpListener, UnixListener};

    use crate::server::listen::Listener;
    use crate::server::listen::error::Problem;

    /// What `LISTEN_FDS` tells of. A socket of TCP that is named `https` is for that.
    pub(crate) struct Inherited {
        descriptors: ListenFd,
        names: Vec<String>,
    }

    impl Inherited {
        /// Takes them, so that nobody else does: neither this process a second time, nor its children.
        /// What is meant for another process (`LISTEN_PID`) is none.
        pub(crate) fn take() -> Self {
            let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
            Inherited {
                descriptors: ListenFd::from_env(),
                names: names.split(':').map(str::to_owned).collect(),
            }
        }

        pub(in crate::server::listen) fn is_empty(&self) -> bool {
            self.descriptors.len() == 0
        }

        pub(in crate::server::listen) fn listeners(mut self) -> Vec<Result<Listener, Problem>> {
            let positions = 0..self.descriptors.len();
            positions.map(|position| self.listener(position)).collect()
        }

        fn listener(&mut self, position: usize) -> Result<Listener, Problem> {
            let socket = match self.descriptors.take_tcp_listener(position) {
                Ok(Some(listener)) => tcp(
                    listener,
                    self.names.get(position).is_some_and(|name| name == "https"),
                ),
                _ => match self.descriptors.take_unix_listener(position) {
                    Ok(Some(listener)) => unix(listener),
                    Ok(None) => Err(io::ErrorKind::NotFound.into()),
                    Err(error) => Err(error),
                },
            };
            socket.map_err(|error| Problem::Inherited {
                what: match self.names.get(position).filter(|name| !name.is_empty()) {
                    Some(name) => format!("the socket {} (`{name}`)", position + 1),
                    None => format!("the socket {}", position + 1),
                },
                why: error.to_string(),
            })
        }
    }

    fn tcp(listener: net::TcpListener, is_secure: bool) -> io::Result<Listener> {
        check(&listener)?;
        listener.set_nonblocking(true)?;
        Ok(Listener::tcp(TcpListener::from_std(listener)?, is_secure))
    }

    fn unix(listener: unix::UnixListener) -> io::Result<Listener> {
        check(&listener)?;
        listener.set_nonblocking(true)?;
        Ok(Listener::unix(UnixListener::from_std(listener)?, None))
    }

    /// A connection, or a socket that does not listen, would fail again and again.
    fn check(socket: impl AsFd) -> io::Result<()> {
        match socket_acceptconn(socket)? {
            true => Ok(()),
            false => Err(io::Error::other("it does not listen")),
        }
    }

    impl fmt::Debug for Inherited {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Inherited")
                .field("names", &self.names)
                .finish_non_exhaustive()
        }
    }
}

#[cfg(not(unix))]
mod elsewhere {
    use crate::server::listen::Listener;
    use crate::server::listen::error::Problem;

    /// None: there is no such custom.
    #[derive(Debug)]
    pub(crate) struct Inherited;

    impl Inherited {
        pub(crate) fn take() -> Self {
            Inherited
        }

        pub(in crate::server::listen) fn is_empty(&self) -> bool {
            true
        }

        pub(in crate::server::listen) fn listeners(self) -> Vec<Result<Listener, Problem>> {
            Vec::new()
        }
    }
}
