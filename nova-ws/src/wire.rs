//! One socket: frames in, frames out, and the bounds on both.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Sink, Stream};
use nova_core::Upgraded;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use crate::close::Close;

/// The longest message or frame of a client's.
const INCOMING_BYTES: usize = 64 * 1024;
/// What may wait for a client that does not read. A longer frame is taken when nothing waits.
const OUTGOING_BYTES: u64 = 1024 * 1024;
/// tungstenite fills all of this with zeroes on every read, and keeps it for the life of the
/// connection; its default of 128 KiB is most of the cost of an idle socket.
const READ_BUFFER: usize = 1024;
/// Frames are gathered up to this size before they are written.
const WRITE_BUFFER: usize = 4 * 1024;
/// How long a closing handshake may take.
const CLOSING: Duration = Duration::from_secs(3);
/// How much of what the client still sends is read and thrown away while it is closed.
const DISCARDED: usize = 1024 * 1024;

pub(crate) struct Wire {
    stream: WebSocketStream<Counted>,
    /// Whether something may wait to be written.
    unflushed: bool,
    /// How many bytes of frames were taken in all, and so will have been written in the end.
    taken: u64,
}

/// Why a frame was not taken.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The client does not read.
    Full,
    /// The connection is gone.
    Gone,
}

impl Wire {
    pub(crate) async fn new(upgraded: Upgraded) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_message_size(Some(INCOMING_BYTES))
            .max_frame_size(Some(INCOMING_BYTES));
        let counted = Counted {
            io: upgraded,
            written: 0,
        };
        Wire {
            stream: WebSocketStream::from_raw_socket(counted, Role::Server, Some(config)).await,
            unflushed: false,
            taken: 0,
        }
    }

    /// Takes a frame; it leaves with the next flush.
    ///
    /// tungstenite has a bound of its own, but it counts the frame itself, so that a long one
    /// would never leave, and it refuses the close frame when it is reached.
    pub(crate) fn send(&mut self, message: Message) -> Result<(), SendError> {
        let bytes = message.len() as u64;
        let waiting = self.taken.saturating_sub(self.written());
        if self.is_behind() && waiting + bytes > OUTGOING_BYTES && !message.is_close() {
            return Err(SendError::Full);
        }
        self.taken += bytes;
        self.unflushed = true;
        Pin::new(&mut self.stream)
            .start_send(message)
            .map_err(|_| SendError::Gone)
    }

    /// Whether frames wait that the connection has not taken yet.
    pub(crate) fn is_behind(&self) -> bool {
        self.taken > self.written()
    }

    /// How many bytes the connection has taken.
    pub(crate) fn written(&self) -> u64 {
        self.stream.get_ref().written
    }

    pub(crate) fn ping(&mut self) -> Result<(), SendError> {
        self.send(Message::Ping(Bytes::new()))
    }

    /// The next message, while what waits is written. `None` at the end.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Option<Result<Message, Error>> {
        poll_fn(|context| {
            if let Poll::Ready(Err(error)) = self.poll_flush(context) {
                return Poll::Ready(Some(Err(error)));
            }
            let polled = Pin::new(&mut self.stream).poll_next(context);
            // A ping that was read has put its pong among what waits.
            if let Poll::Ready(Some(Ok(_))) = &polled {
                self.unflushed = true;
            }
            polled
        })
        .await
    }

    /// Runs `work` while what waits is written: a handler that takes its time holds nothing back.
    pub(crate) async fn flush_while<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            // An error shows again when the socket is read next.
            let _ = self.poll_flush(context);
            work.as_mut().poll(context)
        })
        .await
    }

    /// Sends a close frame and sees the connection off, within a time limit.
    pub(crate) async fn close(mut self, close: Close) {
        let _ = self.send(Message::Close(Some(close.into_frame())));
        let _ = timeout(CLOSING, self.see_off()).await;
    }

    /// Reads to the end of a connection that the client closes.
    pub(crate) async fn closed_by_client(mut self) {
        let _ = timeout(CLOSING, self.see_off()).await;
    }

    async fn see_off(&mut self) {
        // Until the client's close frame, or what breaks the reading off.
        while let Some(Ok(_)) = self.next().await {}
        if poll_fn(|context| self.poll_flush(context)).await.is_err() {
            return;
        }
        // A connection that is dropped with unread bytes is reset, and the client may never see
        // the close frame: tell it that nothing follows, and read on for a while.
        let io = self.stream.get_mut();
        if io.shutdown().await.is_err() {
            return;
        }
        let mut discarded = 0;
        let mut buffer = [0; 1024];
        while let Ok(read @ 1..) = io.read(&mut buffer).await {
            discarded += read;
            if discarded > DISCARDED {
                return;
            }
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            self.unflushed = false;
            self.taken = self.written(); // without what tungstenite added: heads, pongs
        }
        flushed
    }
}

/// A connection that counts what is written to it.
struct Counted {
    io: Upgraded,
    written: u64,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        if let Poll::Ready(Ok(bytes)) = written {
            self.written += bytes as u64;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
