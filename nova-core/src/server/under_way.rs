//! What is under way on a connection: how many requests it has begun to answer, and how many answers
//! hyper has taken to their end.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
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

/// How much of a body hyper gets at once. It copies that behind the head, so that small answers are one
/// piece, and keeps the room.
const PIECE: usize = 32 * 1024;

/// The body of an answer, in pieces. When hyper lets go of it, the request is no longer under way.
pub(super) struct LastPart<B, C: AsRef<UnderWay>> {
    body: B,
    of: Arc<C>,
    /// What is left of a piece that was too long.
    rest: Bytes,
}

impl<B, C: AsRef<UnderWay>> LastPart<B, C> {
    pub(super) fn new(body: B, of: Arc<C>) -> Self {
        LastPart {
            body,
            of,
            rest: Bytes::new(),
        }
    }
}

impl<B, C: AsRef<UnderWay>> Drop for LastPart<B, C> {
    fn drop(&mut self) {
        let under_way: &UnderWay = (*self.of).as_ref();
        under_way.ended.fetch_add(1, Ordering::Relaxed);
    }
}

impl<B, C> Body for LastPart<B, C>
where
    B: Body<Data = Bytes> + Unpin,
    C: AsRef<UnderWay>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
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

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    /// hyper asks before the first piece, and then no more.
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    struct Connection(UnderWay);

    impl AsRef<UnderWay> for Connection {
        fn as_ref(&self) -> &UnderWay {
            &self.0
        }
    }

    #[tokio::test]
    async fn a_long_body_comes_in_pieces_and_whole() {
        let long: Bytes = (0..PIECE * 2 + 7).map(|n| n as u8).collect();
        let connection = Arc::new(Connection(UnderWay::default()));
        let mut body = LastPart::new(Full::new(long.clone()), connection);
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
    fn a_request_is_under_way_until_its_body_is_dropped() {
        let connection = Arc::new(Connection(UnderWay::default()));
        assert!(!connection.0.is_busy());
        connection.0.begin();
        let body = LastPart::new(Full::<Bytes>::default(), Arc::clone(&connection));
        assert!(connection.0.is_busy());
        drop(body);

        assert!(!connection.0.is_busy());
    }
}
