//! What is under way on a connection: how many requests it has begun to answer, and how many answers
//! have left it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};

/// The requests of one connection. One task counts and looks, so that no order of memory is needed.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    begun: AtomicU32,
    ended: AtomicU32,
}

impl UnderWay {
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests have begun so far; it may begin again at 0.
    pub(super) fn begun(&self) -> u32 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Whether an answer is being made or sent.
    pub(super) fn is_busy(&self) -> bool {
        self.begun() != self.ended.load(Ordering::Relaxed)
    }
}

/// The body of an answer, which ends what is under way when hyper lets go of it.
#[derive(Debug)]
pub(super) struct LastPart<B, C: AsRef<UnderWay>> {
    pub(super) body: B,
    pub(super) of: Arc<C>,
}

impl<B, C: AsRef<UnderWay>> Drop for LastPart<B, C> {
    fn drop(&mut self) {
        let under_way: &UnderWay = (*self.of).as_ref();
        under_way.ended.fetch_add(1, Ordering::Relaxed);
    }
}

impl<B: Body + Unpin, C: AsRef<UnderWay>> Body for LastPart<B, C> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
