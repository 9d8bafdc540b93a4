//! The word that the app stops.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Tells services and connections when the app stops. Clones tell the same.
#[derive(Debug, Clone)]
pub struct Stopping(Arc<Word>);

#[derive(Debug)]
struct Word {
    token: CancellationToken,
    /// The same, without a lock.
    is_said: AtomicBool,
    /// When what has not ended is cut, once that is known.
    cut_at: OnceLock<Instant>,
    /// Until when a connection without a request waits for one, if it does.
    idle_until: OnceLock<Instant>,
}

impl Stopping {
    pub(crate) fn new() -> Self {
        Stopping(Arc::new(Word {
            token: CancellationToken::new(),
            is_said: AtomicBool::new(false),
            cut_at: OnceLock::new(),
            idle_until: OnceLock::new(),
        }))
    }

    pub(crate) fn stop(&self) {
        self.0.is_said.store(true, Ordering::Release);
        self.0.token.cancel();
    }

    /// Says it with the time when what has not ended is cut.
    pub(crate) fn stop_before(&self, cut_at: Instant) {
        let _ = self.0.cut_at.set(cut_at); // the first word counts
        self.stop();
    }

    /// Says it with a time up to which connections wait for one more request, beside that when they are cut.
    pub(crate) fn stop_connections(&self, idle_until: Instant, cut_at: Instant) {
        let _ = self.0.idle_until.set(idle_until);
        self.stop_before(cut_at);
    }

    /// How long the app still waits before it cuts what has not ended; `None` where nobody has said.
    pub fn time_left(&self) -> Option<Duration> {
        let cut_at = self.0.cut_at.get()?;
        Some(cut_at.saturating_duration_since(Instant::now()))
    }

    /// Waits until the app stops; returns at once if it does already.
    ///
    /// # Cancel safety
    /// It can be dropped and called again.
    pub async fn wait(&self) {
        self.0.token.cancelled().await;
    }

    /// Whether the app stops.
    pub fn is_stopping(&self) -> bool {
        self.0.is_said.load(Ordering::Acquire)
    }

    pub(crate) fn listener(&self) -> Listener {
        Listener {
            stopping: self.clone(),
            wait: Box::pin(self.0.token.clone().cancelled_owned()),
            waker: None,
            grace: None,
        }
    }
}

/// [`Stopping::wait`] for who is polled often. Each poll of that takes two locks which all
/// connections share; this one takes them once, and looks at a flag from then on.
pub(crate) struct Listener {
    stopping: Stopping,
    wait: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Who is woken when the word is said.
    waker: Option<Waker>,
    /// Fires when there is no more waiting for a request; made when the word is said.
    grace: Option<Pin<Box<Sleep>>>,
}

impl Listener {
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.stopping.is_stopping() {
            return Poll::Ready(());
        }
        match &self.waker {
            Some(waker) if waker.will_wake(context.waker()) => Poll::Pending,
            _ => {
                self.waker = Some(context.waker().clone());
                self.wait.as_mut().poll(context)
            }
        }
    }

    /// Ready when the word is said, and the time over in which there may be one more request.
    pub(crate) fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<()> {
        ready!(self.poll(context));
        let Some(&end) = self.stopping.0.idle_until.get() else {
            return Poll::Ready(());
        };
        let grace = self.grace.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if grace.is_elapsed() {
            return Poll::Ready(());
        }
        grace.as_mut().poll(context)
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}
