//! How long a connection waits for the head of a request.
//!
//! hyper makes a timer for each request and throws it away. This one is made once for a connection,
//! and set again only when it fires: if other requests have come since, it was too early.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A limit on a wait that begins again and again.
pub(super) struct Patience {
    limit: Duration,
    /// When it is over.
    end: Instant,
    /// Fires at `end`, or before it.
    timer: Pin<Box<Sleep>>,
    /// Who is woken when it fires.
    waker: Option<Waker>,
}

impl Patience {
    /// A wait that begins now.
    pub(super) fn new(limit: Duration) -> Self {
        let end = Instant::now() + limit;
        Patience {
            limit,
            end,
            timer: Box::pin(sleep_until(end)),
            waker: None,
        }
    }

    /// The wait begins anew.
    pub(super) fn renew(&mut self) {
        self.end = Instant::now() + self.limit;
    }

    /// Ready when the wait has taken too long.
    pub(super) fn poll_lost(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.timer.is_elapsed() {
                if self.timer.deadline() >= self.end {
                    return Poll::Ready(());
                }
                self.timer.as_mut().reset(self.end);
                self.waker = None;
            }
            if let Some(waker) = &self.waker
                && waker.will_wake(context.waker())
            {
                return Poll::Pending;
            }
            self.waker = Some(context.waker().clone());
            if self.timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl fmt::Debug for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patience")
            .field("limit", &self.limit)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
