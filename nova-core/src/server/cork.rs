//! A stream that gathers small writes while its connection is polled, so that the answers to
//! pipelined requests leave together.
//!
//! hyper flushes after each answer. Here that does nothing: what is written waits in a buffer until
//! the poll of the connection is over, and then all of it leaves in one write. So no answer waits for
//! anything that happens after the poll in which it was made, such as the rest of the next request;
//! that is what hyper's own `pipeline_flush` does wrong. `docs/design/server.md` has the story.
//!
//! [`cork`] gives two ends of a stream: [`Corked`] is hyper's, and [`Cork`] stays with the task that
//! polls hyper. When hyper has ended, [`Cork::poll_remove`] makes the stream a plain one, for the
//! protocol that it may have switched to.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::yield_now;
use tokio_util::io::poll_read_buf;

use super::framing::{Framing, Limits, Refusal};

/// How many bytes are gathered at most; then they are written, and hyper waits where they cannot be.
const GATHERED: usize = 64 * 1024;
/// A longer write is not worth a copy: it goes straight on, behind what is gathered.
const SMALL: usize = 16 * 1024;
/// How many bytes are read at once while nobody asks for any, and how many more than a head has at most.
const AHEAD: usize = 1024;
/// How many bytes of a refused client are read at once and thrown away, at most.
const DISCARDED: usize = 1024 * 1024;
/// The room that an idle connection keeps.
const KEPT: usize = 4 * 1024;

/// The stream, and what holds it back. It begins corked.
pub(super) fn cork<I>(io: I, limits: Limits) -> (Corked<I>, Cork<I>) {
    let shared = Arc::new(Shared {
        stream: Mutex::new(Stream {
            io,
            mode: Mode::Corked,
            gathered: Vec::new(),
            written: 0,
            unflushed: false,
            waiting: None,
            ahead: BytesMut::new(),
            most_ahead: limits.bytes.saturating_add(AHEAD),
            cleared: 0,
            framing: Framing::new(limits),
            received: 0,
            sent: 0,
            is_full: false,
            is_flushing: false,
            is_behind: false,
            is_held_back: false,
            has_hung_up: false,
        }),
        is_corked: AtomicBool::new(true),
    });
    (Corked(Arc::clone(&shared)), Cork(shared))
}

/// The end that is written to.
pub(crate) struct Corked<I>(Arc<Shared<I>>);

/// The end that lets go of what is gathered.
pub(super) struct Cork<I>(Arc<Shared<I>>);

struct Shared<I> {
    /// A std mutex: no guard lives across an `.await`, and until a switch of protocols one task alone
    /// has both ends.
    stream: Mutex<Stream<I>>,
    /// Whether the mode is `Corked`, for a look without the lock.
    is_corked: AtomicBool,
}

struct Stream<I> {
    io: I,
    mode: Mode,
    gathered: Vec<u8>,
    /// How many of these have left already.
    written: usize,
    /// Whether something was written since the last flush.
    unflushed: bool,
    /// Who found no room while the stream was corked. After a switch of protocols that is another
    /// task than the connection's, and the stream knows one task at a time that waits to write.
    waiting: Option<Waker>,
    /// What has been read, but not given to hyper: nobody has asked for it, or the framing has not let it
    /// through. It holds a head at most, and a little more.
    ahead: BytesMut,
    /// How many bytes are read ahead while nobody asks for any, at most.
    most_ahead: usize,
    /// How many bytes of `ahead` may go on.
    cleared: usize,
    framing: Framing,
    /// How many bytes were read.
    received: u64,
    /// How many bytes have left.
    sent: u64,
    /// Whether the client has to read before more can leave.
    is_full: bool,
    /// Whether it has to before what a buffer of the stream's own holds can leave, as that of TLS.
    is_flushing: bool,
    /// Whether hyper has more to write than there was room for.
    is_behind: bool,
    /// Whether hyper has asked for more than the framing lets through.
    is_held_back: bool,
    /// Whether the client has closed its side.
    has_hung_up: bool,
}

