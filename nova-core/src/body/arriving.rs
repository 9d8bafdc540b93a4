//! The body of a request on its way into the app: the server's, or one that a layer has wrapped.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use sync_wrapper::SyncWrapper;

/// The body of a request, as layers around the app see it: see [`AppBuilder::layer`](crate::AppBuilder::layer).
pub struct ArrivingBody(Inner);

enum Inner {
    Incoming(Incoming),
    Other(Box<Other>),
}

/// Any other body. What it says of itself is kept beside it, as it may not be shared by threads.
struct Other {
    body: SyncWrapper<Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>>,
    size: SizeHint,
    is_at_end: bool,
}

type BoxError = Box<dyn Error + Send + Sync>;

impl ArrivingBody {
    /// What `body` has.
    pub fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let body = match super::downcast::<B, ArrivingBody>(body) {
            Ok(arriving) => return arriving,
            Err(body) => body,
        };
        match super::downcast::<B, Incoming>(body) {
            Ok(incoming) => incoming.into(),
            Err(body) => {
                let (size, is_at_end) = (body.size_hint(), body.is_end_stream());
                let body = http_body_util::BodyExt::map_err(body, Into::into);
                ArrivingBody(Inner::Other(Box::new(Other {
                    body: SyncWrapper::new(Box::pin(body)),
                    size,
                    is_at_end,
                })))
            }
        }
    }
}

impl From<Incoming> for ArrivingBody {
    fn from(body: Incoming) -> Self {
        ArrivingBody(Inner::Incoming(body))
    }
}

impl Body for ArrivingBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Inner::Incoming(body) => Pin::new(body).poll_frame(context).map_err(Into::into),
            Inner::Other(other) => {
                let body = other.body.get_mut();
                let frame = ready!(body.as_mut().poll_frame(context));
                (other.size, other.is_at_end) = (body.size_hint(), body.is_end_stream());
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Incoming(body) => body.is_end_stream(),
            Inner::Other(other) => other.is_at_end,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Incoming(body) => body.size_hint(),
            Inner::Other(other) => other.size,
        }
    }
}

impl fmt::Debug for ArrivingBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArrivingBody({:?})", self.size_hint())
    }
}
