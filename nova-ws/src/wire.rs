//! One socket: messages in, messages out, and the bounds on both.

use std::future::poll_fn;
use std::io;
use std::mem::{self, MaybeUninit};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use nova_core::{Stopping, Upgraded};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::sleep;

use crate::close::Close;
use crate::codec::{
    Decoder, Encoder, Limits, Message, TungsteniteDecoder, TungsteniteEncoder, Violation,
};
use crate::grace::grace;

/// How much is read at once, into the stack: a connection that waits holds no buffer.
const READ_BYTES: usize = 4 * 1024;
/// Messages are gathered up to this size before they are written.
const WRITE_BYTES: usize = 16 * 1024;
/// How long a closing handshake may take.
const CLOSING: Duration = Duration::from_secs(3);
/// How much of what the client still sends is read and thrown away while it is closed.
const DISCARDED: usize = 1024 * 1024;

pub(crate) struct Wire {
    io: Upgraded,
    decoder: Box<dyn Decoder>,
    encoder: Box<dyn Encoder>,
    outgoing_bytes: usize,
    /// What was read behind the last message, less than [`READ_BYTES`].
    unread: Bytes,
    /// What waits to be written, in the order in which it was taken.
    waiting: BytesMut,
    /// How many bytes the connection has taken.
    written: u64,
    /// Whether something that was written may wait in a buffer of the connection.
    unflushed: bool,
    pongs: Pongs,
    /// A close frame was taken; nothing follows it.
    closing: bool,
    /// The client has closed, or said what cannot be understood.
    heard_all: bool,
}

/// The answers to pings. One waits among the messages; of those that come meanwhile, only the last
/// is answered (RFC 6455 §5.5.3). Else a client that pings and reads nothing would fill the memory.
#[derive(Default)]
struct Pongs {
    /// How much will have been written when the last pong has left.
    last_ends: u64,
    next: Option<Bytes>,
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
    pub(crate) fn new(upgraded: Upgraded, limits: Limits) -> Self {
        Wire {
            io: upgraded,
            decoder: Box::new(TungsteniteDecoder::new(limits)),
            encoder: Box::new(TungsteniteEncoder),
            outgoing_bytes: limits.outgoing_bytes,
            unread: Bytes::new(),
            waiting: BytesMut::new(),
            written: 0,
            unflushed: false,
            pongs: Pongs::default(),
            closing: false,
            heard_all: false,
        }
    }

    /// Takes a message; it leaves with the next flush. A close frame is always taken, and what
    /// comes behind it never.
    pub(crate) fn send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        if self.closing {
            return Err(SendError::Gone);
        }
        let is_close = matches!(message, Message::Close(_));
        if self.is_full_for(&message) && !is_close {
            self.write_now()?;
            if self.is_full_for(&message) {
                return Err(SendError::Full);
            }
        }
        self.closing = is_close;
        self.encoder.encode(&message, &mut self.waiting);
        match self.waiting.len() > WRITE_BYTES {
            true => self.write_now(),
            false => Ok(()),
        }
    }

    pub(crate) fn ping(&mut self) -> Result<(), SendError> {
        self.send(Message::Ping(Bytes::new()))
    }

    /// Whether messages wait that the connection has not taken yet.
    pub(crate) fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many bytes the connection has taken.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// The next message, while what waits is written. A ping has been answered by then, and a
    /// close too.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Message, ReadError> {
        poll_fn(|context| {
            if let Poll::Ready(Err(_)) = self.poll_flush(context) {
                return Poll::Ready(Err(ReadError::Gone));
            }
            let message = ready!(self.poll_read(context))?;
            match &message {
                Message::Ping(payload) => self.pong(payload.clone()),
                Message::Close(close) => self.echo(close.as_ref()),
                Message::Data(_) | Message::Pong(_) => {}
            }
            Poll::Ready(Ok(message))
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

    /// Gives back what memory it can: for a connection that will be silent for long.
    pub(crate) fn shrink(&mut self) {
        self.decoder.shrink();
        self.unread = Bytes::copy_from_slice(&self.unread);
        self.waiting = BytesMut::from(&self.waiting[..]);
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
        if self.io.shutdown().await.is_err() {
            return;
        }
        let mut discarded = 0;
        let mut buffer = [0; 1024];
        while let Ok(read @ 1..) = self.io.read(&mut buffer).await {
            discarded += read;
            if discarded > DISCARDED {
                return;
            }
        }
    }

    fn is_full_for(&self, message: &Message) -> bool {
        self.is_behind() && self.waiting.len() + message.payload_len() > self.outgoing_bytes
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<Message, ReadError>> {
        let unread = mem::take(&mut self.unread);
        let (message, used) = self.decode(&unread)?;
        if let Some(message) = message {
            self.unread = unread.slice(used..);
            return Poll::Ready(Ok(message));
        }
        loop {
            if self.heard_all {
                return Poll::Ready(Err(ReadError::Gone));
            }
            let mut chunk = [MaybeUninit::uninit(); READ_BYTES];
            let mut chunk = ReadBuf::uninit(&mut chunk);
            let read = ready!(Pin::new(&mut self.io).poll_read(context, &mut chunk));
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

    fn pong(&mut self, payload: Bytes) {
        self.pongs.next = Some(payload);
        self.send_pong();
    }

    /// Puts a pong behind what waits, unless one waits already.
    fn send_pong(&mut self) {
        if self.written < self.pongs.last_ends || self.closing {
            return;
        }
        if let Some(payload) = self.pongs.next.take() {
            let pong = Message::Pong(payload);
            self.encoder.encode(&pong, &mut self.waiting);
            self.pongs.last_ends = self.written + self.waiting.len() as u64;
        }
    }

    /// Writes what the connection takes at once. Who waits for it to take more is woken by
    /// [`poll_flush`](Self::poll_flush), which has to be polled after this.
    fn write_now(&mut self) -> Result<(), SendError> {
        let mut context = Context::from_waker(Waker::noop());
        match self.poll_write(&mut context) {
            Poll::Ready(Err(_)) => Err(SendError::Gone),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(context, &self.waiting))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(written);
            self.written += written as u64;
            self.unflushed = true;
            self.send_pong();
        }
        self.waiting = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write(context))?;
        if self.unflushed {
            ready!(Pin::new(&mut self.io).poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}
