//! The other end of a connection.

use std::net::SocketAddr;

/// How a client has come to the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Over TCP, in clear text.
    Tcp(SocketAddr),
    /// Over TCP, with TLS.
    Tls(SocketAddr),
    /// By a Unix socket, which tells no address.
    Unix,
    /// In memory, in a test; or through another server that does not say from where.
    Unknown,
}

impl Peer {
    /// Its address, where it has one.
    pub(crate) fn address(self) -> Option<SocketAddr> {
        match self {
            Peer::Tcp(address) | Peer::Tls(address) => Some(address),
            Peer::Unix | Peer::Unknown => None,
        }
    }

    /// Whether it speaks HTTPS with the app itself.
    pub(crate) fn is_secure(self) -> bool {
        matches!(self, Peer::Tls(_))
    }
}

impl From<Option<SocketAddr>> for Peer {
    fn from(address: Option<SocketAddr>) -> Self {
        address.map_or(Peer::Unknown, Peer::Tcp)
    }
}
