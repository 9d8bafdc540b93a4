//! How long a connection waits for its client: for the head of a request, and for what it does meanwhile.
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
            end,
            timer: Box::pin(sleep_until(end)),
            waker: None,
        }
    }

    /// The wait begins anew.
    pub(super) fn renew(&mut self, limit: Duration) {
        self.end = Instant::now() + limit;
        if self.end < self.timer.deadline() {
            self.timer.as_mut().reset(self.end);
            self.waker = None;
        }
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

/// A limit on a wait in which a number stands still, for what is rare: the timer is made when it begins.
#[derive(Debug)]
pub(super) struct Progress {
    limit: Duration,
    waiting: Option<(u64, Patience)>,
}

impl Progress {
    pub(super) fn new(limit: Duration) -> Self {
        Progress {
            limit,
            waiting: None,
        }
    }

    /// Whether the wait has taken too long; `None` where nothing is waited for.
    #[inline]
    pub(super) fn poll_lost(&mut self, context: &mut Context<'_>, number: Option<u64>) -> bool {
        let Some(number) = number else {
            self.waiting = None;
            return false;
        };
        let (since, patience) = self
            .waiting
            .get_or_insert_with(|| (number, Patience::new(self.limit)));
        if *since != number {
            *since = number;
            patience.renew(self.limit);
        }
        patience.poll_lost(context).is_ready()
    }
}

impl fmt::Debug for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patience")
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
