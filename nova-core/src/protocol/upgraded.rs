//! The connection after a switch of protocols.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::server::{Corked, Placed};
use crate::stopping::Stopping;

/// The raw connection after a switch of protocols.
#[derive(Debug)]
pub struct Upgraded {
    io: TokioIo<hyper::upgrade::Upgraded>,
    stopping: Stopping,
}

impl Upgraded {
    pub(crate) fn new(io: hyper::upgrade::Upgraded, stopping: Stopping) -> Self {
        Upgraded {
            io: TokioIo::new(io),
            stopping,
        }
    }

    /// Tells when the app stops. The connection should end then; it is cut when
    /// `server.shutdown_drain_timeout` is over.
    pub fn stopping(&self) -> Stopping {
        self.stopping.clone()
    }

    /// The TCP connection itself, with nothing of HTTP around it: for who writes to many connections and
    /// counts what each costs. It is ready when the 101 has left.
    ///
    /// # Errors
    /// It is no plain TCP connection, and is given back: one in memory, for example.
    ///
    /// # Cancel safety
    /// The connection is closed when the future is dropped.
    pub async fn into_tcp(self) -> Result<UpgradedTcp, Upgraded> {
        let Upgraded { io, stopping } = self;
        match io
            .into_inner()
            .downcast::<TokioIo<Corked<Placed<TcpStream>>>>()
        {
            Ok(parts) => {
                let (stream, ahead) = parts.io.into_inner().into_inner().await;
                Ok(UpgradedTcp {
                    stream,
                    // A copy, so that hyper's buffer is free.
                    read: [&parts.read_buf[..], &ahead].concat().into(),
                })
            }
            Err(io) => Err(Upgraded::new(io, stopping)),
        }
    }
}

/// A TCP connection after a switch of protocols: see [`Upgraded::into_tcp`].
#[derive(Debug)]
pub struct UpgradedTcp {
    stream: Placed<TcpStream>,
    read: Bytes,
}

impl UpgradedTcp {
    /// The connection.
    pub fn stream(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// The connection, to be read and written.
    pub fn stream_mut(&mut self) -> &mut TcpStream {
        self.stream.get_mut()
    }

    /// What has been read of it already, behind the request, and comes before anything else. The second
    /// call gives nothing.
    pub fn take_read(&mut self) -> Bytes {
        std::mem::take(&mut self.read)
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }
}
