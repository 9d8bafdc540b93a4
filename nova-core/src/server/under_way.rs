//! What is under way on a connection: how many requests it has begun to answer, and how many answers
//! hyper has taken to their end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::response::ResponseBody;

/// The requests of one connection. One task counts and looks, so that neither an order of memory nor
/// an atomic addition is needed.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    begun: AtomicU32,
    ended: AtomicU32,
    /// Whether the answer that is being sent is a stream of events.
    events: AtomicBool,
}

impl UnderWay {
    pub(super) fn begin(&self) {
        count(&self.begun);
    }

    /// The answer that is sent next is a stream of events.
    pub(super) fn begin_events(&self) {
        self.events.store(true, Ordering::Relaxed);
    }

    pub(super) fn sends_events(&self) -> bool {
        self.events.load(Ordering::Relaxed)
    }

    fn end(&self) {
        count(&self.ended);
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

fn count(one: &AtomicU32) {
    one.store(
        one.load(Ordering::Relaxed).wrapping_add(1),
        Ordering::Relaxed,
    );
}

/// How much of a body hyper gets at once. It copies that behind the head, so that small answers are one
/// piece, and keeps the room.
const PIECE: usize = 32 * 1024;

/// The body of an answer, in pieces.
#[derive(Debug)]
pub(super) enum LastPart {
    /// hyper takes it as soon as it gets it, or as the cork has room again; so nobody need know when.
    Short(ResponseBody),
    /// Behind a pointer, for most are short.
    Long(Box<Long>),
}

#[derive(Debug)]
pub(super) struct Long {
    body: ResponseBody,
    /// What is left of a piece that was too long.
    rest: Bytes,
    under_way: Arc<UnderWay>,
}

impl LastPart {
    /// The answer to the request that has begun last is made, and is sent from here on.
    pub(super) fn new(body: ResponseBody, under_way: &Arc<UnderWay>) -> Self {
        match body.whole_length() {
            Some(length) if length <= PIECE => {
                under_way.end();
                LastPart::Short(body)
            }
            _ => LastPart::Long(Box::new(Long {
                body,
                rest: Bytes::new(),
                under_way: Arc::clone(under_way),
            })),
        }
    }
}

impl Long {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let mut bytes = std::mem::take(&mut self.rest);
        if bytes.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => bytes = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                ended => return Poll::Ready(ended),
            }
        }
        if bytes.len() > PIECE {
            self.rest = bytes.split_off(PIECE);
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

/// hyper has taken all, or given up.
impl Drop for Long {
    fn drop(&mut self) {
        self.under_way.events.store(false, Ordering::Relaxed);
        self.under_way.end();
    }
}

impl Body for LastPart {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            LastPart::Short(body) => Pin::new(body).poll_frame(context),
            LastPart::Long(long) => long.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            LastPart::Short(body) => body.is_end_stream(),
            LastPart::Long(long) => long.rest.is_empty() && long.body.is_end_stream(),
        }
    }

    /// hyper asks before the first piece, and then no more.
    fn size_hint(&self) -> SizeHint {
        match self {
            LastPart::Short(body) => body.size_hint(),
            LastPart::Long(long) => long.body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_long_body_comes_in_pieces_and_whole() {
        let long: Bytes = (0..PIECE * 2 + 7).map(|n| n as u8).collect();
        let under_way = Arc::new(UnderWay::default());
        under_way.begin();
        let mut body = LastPart::new(long.clone().into(), &under_way);
        let mut pieces = Vec::new();
        while !body.is_end_stream() {
            let frame = body.frame().await.unwrap().unwrap();
            pieces.push(frame.into_data().unwrap());
        }

        let lengths: Vec<usize> = pieces.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [PIECE, PIECE, 7]);
        assert!(pieces.concat() == long);
    }

    #[test]
    fn a_request_is_under_way_until_a_body_that_takes_time_is_dropped() {
        let under_way = Arc::new(UnderWay::default());
        let chunks = stream::iter([Ok::<_, io::Error>("text")]);
        for body in [
            ResponseBody::from(vec![0; PIECE + 1]),
            ResponseBody::stream(chunks),
        ] {
            under_way.begin();
            let body = LastPart::new(body, &under_way);
            assert!(under_way.is_busy());
            drop(body);
            assert!(!under_way.is_busy());
        }

        under_way.begin();
        let _short = LastPart::new("text".into(), &under_way);
        assert!(!under_way.is_busy());
    }
}
