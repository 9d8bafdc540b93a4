//! One socket, as its task sees it: messages in, messages out, and the bounds on both.

use std::future::poll_fn;
use std::io;
use std::mem::{self, MaybeUninit};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use nova_core::{Stopping, Upgraded};
use tokio::io::ReadBuf;
use tokio::time::{Instant, sleep};

use crate::close::Close;
use crate::codec::{Decoder, Limits, Message, TungsteniteDecoder, Violation};
use crate::grace::grace;
use crate::handler::Encoded;
use crate::outlet::{Arrived, Io, Outlet};
use crate::shard::Strain;

/// How much is read at once, into the stack: a connection that waits holds no buffer.
const READ_BYTES: usize = 4 * 1024;
/// How long a closing handshake may take.
const CLOSING: Duration = Duration::from_secs(3);
/// How much of what the client still sends is read and thrown away while it is closed.
const DISCARDED: usize = 1024 * 1024;

pub(crate) struct Wire {
    outlet: Arc<Outlet>,
    decoder: TungsteniteDecoder,
    /// What was read behind the last message, less than [`READ_BYTES`], or before the 101.
    unread: Bytes,
    /// The task was not woken since there was nothing to do.
    waits: bool,
    /// The client has closed, or said what cannot be understood.
    heard_all: bool,
}

/// Why a message was not taken.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The client does not read.
    Full,
    /// The connection is gone.
    Gone,
}

/// Why there is no next message.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The client broke the protocol or a limit.
    Violation(Violation),
    /// The connection is gone.
    Gone,
}

impl Wire {
    pub(crate) async fn new(upgraded: Upgraded, outlet: Arc<Outlet>, limits: Limits) -> Self {
        let (io, unread) = match upgraded.into_tcp().await {
            Ok(mut tcp) => {
                let read = tcp.take_read();
                (Io::Tcp(tcp), read)
            }
            Err(other) => (Io::Other(other), Bytes::new()),
        };
        outlet.lock().open(io);
        Wire {
            outlet,
            decoder: TungsteniteDecoder::new(limits),
            unread,
            waits: false,
            heard_all: false,
        }
    }

