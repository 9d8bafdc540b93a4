//! A stream whose frames are looked at on their way, to hyper and from it.
//!
//! [`watched`] gives two ends of it, as the cork of HTTP/1.1 does: [`Watched`] is hyper's, and [`Watch`] stays
//! with the task that polls hyper.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_util::io::poll_read_buf;

use super::allowance::Allowance;
use super::arriving::Arriving;
use super::frames::go_away;
use super::leaving::Leaving;

/// How many bytes are read at once behind what is held back, at most.
const AHEAD: usize = 4 * 1024;
/// How long a client that is refused is listened to. A connection that is closed with unread bytes is reset, and
/// then the client may lose what it was told.
const LINGER: Duration = Duration::from_secs(1);
/// How much of what it says is read at once and thrown away.
const DISCARDED: usize = 1024 * 1024;

/// The stream, of which `ahead` was read already.
pub(super) fn watched<I>(io: I, ahead: BytesMut, head_limit: usize) -> (Watched<I>, Watch<I>) {
    let shared = Arc::new(Mutex::new(Stream {
        io,
        ahead,
        cleared: 0,
        arriving: Arriving::new(head_limit),
        leaving: Leaving::default(),
        allowance: Allowance::new(),
        sent: 0,
        is_full: false,
        is_flushing: false,
        has_hung_up: false,
    }));
    (Watched(Arc::clone(&shared)), Watch(shared))
}

/// The end that hyper reads from and writes to.
pub(super) struct Watched<I>(Shared<I>);

/// The end that knows what goes on.
pub(super) struct Watch<I>(Shared<I>);

/// A std mutex: no guard lives across an `.await`, and one task has both ends.
type Shared<I> = Arc<Mutex<Stream<I>>>;

struct Stream<I> {
    io: I,
    /// What has been read, but not given to hyper.
    ahead: BytesMut,
    /// How many bytes of `ahead` may go on.
    cleared: usize,
    arriving: Arriving,
    leaving: Leaving,
    allowance: Allowance,
    /// How many bytes have left.
    sent: u64,
    /// Whether the client has to read before more can leave.
    is_full: bool,
    /// Whether it has to before what a buffer of the stream's own holds can leave, as that of TLS.
    is_flushing: bool,
    /// Whether the client has closed its side.
    has_hung_up: bool,
}

impl<I> Watch<I> {
    /// How many bytes the client has taken, if it has to take some before more can leave.
    pub(super) fn is_full(&self) -> Option<u64> {
        let stream = lock(&self.0);
        (stream.is_full || stream.is_flushing).then_some(stream.sent)
    }

    /// The number of a frame of which the client owes the rest.
    pub(super) fn unfinished(&self) -> Option<u64> {
        lock(&self.0).arriving.unfinished()
    }

    /// Why the connection goes no further.
    pub(super) fn refused(&self) -> Option<u32> {
        lock(&self.0).arriving.refused()
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Watch<I> {
    /// Says why the connection ends, unless a frame is half written. hyper is not to be polled any more.
    pub(super) async fn go_away(&self, code: u32) -> io::Result<()> {
        let frame = {
            let stream = lock(&self.0);
            if !stream.leaving.is_between_frames() {
                return Ok(());
            }
            go_away(stream.arriving.last_stream, code)
        };
        let mut left = &frame[..];
        let told = poll_fn(|context| {
            let mut stream = lock(&self.0);
            while !left.is_empty() {
                match ready!(Pin::new(&mut stream.io).poll_write(context, left))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    count => left = &left[count..],
                }
            }
            Pin::new(&mut stream.io).poll_flush(context)
        });
        timeout(LINGER, told).await.unwrap_or(Ok(()))
    }

    /// Says that there is no more, and reads on for a while.
    pub(super) async fn linger(&self) -> io::Result<()> {
        let told = async {
            poll_fn(|context| Pin::new(&mut lock(&self.0).io).poll_shutdown(context)).await?;
            poll_fn(|context| self.poll_discard(context)).await;
            Ok(())
        };
        timeout(LINGER, told).await.unwrap_or(Ok(()))
    }

    /// Reads until the client has closed its side, or far too much.
    fn poll_discard(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut stream = lock(&self.0);
        let mut left = DISCARDED;
        while left > 0 && !stream.has_hung_up {
            let mut room = [0; AHEAD];
            let mut buffer = ReadBuf::new(&mut room);
            match ready!(Pin::new(&mut stream.io).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => left = left.saturating_sub(AHEAD),
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(())
    }
}

impl<I: AsyncRead + Unpin> Stream<I> {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() && !self.has_hung_up {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut self.io).poll_read(context, buffer))?;
            let fresh = &buffer.filled()[before..];
            if fresh.is_empty() {
                self.has_hung_up = true;
                return Poll::Ready(Ok(()));
            }
            let cleared = self.arriving.clear(fresh, &mut self.allowance);
            if cleared < fresh.len() {
                self.ahead.extend_from_slice(&fresh[cleared..]);
                buffer.set_filled(before + cleared);
            }
            if cleared > 0 {
                return Poll::Ready(Ok(()));
            }
        }
        loop {
            if self.cleared == 0 {
                self.cleared = self.arriving.clear(&self.ahead, &mut self.allowance);
            }
            if self.cleared > 0 {
                let count = self.cleared.min(buffer.remaining());
                buffer.put_slice(&self.ahead[..count]);
                self.ahead.advance(count);
                self.cleared -= count;
                if self.ahead.is_empty() {
                    self.ahead = BytesMut::new();
                }
                return Poll::Ready(Ok(()));
            }
            if self.arriving.refused().is_some() {
                let refused = "what the client sends is refused";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, refused)));
            }
            if self.has_hung_up {
                return Poll::Ready(Ok(()));
            }
            self.ahead.reserve(AHEAD);
            let read = poll_read_buf(Pin::new(&mut self.io), context, &mut self.ahead);
            self.has_hung_up = ready!(read)? == 0;
        }
    }
}

impl<I: AsyncWrite + Unpin> Stream<I> {
    /// Notes what became of a write of `slices`.
    fn wrote(
        &mut self,
        slices: &[IoSlice<'_>],
        polled: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        self.is_full = polled.is_pending();
        if let Poll::Ready(Ok(count)) = polled {
            self.sent += count as u64;
            let mut left = count;
            let receiving = &mut self.arriving.receiving;
            for slice in slices {
                let written = slice.len().min(left);
                let written_of = &slice[..written];
                self.leaving
                    .pass(written_of, &mut self.allowance, receiving);
                left -= written;
            }
        }
        polled
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        lock(&self.0).poll_read(context, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut stream = lock(&self.0);
        let polled = Pin::new(&mut stream.io).poll_write(context, bytes);
        stream.wrote(&[IoSlice::new(bytes)], polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut stream = lock(&self.0);
        let polled = Pin::new(&mut stream.io).poll_write_vectored(context, slices);
        stream.wrote(slices, polled)
    }

    fn is_write_vectored(&self) -> bool {
        lock(&self.0).io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut stream = lock(&self.0);
        let polled = Pin::new(&mut stream.io).poll_flush(context);
        stream.is_flushing = polled.is_pending();
        polled
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut lock(&self.0).io).poll_shutdown(context)
    }
}

/// A panic in `I` leaves nothing half-done that matters.
fn lock<I>(shared: &Shared<I>) -> MutexGuard<'_, Stream<I>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<I> fmt::Debug for Watched<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}
