//! The way out of one socket, which its task and a shard share.
//!
//! Whoever has something to send puts it behind what waits, or writes it at once where nothing does: a frame
//! is put there whole, under one lock, so that frames never mingle. What the connection does not take, its
//! task writes when it can; a shard never waits for a socket.
//!
//! Messages that are for the handler wait here too. While any does, or is being answered, the outlet is
//! *held*: what a shard brings waits behind it, and so each frame leaves in the order of the messages.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes, BytesMut};
use nova_core::pubsub::Message;
use nova_core::{Upgraded, UpgradedTcp};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::codec::{self, Encoder, TungsteniteEncoder};
use crate::handler::Encoded;
use crate::wire::SendError;

/// How many messages may wait for a connection whose handler is busy. A burst should fit; the
/// payloads are shared by all who wait for them. What waits for a slow client is bounded in bytes,
/// behind this.
const MESSAGES: usize = 16_384;
/// The room that is made when a task begins to send; it is given back when all is written.
const SEVERAL_FRAMES: usize = 1024;
/// The room for piles that stays.
const PILES_KEPT: usize = 4;
/// What a task of a connection has to send is gathered up to this size before it is written.
const WRITE_BYTES: usize = 16 * 1024;

pub(crate) struct Outlet {
    /// A std mutex: no guard lives across an `.await`, and a section is at most one call of the kernel.
    state: Mutex<State>,
}

pub(crate) struct State {
    /// `None` before the 101, and when the connection has ended.
    io: Option<Io>,
    /// What may wait in bytes, for a client that does not read.
    most: usize,
    /// What waits to be written, in the order in which it was taken.
    waiting: BytesMut,
    /// How many bytes the connection has taken.
    written: u64,
    /// Whether something that was written may wait in a buffer of the connection.
    unflushed: bool,
    pongs: Pongs,
    /// A close frame was taken; nothing follows it.
    closing: bool,
    /// Something was not taken, so that nothing may follow it but a close frame.
    is_behind: bool,
    /// What a shard brings waits for the connection's task.
    is_held: bool,
    piles: VecDeque<Pile>,
    /// How many messages they are.
    messages: usize,
    /// There was no room for a message.
    has_missed: bool,
    /// How many messages, or frames of theirs, there was no room for.
    lost: usize,
    /// Nobody is a member of anything any more.
    is_over: bool,
    /// When a shard has last sent something.
    sent_at: Instant,
    /// The task of the connection, while it waits.
    waker: Option<Waker>,
}

/// A connection: where a shard can write to it, and where only its own task can.
pub(crate) enum Io {
    Tcp(UpgradedTcp),
    Other(Upgraded),
}

/// The answers to pings. One waits among the messages; of those that come meanwhile, only the last
/// is answered (RFC 6455 §5.5.3). Else a client that pings and reads nothing would fill the memory.
#[derive(Default)]
struct Pongs {
    /// How much will have been written when the last pong has left.
    last_ends: u64,
    next: Option<Box<Bytes>>,
}

/// Consecutive messages for the task of a connection. All sockets of a shard have the same list.
#[derive(Clone)]
pub(crate) struct Pile {
    messages: Arc<[Message]>,
    /// Whether the handler is asked about each: else that is still to be found out.
    pub(crate) is_for_info: bool,
}

impl Pile {
    pub(crate) fn new(messages: Vec<Message>, is_for_info: bool) -> Self {
        Pile {
            messages: messages.into(),
            is_for_info,
        }
    }

    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }
}

/// What waits for the task of a connection.
pub(crate) enum Arrived {
    Messages(Pile),
    /// A message, or a frame of one, is missing from here on.
    Missed,
    /// No more messages come.
    Over,
}

/// Frames of consecutive messages, as a shard brings them: the same bytes for all of its sockets.
pub(crate) struct Run<'r> {
    pub(crate) pile: &'r Pile,
    /// All the frames.
    pub(crate) bytes: &'r [u8],
    /// How long the last frame is, and its payload.
    pub(crate) last_frame: usize,
    pub(crate) last_payload: usize,
    pub(crate) now: Instant,
}

/// Whether the shard should give others a turn, so that they can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// All is written, or never will be.
    Whole,
    /// Something waits.
    Waits,
}