    /// Takes a message; it leaves with the next flush. A close frame is always taken, and what
    /// comes behind it never.
    pub(crate) fn send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        self.outlet.lock().send(&message.into())
    }

    /// The same for a frame that all connections send.
    pub(crate) fn send_encoded(&mut self, encoded: &Encoded) -> Result<(), SendError> {
        self.outlet.lock().send_encoded(encoded)
    }

    pub(crate) fn ping(&mut self) -> Result<(), SendError> {
        self.send(Message::Ping(Bytes::new()))
    }

    /// Whether messages wait that the connection has not taken yet.
    pub(crate) fn is_behind(&self) -> bool {
        self.outlet.lock().has_waiting()
    }

    /// How many bytes the connection has taken.
    pub(crate) fn written(&self) -> u64 {
        self.outlet.lock().written()
    }

    /// How many messages a client that is too slow does not get.
    pub(crate) fn lost(&self) -> usize {
        self.outlet.lock().lost()
    }

    /// When a shard has last sent something.
    pub(crate) fn sent_at(&self) -> Instant {
        self.outlet.lock().sent_at()
    }

    /// What comes from inside the app, if something has. See [`Outlet`]: after `None`, what a shard brings
    /// leaves at once.
    pub(crate) fn take(&mut self) -> Option<Arrived> {
        self.outlet.lock().take()
    }

    /// [`next`](Self::next), or `None` when there is something to [take](Self::take). Nothing is read
    /// from a client that `is_held_back`; `None` is also that it should be, because of `strain`.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn next_or_arrived(
        &mut self,
        strain: &Strain,
        is_held_back: bool,
    ) -> Result<Option<Message>, ReadError> {
        poll_fn(|context| {
            if strain.is_felt() && !is_held_back {
                return Poll::Ready(Ok(None));
            }
            // Who is woken for a message does not look at the socket before and after.
            if mem::take(&mut self.waits) && self.outlet.lock().has_arrived() {
                return Poll::Ready(Ok(None));
            }
            if let Poll::Ready(next) = self.poll_next(context, !is_held_back) {
                return Poll::Ready(next.map(Some));
            }
            if self.outlet.lock().has_arrived() {
                return Poll::Ready(Ok(None));
            }
            self.waits = true;
            Poll::Pending
        })
        .await
    }

    /// The next message, while what waits is written. A ping has been answered by then, and a
    /// close too.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Message, ReadError> {
        poll_fn(|context| self.poll_next(context, true)).await
    }

    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
        may_read: bool,
    ) -> Poll<Result<Message, ReadError>> {
        if let Poll::Ready(Err(_)) = self.poll_flush(context) {
            return Poll::Ready(Err(ReadError::Gone));
        }
        if !may_read {
            return Poll::Pending;
        }
        let message = ready!(self.poll_read(context))?;
        match &message {
            Message::Ping(payload) => self.outlet.lock().pong(payload.clone()),
            Message::Close(close) => self.echo(close.as_ref()),
            Message::Data(_) | Message::Pong(_) => {}
        }
        Poll::Ready(Ok(message))
    }

    /// Runs `work` while what waits is written: a handler that takes its time holds nothing back.
    pub(crate) async fn flush_while<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            // First the work: what several callbacks send that do not wait leaves in one write.
            let done = work.as_mut().poll(context);
            if done.is_pending() {
                // An error shows again when the socket is read next.
                let _ = self.poll_flush(context);
            }
            done
        })
        .await
    }

    /// Gives back what memory it can: for a connection that will be silent for long.
    pub(crate) fn shrink(&mut self) {
        self.decoder.shrink();
        self.unread = Bytes::copy_from_slice(&self.unread);
        self.outlet.lock().shrink();
    }

    /// Sends a close frame and sees the connection off, within a time limit.
    pub(crate) async fn close(mut self, close: Close, stopping: &Stopping) {
        let _ = self.send(Message::Close(Some(close)));
        self.see_off(stopping).await;
    }

    /// Reads to the end of a connection that is closed, within a time limit.
    pub(crate) async fn see_off(mut self, stopping: &Stopping) {
        tokio::select! {
            () = self.until_closed() => {}
            () = sleep(CLOSING) => {}
            () = grace(stopping, CLOSING) => {}
        }
    }

    async fn until_closed(&mut self) {
        // The client answers with a close frame of its own, unless that is what has come.
        while !self.heard_all && self.next().await.is_ok() {}
        if poll_fn(|context| self.poll_flush(context)).await.is_err() {
            return;
        }
        // A connection that is dropped with unread bytes is reset, and the client may never see
        // the close frame: tell it that nothing follows, and read on for a while.
        let shut = poll_fn(|context| self.outlet.lock().poll_shutdown(context));
        if shut.await.is_err() {
            return;
        }
        let mut discarded = 0;
        let mut buffer = [0; 1024];
        loop {
            let read = poll_fn(|context| {
                let mut buffer = ReadBuf::new(&mut buffer);
                ready!(self.outlet.lock().poll_read(context, &mut buffer))?;
                Poll::Ready(io::Result::Ok(buffer.filled().len()))
            });
            match read.await {
                Ok(0) | Err(_) => return,
                Ok(read) => discarded += read,
            }
            if discarded > DISCARDED {
                return;
            }
        }
    }

    /// Writes what waits, and has the task woken when there is more.
    fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut outlet = self.outlet.lock();
        outlet.wake_later(context);
        outlet.poll_flush(context)
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<Message, ReadError>> {
        if !self.unread.is_empty() {
            let unread = mem::take(&mut self.unread);
            let (message, used) = self.decode(&unread)?;
            if let Some(message) = message {
                self.unread = unread.slice(used..);
                return Poll::Ready(Ok(message));
            }
        }
        loop {
            if self.heard_all {
                return Poll::Ready(Err(ReadError::Gone));
            }
            let mut chunk = [MaybeUninit::uninit(); READ_BYTES];
            let mut chunk = ReadBuf::uninit(&mut chunk);
            let read = ready!(self.outlet.lock().poll_read(context, &mut chunk));
            self.heard_all = read.is_err() || chunk.filled().is_empty();
            let (message, used) = self.decode(chunk.filled())?;
            if let Some(message) = message {
                self.unread = Bytes::copy_from_slice(&chunk.filled()[used..]);
                return Poll::Ready(Ok(message));
            }
        }
    }

    /// The first message that ends in `bytes`, and how many of them were used.
    fn decode(&mut self, bytes: &[u8]) -> Result<(Option<Message>, usize), ReadError> {
        let mut rest = bytes;
        let decoded = self.decoder.decode(&mut rest);
        if let Err(_) | Ok(Some(Message::Close(_))) = decoded {
            self.heard_all = true;
        }
        match decoded {
            Ok(message) => Ok((message, bytes.len() - rest.len())),
            Err(violation) => Err(ReadError::Violation(violation)),
        }
    }

    /// Answers a close of the client's with its code (RFC 6455 §5.5.1), if it is not an answer.
    fn echo(&mut self, close: Option<&Close>) {
        let echo = close.map(|close| Close::new(close.code, ""));
        let _ = self.send(Message::Close(echo));
    }
}

/// The connection ends here, though a shard may still know of it for a moment.
impl Drop for Wire {
    fn drop(&mut self) {
        let ended = self.outlet.lock().end();
        drop(ended); // payloads of the app's, without the lock
    }
}
