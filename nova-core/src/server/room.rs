//! How many connections there may be at a time.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
#[cfg(unix)]
use tracing::debug;
use tracing::{info, warn};

/// Room for connections. Who finds none waits: then nobody is taken from the system's queue.
#[derive(Debug)]
pub(super) struct Room {
    places: Arc<Semaphore>,
    most: usize,
    /// Whether it was told that there is none.
    is_told: bool,
}

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
        Room::with(most.min(Semaphore::MAX_PERMITS))
    }

    fn with(most: usize) -> Self {
        Room {
            places: Arc::new(Semaphore::new(most)),
            most,
            is_told: false,
        }
    }

    /// A place, as soon as there is one.
    ///
    /// # Cancel safety
    /// Who no longer waits has lost the turn, and nothing else.
    pub(super) async fn place(&mut self) -> Place {
        if self.has_become_full() {
            warn!("all connections of `server.connections` are taken: further ones wait");
        }
        let permit = Arc::clone(&self.places).acquire_owned().await;
        Place(permit.expect("the semaphore is never closed"))
    }

    /// Whether it is full, and was not since a quarter was free: at the limit, each place that ends is taken
    /// at once.
    fn has_become_full(&mut self) -> bool {
        match self.places.available_permits() {
            0 => !std::mem::replace(&mut self.is_told, true),
            free => {
                self.is_told &= free < self.most.div_ceil(4);
                false
            }
        }
    }
}

/// Lets the process open as many files as it may at most. The usual 1,024 are for programs that use `select`.
#[cfg(unix)]
pub(crate) fn raise_most_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        debug!("the limit of open files stays as it is: {error}");
    }
}

#[cfg(not(unix))]
pub(crate) fn raise_most_files() {}

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

#[cfg(test)]
mod tests {
    use super::Room;

    #[tokio::test]
    async fn that_there_is_no_room_is_told_once_until_a_quarter_is_free() {
        let mut room = Room::with(8);
        let mut places = Vec::new();
        for _ in 0..8 {
            assert!(!room.has_become_full());
            places.push(room.place().await);
        }
        assert!(room.has_become_full());
        for _ in 0..3 {
            places.pop();
            assert!(!room.has_become_full());
            places.push(room.place().await);
            assert!(!room.has_become_full());
        }
        places.truncate(6);
        assert!(!room.has_become_full());
        for _ in 0..2 {
            places.push(room.place().await);
        }
        assert!(room.has_become_full());
    }
}