impl Outlet {
    /// For a client of whose bytes `most` may wait.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Outlet {
            state: Mutex::new(State {
                io: None,
                most,
                waiting: BytesMut::new(),
                written: 0,
                unflushed: false,
                pongs: Pongs::default(),
                closing: false,
                is_behind: false,
                is_held: true,
                piles: VecDeque::new(),
                messages: 0,
                has_missed: false,
                lost: 0,
                is_over: false,
                sent_at: Instant::now(),
                waker: None,
            }),
        })
    }

    /// Sends what a shard has for all of its sockets.
    pub(crate) fn send_run(&self, run: &Run<'_>) -> Sent {
        let mut state = self.lock();
        if state.is_held {
            state.push(run.pile);
        } else if !state.take_run(run) {
            return Sent::Whole;
        }
        wake(state);
        Sent::Waits
    }

    /// Leaves messages for the handler.
    pub(crate) fn push(&self, pile: &Pile) -> Sent {
        let mut state = self.lock();
        state.push(pile);
        state.is_held = true;
        wake(state);
        Sent::Waits
    }

    /// Tells the connection that a message for it is lost.
    pub(crate) fn miss(&self) {
        let mut state = self.lock();
        state.has_missed = true;
        wake(state);
    }

    /// Tells the connection that no more messages come.
    pub(crate) fn end_messages(&self) {
        let mut state = self.lock();
        state.is_over = true;
        wake(state);
    }

    /// Nothing here panics, and the state is whole at every step.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the task of the connection, when the lock is free.
fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl State {
    /// Begins with a connection.
    pub(crate) fn open(&mut self, io: Io) {
        self.io = Some(io);
    }

    /// Closes the connection, and forgets what waits.
    pub(crate) fn end(&mut self) -> (Option<Io>, VecDeque<Pile>) {
        self.closing = true;
        self.waiting = BytesMut::new();
        self.pongs = Pongs::default();
        self.waker = None;
        (self.io.take(), mem::take(&mut self.piles))
    }

    /// Who is woken when something arrives, or waits to be written.
    pub(crate) fn wake_later(&mut self, context: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
    }

    pub(crate) fn has_arrived(&self) -> bool {
        !self.piles.is_empty() || self.has_missed || self.is_over || self.is_behind
    }

    /// The next messages for the handler. Where there is none, what a shard brings leaves at once from
    /// now on.
    pub(crate) fn take(&mut self) -> Option<Arrived> {
        if self.is_behind || self.has_missed {
            return Some(Arrived::Missed);
        }
        match self.piles.pop_front() {
            Some(pile) => {
                self.messages -= pile.messages.len();
                Some(Arrived::Messages(pile))
            }
            None if self.is_over => Some(Arrived::Over),
            None => {
                if self.piles.capacity() > PILES_KEPT {
                    self.piles = VecDeque::new(); // a burst leaves no memory behind
                }
                self.is_held = false;
                None
            }
        }
    }

    fn push(&mut self, pile: &Pile) {
        if self.closing || self.messages + pile.messages.len() > MESSAGES {
            self.has_missed = true;
            self.lost += pile.messages.len();
        } else {
            self.messages += pile.messages.len();
            self.piles.push_back(pile.clone());
        }
    }

    /// Whether the connection's task has something to do now.
    fn take_run(&mut self, run: &Run<'_>) -> bool {
        if self.closing || self.is_behind || self.has_missed {
            self.lost += run.pile.messages.len();
            return false;
        }
        self.sent_at = run.now;
        let mut bytes = run.bytes;
        if self.waiting.is_empty() {
            // An error is seen by the connection's task for itself.
            if let Some(Ok(written)) = self.io.as_ref().map(|io| io.try_write(bytes)) {
                self.written += written as u64;
                bytes = &bytes[written..];
            }
            if bytes.is_empty() {
                return false;
            }
        }
        // Where nothing waits, the rest is taken whole, be it one long frame or a batch: a client that
        // reads cannot help how much comes at once, and of a frame whose head has left, all has to.
        let head = run.last_frame - run.last_payload;
        let is_full = |state: &State| {
            !state.waiting.is_empty()
                && state.waiting.len() + bytes.len() > state.most.saturating_add(head)
        };
        if is_full(self) {
            let _ = self.write_now();
            if is_full(self) {
                self.is_behind = true;
                self.lost += run.pile.messages.len();
                return true;
            }
        }
        self.waiting.extend_from_slice(bytes);
        true
    }

    /// Takes a message; it leaves with the next flush. A close frame is always taken, and what
    /// comes behind it never.
    pub(crate) fn send(&mut self, message: &codec::Message) -> Result<(), SendError> {
        if self.closing {
            return Err(SendError::Gone);
        }
        let is_close = matches!(message, codec::Message::Close(_));
        if !is_close {
            self.make_room(message.payload_len())?;
        }
        self.closing = is_close;
        self.waiting
            .reserve(room_for(&self.waiting, message.payload_len()));
        TungsteniteEncoder.encode(message, &mut self.waiting);
        self.write_if_much()
    }

    /// The same for a frame that is encoded already.
    pub(crate) fn send_encoded(&mut self, encoded: &Encoded) -> Result<(), SendError> {
        if self.closing {
            return Err(SendError::Gone);
        }
        self.make_room(encoded.payload)?;
        self.waiting
            .reserve(room_for(&self.waiting, encoded.frame.len()));
        self.waiting.extend_from_slice(&encoded.frame);
        self.write_if_much()
    }

    fn make_room(&mut self, payload: usize) -> Result<(), SendError> {
        let is_full =
            |state: &State| !state.waiting.is_empty() && state.waiting.len() + payload > state.most;
        if is_full(self) {
            self.write_now()?;
            if is_full(self) {
                self.is_behind = true;
                return Err(SendError::Full);
            }
        }
        Ok(())
    }

    fn write_if_much(&mut self) -> Result<(), SendError> {
        match self.waiting.len() > WRITE_BYTES {
            true => self.write_now(),
            false => Ok(()),
        }
    }

    /// Whether messages wait that the connection has not taken yet.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many messages a client that is too slow does not get: what had no room, and what waits for
    /// the handler.
    pub(crate) fn lost(&self) -> usize {
        self.lost + self.messages
    }

    /// How many bytes the connection has taken.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// When a shard has last sent something.
    pub(crate) fn sent_at(&self) -> Instant {
        self.sent_at
    }

    /// Gives back what memory it can.
    pub(crate) fn shrink(&mut self) {
        self.waiting = BytesMut::from(&self.waiting[..]);
        self.piles.shrink_to_fit();
    }

    /// Puts a pong behind what waits, unless one waits already.
    pub(crate) fn pong(&mut self, payload: Bytes) {
        self.pongs.next = Some(Box::new(payload));
        self.send_pong();
    }

    fn send_pong(&mut self) {
        if self.written < self.pongs.last_ends || self.closing {
            return;
        }
        if let Some(payload) = self.pongs.next.take() {
            TungsteniteEncoder.encode(&codec::Message::Pong(*payload), &mut self.waiting);
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
            let io = self.io.as_mut().ok_or(io::ErrorKind::NotConnected)?;
            let written = match io.try_write(&self.waiting) {
                Ok(written @ 1..) => written,
                // It asks again, tells an error, and has the task woken.
                _ => ready!(io.stream().poll_write(context, &self.waiting))?,
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(written);
            self.written += written as u64;
            self.unflushed = true;
            self.send_pong();
        }
        if self.waiting.capacity() > 0 {
            self.waiting = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }

    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write(context))?;
        if self.unflushed {
            let io = self.io.as_mut().ok_or(io::ErrorKind::NotConnected)?;
            ready!(io.stream().poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    pub(crate) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let io = self.io.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        io.stream().poll_read(context, buffer)
    }

    pub(crate) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let io = self.io.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        io.stream().poll_shutdown(context)
    }
}

/// How much to make room for at once: what is sent seldom comes alone, and to grow means to copy.
fn room_for(waiting: &BytesMut, frame: usize) -> usize {
    match waiting.is_empty() {
        true => frame.max(SEVERAL_FRAMES),
        false => frame,
    }
}

impl Io {
    /// Writes what the connection takes at once, without a word to the task that waits for it.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            #[cfg(target_os = "linux")]
            Io::Tcp(tcp) => {
                use rustix::net::{SendFlags, send};
                // Not `try_write`, which looks at what the runtime knows of the socket first: that is
                // memory that 10,000 sockets do not have in the processor's cache.
                let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                Ok(send(tcp.stream(), bytes, flags)?)
            }
            #[cfg(not(target_os = "linux"))]
            Io::Tcp(tcp) => tcp.stream().try_write(bytes),
            Io::Other(_) => Ok(0),
        }
    }

    fn stream(&mut self) -> Pin<&mut dyn Stream> {
        match self {
            Io::Tcp(tcp) => Pin::new(tcp.stream_mut()),
            Io::Other(upgraded) => Pin::new(upgraded),
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}
