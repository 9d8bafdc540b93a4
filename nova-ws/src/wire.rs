//! One socket: frames in, frames out, and the bounds on both.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Sink, Stream};
use nova_core::Upgraded;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use crate::close::Close;

/// The longest message or frame of a client's.
const INCOMING_BYTES: usize = 64 * 1024;
/// What may wait for a client that does not read.
const OUTGOING_BYTES: usize = 1024 * 1024;
/// tungstenite fills all of this with zeroes on every read, and keeps it for the life of the
/// connection; its default of 128 KiB is most of the cost of an idle socket.
const READ_BUFFER: usize = 1024;
/// Frames are gathered up to this size before they are written.
const WRITE_BUFFER: usize = 4 * 1024;
/// How long a closing handshake may take.
const CLOSING: Duration = Duration::from_secs(2);
/// How much of what the client still sends is read and thrown away while it is closed.
const DISCARDED: usize = 1024 * 1024;

pub(crate) struct Wire {
    stream: WebSocketStream<Upgraded>,
    /// Whether something may wait to be written.
    unflushed: bool,
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
            .max_write_buffer_size(OUTGOING_BYTES)
            .max_message_size(Some(INCOMING_BYTES))
            .max_frame_size(Some(INCOMING_BYTES));
        Wire {
            stream: WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config)).await,
            unflushed: false,
        }
    }

    /// Takes a frame; it leaves with the next flush.
    pub(crate) fn send(&mut self, message: Message) -> Result<(), SendError> {
        self.unflushed = true;
        match Pin::new(&mut self.stream).start_send(message) {
            Ok(()) => Ok(()),
            Err(Error::WriteBufferFull(_)) => Err(SendError::Full),
            Err(_) => Err(SendError::Gone),
        }
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
        }
        flushed
    }
}
