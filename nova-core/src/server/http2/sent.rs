//! The body of an answer, in pieces that tell whether the client takes them.
//!
//! hyper hands a piece on to h2, which keeps it until the client opens its window; nobody hears how long
//! that takes. So each piece counts for its stream until its last byte is written, or it is thrown away.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::task::AtomicWaker;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::response::ResponseBody;

/// How much of a body hyper gets at once.
const PIECE: usize = 32 * 1024;

/// What of an answer waits for the client.
#[derive(Debug)]
pub(super) struct Sending {
    begun: Instant,
    /// How many pieces there are that are not written to their end.
    pieces: AtomicUsize,
    /// When some of a piece was written last, or a piece was made: in milliseconds since the beginning.
    moved: AtomicU64,
    /// Who is woken when there are no pieces any more.
    waker: AtomicWaker,
}

impl Sending {
    pub(super) fn new() -> Self {
        Sending {
            begun: Instant::now(),
            pieces: AtomicUsize::new(0),
            moved: AtomicU64::new(0),
            waker: AtomicWaker::new(),
        }
    }

    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Whether something waits.
    pub(super) fn waits(&self) -> bool {
        self.pieces.load(Ordering::Acquire) > 0
    }

    /// For how long nothing has moved.
    pub(super) fn rests_for(&self) -> Duration {
        let moved = Duration::from_millis(self.moved.load(Ordering::Relaxed));
        self.begun.elapsed().saturating_sub(moved)
    }

    fn moves(&self) {
        let now = u64::try_from(self.begun.elapsed().as_millis());
        self.moved.store(now.unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// Some of a body.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Bytes,
    sending: Arc<Sending>,
}

impl Piece {
    fn new(bytes: Bytes, sending: &Arc<Sending>) -> Self {
        sending.pieces.fetch_add(1, Ordering::Release);
        sending.moves();
        Piece {
            bytes,
            sending: Arc::clone(sending),
        }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.sending.moves();
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if self.sending.pieces.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.sending.waker.wake();
        }
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Sent {
    body: ResponseBody,
    /// What is left of a piece that was too long.
    rest: Bytes,
    sending: Arc<Sending>,
    length: Length,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    /// All of it goes to h2 at once, with the end of the stream.
    Short,
    /// The stream ends when all is written: as long as it has not, a client that takes nothing can be
    /// dealt with by a reset of this stream alone.
    Long { has_begun: bool },
}

impl Sent {
    pub(super) fn new(body: ResponseBody, sending: Arc<Sending>) -> Self {
        let length = match body.whole_length() {
            Some(length) if length <= PIECE => Length::Short,
            _ => Length::Long { has_begun: false },
        };
        Sent {
            body,
            rest: Bytes::new(),
            sending,
            length,
        }
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Piece>>>> {
        let mut bytes = std::mem::take(&mut self.rest);
        if bytes.is_empty() {
            bytes = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => data,
                    Err(frame) => match frame.into_trailers() {
                        Ok(trailers) => {
                            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                        }
                        Err(_) => Bytes::new(),
                    },
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            };
        }
        if bytes.len() > PIECE {
            self.rest = bytes.split_off(PIECE);
        }
        Poll::Ready(Some(Ok(Frame::data(Piece::new(bytes, &self.sending)))))
    }
}

impl Body for Sent {
    type Data = Piece;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Piece>>>> {
        let polled = self.poll_piece(context);
        if let Length::Long { has_begun } = &mut self.length {
            *has_begun = true;
            // Whoever drives the stream is woken when nothing waits any more.
            if matches!(polled, Poll::Ready(None)) && self.sending.waits() {
                return Poll::Pending;
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match self.length {
            Length::Short | Length::Long { has_begun: false } => {
                self.rest.is_empty() && self.body.is_end_stream()
            }
            Length::Long { has_begun: true } => false,
        }
    }

    /// hyper asks before the first piece, and then no more.
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
