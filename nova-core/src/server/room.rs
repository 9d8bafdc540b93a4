//! How many connections there may be at a time.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{info, warn};

/// Room for connections. Who finds none waits: then nobody is taken from the system's queue.
#[derive(Debug, Clone)]
pub(super) struct Room(Arc<Semaphore>);

/// The place of one connection.
#[derive(Debug)]
pub(super) struct Place(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit);

impl Room {
    /// For so many, or for three quarters of what the process may open: the app has files, too.
    pub(super) fn new(connections: usize) -> Self {
        let most = most_files().map_or(connections, |files| connections.min(files / 4 * 3).max(1));
        if most < connections {
            info!(
                "there is room for {most} connections, not for {connections}: the process may open few files; \
                 raise that limit (`ulimit -n`), or lower `server.connections`"
            );
        }
        Room(Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))))
    }

    /// A place, as soon as there is one.
    ///
    /// # Cancel safety
    /// Who no longer waits has lost the turn, and nothing else.
    pub(super) async fn place(&self) -> Place {
        if self.0.available_permits() == 0 {
            warn!("all connections of `server.connections` are taken: further ones wait");
        }
        let permit = Arc::clone(&self.0).acquire_owned().await;
        Place(permit.expect("the semaphore is never closed"))
    }
}

#[cfg(unix)]
fn most_files() -> Option<usize> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.and_then(|files| usize::try_from(files).ok())
}

#[cfg(not(unix))]
fn most_files() -> Option<usize> {
    None
}

/// A stream that has its place as long as it is there, whichever protocol it speaks.
#[derive(Debug)]
pub(crate) struct Placed<I> {
    io: I,
    _place: Place,
}

impl<I> Placed<I> {
    pub(super) fn new(io: I, place: Place) -> Self {
        Placed { io, _place: place }
    }

    pub(crate) fn get_ref(&self) -> &I {
        &self.io
    }

    pub(crate) fn get_mut(&mut self) -> &mut I {
        &mut self.io
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Placed<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Placed<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
