//! The bytes of a response: all there, or arriving while they are sent.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use sync_wrapper::SyncWrapper;
use tracing::{Span, error};

use crate::body::downcast;
use crate::error::Error;
use crate::panic;
use crate::request::Head;

/// The bytes of a [`Response`](crate::Response): all of them, or a stream.
///
/// What comes from a stream is taken as fast as the client takes it, and no faster. A stream that
/// fails or panics ends the connection, so that the client sees that the body is cut, and is logged
/// with the route. One whose client has gone is dropped.
#[derive(Default)]
pub struct ResponseBody(Inner);

enum Inner {
    Full(Full<Bytes>),
    /// Behind a pointer, so that the usual body stays small.
    Flowing(Box<Flowing>),
}

impl Default for Inner {
    fn default() -> Self {
        Inner::Full(Full::default())
    }
}

/// A body that arrives while it is sent.
struct Flowing {
    source: Source,
    /// How many bytes are to come, if that is known.
    left: Option<u64>,
    /// Whose it is, for the log.
    sender: Option<Sender>,
}

enum Source {
    Open(SyncWrapper<Chunks>),
    /// It has failed, and this is still to be told.
    Failed(io::Error),
    Ended,
}

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

struct Sender {
    request: String,
    route: String,
    /// What the stream logs belongs to the request.
    span: Span,
}

impl ResponseBody {
    /// No bytes at all.
    pub fn empty() -> Self {
        ResponseBody::default()
    }

    /// The bytes of `stream`, however many they are.
    ///
    /// ```
    /// use futures_util::stream;
    /// use nova_core::{Error, ResponseBody};
    ///
    /// let body = ResponseBody::stream(stream::iter(["one", "two"].map(Ok::<_, Error>)));
    /// ```
    pub fn stream<S, B, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<B, E>> + Send + 'static,
        B: Into<Bytes>,
        E: Into<Error>,
    {
        ResponseBody::flowing(stream, None)
    }

    /// The bytes of `stream`, which are `length` in number.
    pub(crate) fn of_length<S, B, E>(stream: S, length: u64) -> Self
    where
        S: Stream<Item = Result<B, E>> + Send + 'static,
        B: Into<Bytes>,
        E: Into<Error>,
    {
        ResponseBody::flowing(stream, Some(length))
    }

    fn flowing<S, B, E>(stream: S, left: Option<u64>) -> Self
    where
        S: Stream<Item = Result<B, E>> + Send + 'static,
        B: Into<Bytes>,
        E: Into<Error>,
    {
        let chunks = stream.map(|chunk| chunk.map(Into::into).map_err(Into::into));
        ResponseBody(Inner::Flowing(Box::new(Flowing {
            source: Source::Open(SyncWrapper::new(Box::pin(chunks))),
            left,
            sender: None,
        })))
    }

    /// What `body` has, for a layer's response.
    pub(crate) fn wrapping<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match downcast::<B, ResponseBody>(body) {
            Ok(own) => own,
            Err(body) => {
                let length = body.size_hint().exact();
                let chunks = body.into_data_stream().map_err(io::Error::other);
                ResponseBody::flowing(chunks, length)
            }
        }
    }

    /// The bytes as a stream, for a body that is made of this one: that one tells what fails.
    pub(crate) fn into_chunks(self) -> impl Stream<Item = io::Result<Bytes>> + Send + Unpin {
        let chunks: Chunks = match self.0 {
            Inner::Full(full) => Box::pin(full.into_data_stream().map_err(|never| match never {})),
            Inner::Flowing(flowing) => match flowing.source {
                Source::Open(chunks) => chunks.into_inner(),
                Source::Failed(error) => Box::pin(stream::iter([Err(error.into())])),
                Source::Ended => Box::pin(stream::empty()),
            },
        };
        chunks.map_err(|error| io::Error::other(error.to_string()))
    }

    /// How many bytes there are, if all are there.
    pub(crate) fn whole_length(&self) -> Option<usize> {
        match &self.0 {
            Inner::Full(bytes) => bytes
                .size_hint()
                .exact()
                .and_then(|n| usize::try_from(n).ok()),
            Inner::Flowing(_) => None,
        }
    }

    /// Whether it arrives while it is sent.
    #[inline]
    pub(crate) fn is_flowing(&self) -> bool {
        matches!(self.0, Inner::Flowing(_))
    }

    /// Says whose the body is, for the log. It costs nothing where all bytes are there.
    pub(crate) fn sent_by(&mut self, route: &dyn fmt::Display, head: &Head) {
        if let Inner::Flowing(flowing) = &mut self.0 {
            flowing.sender = Some(Sender {
                request: format!("{} {}", head.method(), head.path()),
                route: route.to_string(),
                span: Span::current(),
            });
        }
    }
}

impl Flowing {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let chunk = match &mut self.source {
            Source::Open(chunks) => {
                let _entered = self.sender.as_ref().map(|sender| sender.span.enter());
                ready!(next(chunks.get_mut(), context))
            }
            Source::Failed(_) | Source::Ended => {
                return Poll::Ready(match std::mem::replace(&mut self.source, Source::Ended) {
                    Source::Failed(error) => Some(Err(error)),
                    _ => None,
                });
            }
        };
        match chunk {
            Some(Ok(bytes)) => {
                let sent = bytes.len() as u64;
                self.left = self.left.map(|left| left.saturating_sub(sent));
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Some(Err(error)) => {
                self.log(&error);
                // hyper sends what it has gathered when there is nothing more for now, and throws
                // it away when there is an error: a client that got no byte might try again.
                self.source = Source::Failed(io::Error::other(error.to_string()));
                context.waker().wake_by_ref();
                Poll::Pending
            }
            None => {
                self.source = Source::Ended;
                Poll::Ready(None)
            }
        }
    }

    fn log(&self, error: &Error) {
        match &self.sender {
            Some(sender) => {
                let Sender {
                    request,
                    route,
                    span,
                } = sender;
                let _entered = span.enter();
                error!(request, route, "the body breaks off: {error}");
            }
            None => error!("the body breaks off: {error}"),
        }
    }
}

/// The next piece; a panic is an error.
fn next(chunks: &mut Chunks, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
    let poll = AssertUnwindSafe(|| chunks.as_mut().poll_next(context));
    catch_unwind(poll).unwrap_or_else(|panic| {
        let message = panic::message(&*panic);
        Poll::Ready(Some(Err(Error::internal(format!(
            "the stream panicked: {message}"
        )))))
    })
}

impl<B: Into<Bytes>> From<B> for ResponseBody {
    fn from(bytes: B) -> Self {
        ResponseBody(Inner::Full(Full::new(bytes.into())))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    /// It ends the connection.
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Inner::Full(bytes) => Pin::new(bytes)
                .poll_frame(context)
                .map_err(|never| match never {}),
            Inner::Flowing(flowing) => flowing.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Full(bytes) => bytes.is_end_stream(),
            Inner::Flowing(flowing) => {
                matches!(flowing.source, Source::Ended) || flowing.left == Some(0)
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Full(bytes) => bytes.size_hint(),
            Inner::Flowing(flowing) => flowing
                .left
                .map_or_else(SizeHint::new, SizeHint::with_exact),
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Full(bytes) => write!(f, "ResponseBody({} bytes)", bytes.size_hint().lower()),
            Inner::Flowing(_) => f.write_str("ResponseBody(a stream)"),
        }
    }
}