/// How a connection stands after a poll of hyper.
#[derive(Debug)]
pub(super) struct Standing {
    /// How many bytes have arrived.
    pub(super) received: u64,
    /// How many bytes the client has taken.
    pub(super) sent: u64,
    /// Whether all that was written has left.
    pub(super) is_released: bool,
    /// Whether the client has to take something before more can leave.
    pub(super) is_full: bool,
    /// Whether the client has closed its side, as far as somebody has looked.
    pub(super) has_hung_up: bool,
    /// Whether it has sent so much behind its request that nobody looks any more.
    pub(super) is_out_of_sight: bool,
    /// What keeps hyper from reading the next request, if anything does and hyper has written all.
    pub(super) held_back: Option<HeldBack>,
}

/// What keeps hyper from reading on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeldBack {
    /// The request may switch protocols.
    Switch,
    /// The next request is no request, and gets this status.
    Refused(u16),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Writes are gathered, and a flush does nothing.
    Corked,
    /// The connection's task writes what is left; whoever has the stream now waits for that.
    Leaving,
    /// As if there were no cork.
    Direct,
}

impl<I> Cork<I> {
    /// Gives back what was read before there was a cork.
    pub(super) fn put_back(&self, bytes: &[u8]) {
        let mut stream = self.0.lock();
        stream.ahead.extend_from_slice(bytes);
        stream.received += bytes.len() as u64;
    }

    /// Adds some last bytes to what is gathered.
    pub(super) fn write(&self, bytes: &[u8]) {
        let mut stream = self.0.lock();
        stream.gathered.extend_from_slice(bytes);
        stream.unflushed = true;
    }

