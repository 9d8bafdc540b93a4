//! The life of a served app: what runs, and how it comes to an end.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::warn;

use crate::stopping::{Listener, Stopping};

/// How long a connection without a request may still send one that is answered, at most.
const GRACE: Duration = Duration::from_secs(1);
/// How long what is cut may take to notice.
const CUTTING: Duration = Duration::from_secs(1);

/// What runs for clients, and the three words that it obeys: finish requests, close sockets, and
/// be cut.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    /// Soon, there will be no new connections.
    leaving: Arc<AtomicBool>,
    stopping: Stopping,
    sockets_stopping: Stopping,
    cut: Stopping,
    /// Connections that speak HTTP, and the work that requests have left to be completed.
    requests: TaskTracker,
    /// Connections that have switched protocols.
    sockets: TaskTracker,
}

impl Life {
    /// `requests` also tracks what is not told to finish, but waited for.
    pub(crate) fn new(requests: TaskTracker) -> Self {
        Life {
            leaving: Arc::default(),
            stopping: Stopping::new(),
            sockets_stopping: Stopping::new(),
            cut: Stopping::new(),
            requests,
            sockets: TaskTracker::new(),
        }
    }

    /// Tells connections when to finish.
    pub(crate) fn stopping(&self) -> Stopping {
        self.stopping.clone()
    }

    /// Whether connections are to end with the answer to their next request.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_stopping()
    }

    /// Tells sockets when to close: after the requests, whose changes they still hear of.
    pub(crate) fn sockets_stopping(&self) -> Stopping {
        self.sockets_stopping.clone()
    }

    /// Says that the app will stop, to who asks whether it is ready.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    /// Whether the app will stop, or stops.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire) || self.stopping.is_stopping()
    }

    /// Runs a connection in the background, until it ends or is cut.
    pub(crate) fn track(&self, connection: impl Future<Output = ()> + Send + 'static) {
        self.requests.spawn(until(self.cut.clone(), connection));
    }

    /// Runs a connection that has requests and sockets at a time, and says itself what it counts for.
    pub(crate) fn track_counted<F>(&self, connection: impl FnOnce(Counted) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let counted = Counted {
            sockets: self.sockets.clone(),
            token: self.requests.token(),
        };
        tokio::spawn(until(self.cut.clone(), connection(counted)));
    }

    /// Runs one of the requests of a connection, beside it and until it ends.
    pub(crate) fn track_stream(&self, stream: impl Future<Output = ()> + Send + 'static) {
        self.requests.spawn(stream);
    }

    /// Holds up the end of the app as long as it is held, for a request that some other server takes.
    pub(crate) fn request(&self) -> TaskTrackerToken {
        self.requests.token()
    }

    /// Runs a connection that has switched protocols.
    pub(crate) fn track_socket(&self, socket: impl Future<Output = ()> + Send + 'static) {
        self.sockets.spawn(until(self.cut.clone(), socket));
    }

    /// Lets requests finish, then closes sockets, all within `limit`, and cuts the rest.
    /// Requests that do not finish leave the sockets a third of the time. `arriving` takes those who have
    /// come before that, and ends by itself.
    pub(crate) async fn end(&self, limit: Duration, arriving: impl Future<Output = ()>) {
        let begun = Instant::now();
        let end = begun + limit;
        self.stopping
            .stop_connections(begun + GRACE.min(limit / 3), end);
        arriving.await;
        self.requests.close();
        self.sockets.close();
        let _ = timeout_at(begun + limit * 2 / 3, self.requests.wait()).await;
        self.sockets_stopping.stop_before(end);
        let all = async {
            self.sockets.wait().await;
            self.requests.wait().await;
        };
        if timeout_at(end, all).await.is_err() {
            warn!(
                "{} requests and {} sockets did not finish within {limit:?} and are cut",
                self.requests.len(),
                self.sockets.len()
            );
            self.cut.stop();
            // What blocks its thread cannot be cut, and shall not keep the app from ending.
            let cut = async {
                self.sockets.wait().await;
                self.requests.wait().await;
            };
            let _ = timeout(CUTTING, cut).await;
        }
    }

    /// Tells everything to end, without waiting.
    pub(crate) fn abandon(&self) {
        self.stopping.stop();
        self.sockets_stopping.stop();
        self.cut.stop();
    }
}

/// What a connection counts for as long as this is held: at first, for a request.
#[derive(Debug)]
pub(crate) struct Counted {
    sockets: TaskTracker,
    token: TaskTrackerToken,
}

impl Counted {
    /// From now on, it counts for a socket.
    pub(crate) fn as_socket(&mut self) {
        self.token = self.sockets.token();
    }
}

/// Runs `task` until it ends or is cut.
fn until<F: Future<Output = ()>>(cut: Stopping, task: F) -> Until<F> {
    Until {
        cut: cut.listener(),
        task,
    }
}

pin_project! {
    /// Not an `async fn`, which has room for `task` twice: each connection has one.
    struct Until<F> {
        cut: Listener,
        #[pin]
        task: F,
    }
}

impl<F: Future<Output = ()>> Future for Until<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        match this.cut.poll(context) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => this.task.poll(context),
        }
    }
}
