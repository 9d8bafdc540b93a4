//! What waits for a client: its handler's task puts events in, and hyper takes them as fast as the
//! client reads.
//!
//! Nobody waits for the client but who asks to. hyper does not look for events while it cannot write,
//! so that this, and not hyper, is where what waits is counted.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::Stream;

/// Both ends of a queue for so many bytes; a longer event is taken when nothing waits. Dropping one
/// end tells the other.
pub(super) fn outgoing(limit: usize) -> (Outgoing, Body) {
    let queue = Arc::new(Mutex::new(Queue {
        limit,
        ..Queue::default()
    }));
    (Outgoing(Arc::clone(&queue)), Body(queue))
}

/// The end that events are put into.
pub(super) struct Outgoing(Arc<Mutex<Queue>>);

/// The end that they are taken from.
pub(super) struct Body(Arc<Mutex<Queue>>);

/// Why an event was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SendError {
    /// The client does not read.
    Full,
    /// The client has gone.
    Gone,
}

#[derive(Default)]
struct Queue {
    limit: usize,
    events: VecDeque<Bytes>,
    bytes: usize,
    /// No more events come.
    is_ended: bool,
    /// Nobody takes events any more.
    is_gone: bool,
    taker: Option<Waker>,
    /// The task that waits for the client to go, or for room.
    putter: Option<Waker>,
    wants_room: bool,
}

impl Queue {
    fn has_room(&self, bytes: usize) -> bool {
        self.events.is_empty() || self.bytes + bytes <= self.limit
    }

    fn wake_taker(&mut self) {
        if let Some(taker) = self.taker.take() {
            taker.wake();
        }
    }
}

impl Outgoing {
    /// Puts an event in, if there is room.
    pub(super) fn send(&self, event: Bytes) -> Result<(), SendError> {
        let mut queue = lock(&self.0);
        if queue.is_gone {
            return Err(SendError::Gone);
        }
        if !queue.has_room(event.len()) {
            return Err(SendError::Full);
        }
        queue.bytes += event.len();
        queue.events.push_back(event);
        queue.wake_taker();
        Ok(())
    }

    /// How many bytes wait.
    pub(super) fn waiting(&self) -> usize {
        lock(&self.0).bytes
    }

    /// Waits until an event of this length can be put in, or the client has gone.
    pub(super) async fn room(&self, bytes: usize) {
        poll_fn(|context| self.poll(context, |queue| queue.has_room(bytes), true)).await;
    }

    /// Waits until the client has gone.
    pub(super) async fn gone(&self) {
        poll_fn(|context| self.poll(context, |_| false, false)).await;
    }

    /// Ends the stream behind what waits.
    pub(super) fn end(&self) {
        let mut queue = lock(&self.0);
        queue.is_ended = true;
        queue.wake_taker();
    }

    /// Ends the stream, and throws away what waits.
    pub(super) fn abandon(&self) {
        let mut queue = lock(&self.0);
        queue.events = VecDeque::new();
        queue.bytes = 0;
        queue.is_ended = true;
        queue.wake_taker();
    }

    fn poll(
        &self,
        context: &mut Context<'_>,
        is_enough: impl Fn(&Queue) -> bool,
        wants_room: bool,
    ) -> Poll<()> {
        let mut queue = lock(&self.0);
        if queue.is_gone || is_enough(&queue) {
            return Poll::Ready(());
        }
        queue.wants_room = wants_room;
        match &mut queue.putter {
            Some(putter) => putter.clone_from(context.waker()),
            empty => *empty = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.end();
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let mut queue = lock(&self.0);
        let Some(event) = queue.events.pop_front() else {
            if queue.is_ended {
                return Poll::Ready(None);
            }
            queue.taker = Some(context.waker().clone());
            return Poll::Pending;
        };
        queue.bytes -= event.len();
        if queue.events.is_empty() {
            queue.events.shrink_to(16); // a burst leaves no memory behind
        }
        if queue.wants_room
            && let Some(putter) = queue.putter.take()
        {
            putter.wake();
        }
        Poll::Ready(Some(Ok(event)))
    }
}

/// hyper drops it when the client has gone, and behind the end.
impl Drop for Body {
    fn drop(&mut self) {
        let mut queue = lock(&self.0);
        queue.is_gone = true;
        queue.events = VecDeque::new();
        queue.bytes = 0;
        if let Some(putter) = queue.putter.take() {
            putter.wake();
        }
    }
}

/// A std mutex: a section is one push or one pop, and nothing in it panics.
fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt};

    use super::*;

    const LIMIT: usize = 100;

    fn bytes(length: usize) -> Bytes {
        Bytes::from(vec![b'x'; length])
    }

    #[tokio::test]
    async fn as_much_as_the_limit_may_wait_or_one_longer_event() {
        let (outgoing, mut body) = outgoing(LIMIT);
        outgoing.send(bytes(LIMIT + 1)).unwrap();
        assert_eq!(outgoing.send(bytes(1)), Err(SendError::Full));

        body.next().await.unwrap().unwrap();
        outgoing.send(bytes(LIMIT - 1)).unwrap();
        outgoing.send(bytes(1)).unwrap();
        assert_eq!(outgoing.send(bytes(1)), Err(SendError::Full));
        assert_eq!(outgoing.waiting(), LIMIT);
    }

    #[tokio::test]
    async fn who_waits_for_room_is_woken_when_there_is_some() {
        let (outgoing, mut body) = outgoing(LIMIT);
        outgoing.send(bytes(LIMIT)).unwrap();
        let task = tokio::spawn(async move {
            outgoing.room(1).await;
            outgoing.send(bytes(1))
        });
        tokio::task::yield_now().await;
        assert!(!task.is_finished());
        assert_eq!(body.next().await.unwrap().unwrap().len(), LIMIT);

        assert_eq!(task.await.unwrap(), Ok(()));
        assert_eq!(body.next().await.unwrap().unwrap().len(), 1);
        assert!(body.next().await.is_none());
    }

    #[tokio::test]
    async fn the_end_comes_behind_what_waits_unless_that_is_abandoned() {
        let (outgoing, mut body) = outgoing(LIMIT);
        outgoing.send(bytes(3)).unwrap();
        outgoing.end();
        assert_eq!(body.next().await.unwrap().unwrap().len(), 3);
        assert!(body.next().await.is_none());

        let (outgoing, mut body) = super::outgoing(LIMIT);
        outgoing.send(bytes(3)).unwrap();
        outgoing.abandon();
        assert!(body.next().await.is_none());
    }

    #[tokio::test]
    async fn who_puts_events_in_hears_that_nobody_takes_them() {
        let (outgoing, body) = outgoing(LIMIT);
        assert!(outgoing.gone().now_or_never().is_none());
        outgoing.send(bytes(LIMIT)).unwrap();
        let task = tokio::spawn(async move {
            outgoing.room(1).await;
            outgoing.gone().await;
            assert_eq!(outgoing.waiting(), 0);
            outgoing.send(bytes(1))
        });
        tokio::task::yield_now().await;
        drop(body);

        assert_eq!(task.await.unwrap(), Err(SendError::Gone));
    }
}