    /// The protocol was not switched: hyper may read the next request. To be followed by a poll of hyper.
    pub(super) fn stay(&self) {
        let mut stream = self.0.lock();
        stream.is_held_back = false;
        stream.framing.stay();
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Cork<I> {
    /// Writes what is gathered, and says how the connection stands. To be called after each poll of hyper.
    /// While it waits for an answer, this also looks whether the client is still there; `busy` is how many
    /// requests have begun then.
    ///
    /// # Errors
    /// The stream's own.
    pub(super) fn poll_standing(
        &self,
        context: &mut Context<'_>,
        busy: Option<u32>,
    ) -> io::Result<Standing> {
        let mut stream = self.0.lock();
        let mut is_out_of_sight = false;
        if let Some(begun) = busy {
            stream.look_ahead(context)?;
            is_out_of_sight = stream.is_out_of_sight(begun);
        }
        let is_released = match stream.poll_release(context) {
            Poll::Ready(released) => released.map(|()| true)?,
            Poll::Pending => false,
        };
        Ok(Standing {
            received: stream.received,
            sent: stream.sent,
            is_released,
            is_full: stream.is_full || stream.is_flushing,
            has_hung_up: stream.has_hung_up,
            is_out_of_sight,
            held_back: match stream.is_held_back && !stream.is_behind {
                true => stream.held_back(),
                false => None,
            },
        })
    }
}

impl<I: AsyncRead + Unpin> Cork<I> {
    /// Reads until the client has closed its side, or far too much.
    pub(super) fn poll_discard(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut stream = self.0.lock();
        let mut room = [0; AHEAD];
        let mut left = DISCARDED;
        while left > 0 {
            let mut buffer = ReadBuf::new(&mut room);
            match ready!(Pin::new(&mut stream.io).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => left = left.saturating_sub(AHEAD),
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(())
    }
}

impl<I: AsyncWrite + Unpin> Cork<I> {
    /// Writes what is gathered, and that it was the last.
    pub(super) fn poll_close(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut stream = self.0.lock();
        ready!(stream.poll_release(context))?;
        Pin::new(&mut stream.io).poll_shutdown(context)
    }

    /// Writes what is gathered, and from then on nothing is. To be called when the connection has
    /// ended, until it is ready.
    pub(super) fn poll_remove(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut stream = self.0.lock();
        stream.mode = Mode::Leaving;
        self.0.is_corked.store(false, Ordering::Release);
        let written = ready!(stream.poll_release(context));
        stream.mode = Mode::Direct;
        stream.gathered = Vec::new();
        if let Some(waiting) = stream.waiting.take() {
            waiting.wake();
        }
        Poll::Ready(written)
    }
}

impl<I> Corked<I> {
    /// The stream itself, and what has been read of it ahead, when the cork is removed and all that it had
    /// gathered is written.
    pub(crate) async fn into_inner(self) -> (I, BytesMut) {
        poll_fn(|context| {
            let mut stream = self.0.lock();
            match stream.mode {
                Mode::Direct => Poll::Ready(()),
                Mode::Leaving | Mode::Corked => stream.noted(context, Poll::Pending),
            }
        })
        .await;
        let mut shared = self.0;
        loop {
            match Arc::try_unwrap(shared) {
                Ok(shared) => {
                    let stream = shared.stream.into_inner();
                    let stream = stream.unwrap_or_else(PoisonError::into_inner);
                    return (stream.io, stream.ahead);
                }
                // Another thread has removed the cork, and lets go of it before it does anything else.
                Err(still_shared) => shared = still_shared,
            }
            yield_now().await;
        }
    }
}

impl<I> Stream<I> {
    /// Remembers who waits, where that may be another task than the connection's.
    fn noted<T>(&mut self, context: &Context<'_>, polled: Poll<T>) -> Poll<T> {
        if polled.is_pending() {
            self.waiting = Some(context.waker().clone());
        }
        polled
    }
}

impl<I: AsyncWrite + Unpin> Stream<I> {
    /// Writes what is gathered, and flushes.
    fn poll_release(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        while self.written < self.gathered.len() {
            let left = &self.gathered[self.written..];
            let polled = Pin::new(&mut self.io).poll_write(context, left);
            self.is_full = polled.is_pending();
            match ready!(polled)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => {
                    self.written += count;
                    self.sent += count as u64;
                }
            }
        }
        self.gathered.clear();
        self.gathered.shrink_to(KEPT);
        self.written = 0;
        let flushed = Pin::new(&mut self.io).poll_flush(context);
        self.is_flushing = flushed.is_pending();
        ready!(flushed)?;
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }

    /// Takes `bytes` whole, if they are few, or writes some of them behind what is gathered.
    fn poll_gather(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let is_small = bytes.len() <= SMALL;
        if !is_small || self.gathered.len() + bytes.len() > GATHERED {
            ready!(self.poll_release(context))?;
        }
        self.unflushed = true;
        if is_small {
            self.gathered.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        let polled = Pin::new(&mut self.io).poll_write(context, bytes);
        self.is_full = polled.is_pending();
        if let Poll::Ready(Ok(count)) = polled {
            self.sent += count as u64;
        }
        polled
    }
}

impl<I> Stream<I> {
    fn held_back(&self) -> Option<HeldBack> {
        match self.framing.refusal() {
            None => Some(HeldBack::Switch),
            Some(Refusal::Head(status)) => Some(HeldBack::Refused(status)),
            Some(Refusal::Body) => None,
        }
    }
}

impl<I: AsyncRead + Unpin> Stream<I> {
    /// Whether the client has closed its side, which only reading tells: what comes instead is for who reads
    /// next. Behind so much that it is enough, nobody looks any further.
    fn look_ahead(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let before = self.ahead.len();
        while !self.has_hung_up && self.ahead.len() < self.most_ahead {
            let mut room = [0; AHEAD];
            let mut buffer = ReadBuf::new(&mut room);
            let Poll::Ready(read) = Pin::new(&mut self.io).poll_read(context, &mut buffer) else {
                break;
            };
            read?;
            let fresh = buffer.filled();
            self.has_hung_up = fresh.is_empty();
            self.ahead.extend_from_slice(fresh);
            self.received += fresh.len() as u64;
        }
        if self.ahead.len() > before {
            context.waker().wake_by_ref(); // hyper may be waiting for the rest of a body
        }
        Ok(())
    }

    /// Whether there is so much behind the last of `begun` requests that nobody looks whether the client is
    /// still there. A body that the app does not read is none of this: the app makes it wait.
    fn is_out_of_sight(&mut self, begun: u32) -> bool {
        if self.has_hung_up || self.ahead.len() < self.most_ahead {
            return false;
        }
        if self.cleared == 0 {
            self.cleared = self.framing.clear(&self.ahead);
        }
        self.framing.is_behind(begun)
    }

    /// Gives hyper what the framing lets through, and all to whom has the stream after hyper.
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.mode != Mode::Corked {
            let count = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(count));
            return match count == 0 && !self.has_hung_up {
                true => Pin::new(&mut self.io).poll_read(context, buffer),
                false => Poll::Ready(Ok(())),
            };
        }
        if self.ahead.is_empty() && !self.has_hung_up {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut self.io).poll_read(context, buffer))?;
            let fresh = &buffer.filled()[before..];
            self.received += fresh.len() as u64;
            if fresh.is_empty() {
                self.has_hung_up = true;
                return Poll::Ready(Ok(()));
            }
            let cleared = self.framing.clear(fresh);
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
                self.cleared = self.framing.clear(&self.ahead);
            }
            if self.cleared > 0 {
                let count = self.cleared.min(buffer.remaining());
                buffer.put_slice(&self.ahead[..count]);
                self.ahead.advance(count);
                self.cleared -= count;
                if self.ahead.is_empty() {
                    self.ahead = BytesMut::new(); // it is rare that there is anything
                }
                return Poll::Ready(Ok(()));
            }
            match self.framing.refusal() {
                Some(Refusal::Body) => {
                    let broken =
                        io::Error::new(io::ErrorKind::InvalidData, "the chunks are broken");
                    return Poll::Ready(Err(broken));
                }
                Some(Refusal::Head(_)) => {
                    self.is_held_back = true;
                    return Poll::Pending; // the connection's task looks after each poll
                }
                None => {}
            }
            if self.framing.is_held() && !self.ahead.is_empty() {
                self.is_held_back = true;
                return Poll::Pending;
            }
            if self.has_hung_up {
                return Poll::Ready(Ok(()));
            }
            self.ahead.reserve(AHEAD);
            match ready!(poll_read_buf(
                Pin::new(&mut self.io),
                context,
                &mut self.ahead
            ))? {
                0 => self.has_hung_up = true,
                count => self.received += count as u64,
            }
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Corked<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.lock().poll_read(context, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Corked<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut stream = self.0.lock();
        match stream.mode {
            Mode::Direct => Pin::new(&mut stream.io).poll_write(context, bytes),
            Mode::Leaving => stream.noted(context, Poll::Pending),
            Mode::Corked => {
                let polled = stream.poll_gather(context, bytes);
                stream.is_behind = polled.is_pending();
                stream.noted(context, polled)
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut stream = self.0.lock();
        if stream.mode == Mode::Direct {
            return Pin::new(&mut stream.io).poll_write_vectored(context, slices);
        }
        drop(stream);
        let first = slices.iter().find(|slice| !slice.is_empty());
        self.as_mut()
            .poll_write(context, first.map_or(&[], |slice| &**slice))
    }

    /// For who has the stream after hyper, which is told to make one slice of a head and a body.
    fn is_write_vectored(&self) -> bool {
        self.0.lock().io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.is_corked.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        let mut stream = self.0.lock();
        match stream.mode {
            Mode::Direct => Pin::new(&mut stream.io).poll_flush(context),
            Mode::Leaving | Mode::Corked => stream.noted(context, Poll::Pending),
        }
    }

    /// Nothing is left behind.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut stream = self.0.lock();
        match stream.mode {
            Mode::Direct => Pin::new(&mut stream.io).poll_shutdown(context),
            Mode::Leaving => stream.noted(context, Poll::Pending),
            Mode::Corked => {
                let mut polled = stream.poll_release(context);
                if let Poll::Ready(Ok(())) = polled {
                    polled = Pin::new(&mut stream.io).poll_shutdown(context);
                }
                stream.noted(context, polled)
            }
        }
    }
}

impl<I> Shared<I> {
    /// A panic in `I` leaves nothing half-done that matters.
    fn lock(&self) -> MutexGuard<'_, Stream<I>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I> fmt::Debug for Corked<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Corked")
    }
}

#[cfg(test)]
mod tests;
