//! The requests of one connection, each in a task of its own.
//!
//! A stream that the client resets is dropped by hyper, and its action with it. One whose answer the client
//! does not take for `send_timeout` is dropped here, which resets it; if its end is already on the way, only the
//! end of the connection helps.

use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use hyper::rt::Executor;
use tracing::debug;

use super::sent::Sending;
use crate::life::Life;
use crate::server::patience::Patience;

thread_local! {
    /// What the stream that is executed next sends: hyper calls the service, and with what that gives the executor,
    /// and nothing comes between the two.
    static NEXT: Cell<Option<Arc<Sending>>> = const { Cell::new(None) };
}

/// Runs the streams of a connection. Clones are the same.
#[derive(Clone)]
pub(super) struct Streams(Arc<Inner>);

struct Inner {
    life: Life,
    send_timeout: Duration,
    /// How many requests have begun. One task counts.
    begun: AtomicUsize,
    /// How many have not ended.
    open: AtomicUsize,
    /// How many have switched to another protocol, and have not ended.
    sockets: AtomicUsize,
    is_stuck: AtomicBool,
    /// The task of the connection, which is woken by the last stream that ends.
    waker: AtomicWaker,
}

impl Streams {
    pub(super) fn new(life: Life, send_timeout: Duration) -> Self {
        Streams(Arc::new(Inner {
            life,
            send_timeout,
            begun: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            sockets: AtomicUsize::new(0),
            is_stuck: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        }))
    }

    /// To be called for each request, before it is executed.
    pub(super) fn begin(&self) -> Arc<Sending> {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        let sending = Arc::new(Sending::new());
        NEXT.set(Some(Arc::clone(&sending)));
        sending
    }

    /// To be called by the task of the connection, before it looks.
    pub(super) fn register(&self, waker: &Waker) {
        self.0.waker.register(waker);
    }

    /// How many requests have begun so far.
    pub(super) fn begun(&self) -> usize {
        self.0.begun.load(Ordering::Relaxed)
    }

    /// Whether an answer is being made or sent.
    pub(super) fn is_busy(&self) -> bool {
        self.0.open.load(Ordering::Acquire) > 0
    }

    /// Whether a stream has switched to another protocol.
    pub(super) fn has_sockets(&self) -> bool {
        self.0.sockets.load(Ordering::Acquire) > 0
    }

    /// Whether the client does not take an answer that cannot be taken back.
    pub(super) fn is_stuck(&self) -> bool {
        self.0.is_stuck.load(Ordering::Acquire)
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let Some(sending) = NEXT.take() else {
            // Not a request, but what one has switched to.
            let open = Open::new(self, |streams| &streams.sockets);
            self.0.life.track_socket(async move {
                stream.await;
                drop(open);
            });
            return;
        };
        let open = Open::new(self, |streams| &streams.open);
        self.0.life.track_stream(drive(stream, sending, open));
    }
}

/// One stream that has not ended, among others of its kind.
struct Open {
    streams: Streams,
    count: fn(&Inner) -> &AtomicUsize,
}

impl Open {
    fn new(streams: &Streams, count: fn(&Inner) -> &AtomicUsize) -> Self {
        count(&streams.0).fetch_add(1, Ordering::Relaxed);
        Open {
            streams: streams.clone(),
            count,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let inner = &*self.streams.0;
        if (self.count)(inner).fetch_sub(1, Ordering::AcqRel) == 1 {
            inner.waker.wake();
        }
    }
}

/// Answers one request, until the client has taken all of the answer.
async fn drive(stream: impl Future<Output = ()>, sending: Arc<Sending>, open: Open) {
    let Inner {
        send_timeout,
        is_stuck,
        waker,
        ..
    } = &*open.streams.0;
    let mut patience = None;
    let mut stream = pin!(Some(stream));
    poll_fn(|context| {
        sending.register(context.waker());
        if let Some(making) = stream.as_mut().as_pin_mut()
            && making.poll(context).is_ready()
        {
            stream.set(None);
        }
        if !sending.waits() {
            patience = None;
            return match stream.is_none() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            };
        }
        let patience = patience.get_or_insert_with(|| Patience::new(*send_timeout));
        while patience.poll_lost(context).is_ready() {
            let left = send_timeout.saturating_sub(sending.rests_for());
            if left.is_zero() {
                debug!("a client does not take its answer");
                if stream.is_none() {
                    is_stuck.store(true, Ordering::Release);
                    waker.wake();
                }
                return Poll::Ready(());
            }
            patience.renew(left);
        }
        Poll::Pending
    })
    .await;
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Streams({} open)", self.0.open.load(Ordering::Relaxed))
    }
}
