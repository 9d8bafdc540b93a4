//! The body of a request: where it comes from, and the limits on it.

mod arriving;

use std::any::Any;
use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http::{HeaderMap, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::error::{Error, Result};
pub use arriving::ArrivingBody;

/// A body over the limit is read on, up to so many times the limit, and thrown away: a client
/// that is still sending when the connection closes would never see the answer.
const DISCARDED: usize = 8;

pub(crate) struct RequestBody {
    content: Content,
    limit: usize,
    /// How long the client may be silent.
    silence: Duration,
}

enum Content {
    Arriving(ArrivingBody),
    Read(Bytes),
    Broken(Failure),
}

/// Why there is no more of a body; told as often as somebody asks.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// It is the client's, with this status and message.
    Client(u16, String),
    /// The body has gone elsewhere: this is where.
    Gone(&'static str),
}

/// The body of a request as it arrives, for what should not be held in memory as a whole.
///
/// ```
/// # use nova_core::{Request, Reply, Result, json};
/// async fn length(mut request: Request) -> Result<Reply> {
///     let mut body = request.body_stream()?;
///     let mut length = 0;
///     while let Some(bytes) = body.next().await? {
///         length += bytes.len();
///     }
///     Ok(json(&length))
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// #     let request = nova_core::testing::request("POST", "/").body("milk");
/// #     assert!(length(request.build()).await.is_ok());
/// # }
/// ```
pub struct BodyStream {
    source: Source,
    limit: usize,
    silence: Duration,
    received: usize,
    /// Whether the client waits for `100 Continue` (RFC 9110 §10.1.1).
    is_asked_for: bool,
    failure: Option<Failure>,
}

enum Source {
    Arriving(ArrivingBody),
    Read(Bytes),
}

impl RequestBody {
    pub(crate) fn arriving(body: ArrivingBody, limit: usize, silence: Duration) -> Self {
        RequestBody {
            content: Content::Arriving(body),
            limit,
            silence,
        }
    }

    pub(crate) fn read_already(bytes: Bytes) -> Self {
        RequestBody {
            limit: bytes.len(),
            silence: Duration::ZERO,
            content: Content::Read(bytes),
        }
    }

    /// Sets another limit. It counts for what is read from now on.
    pub(crate) fn limit(&mut self, bytes: usize) {
        self.limit = bytes;
    }

    /// Whether it says itself that it is longer than the limit.
    #[inline]
    pub(crate) fn is_too_long(&self) -> bool {
        match &self.content {
            Content::Arriving(body) => body.size_hint().lower() > self.limit as u64,
            Content::Read(_) | Content::Broken(_) => false,
        }
    }

    pub(crate) async fn read(&mut self, headers: &HeaderMap) -> Result<Bytes> {
        if let Content::Read(bytes) = &self.content {
            return Ok(bytes.clone());
        }
        let mut stream = self.take("reading the body was abandoned half-way", headers)?;
        let received = stream.collect().await;
        self.content = match &received {
            Ok(bytes) => Content::Read(bytes.clone()),
            Err(error) => Content::Broken(Failure::of(error)),
        };
        received
    }

    /// The body as a stream. What was read already can be streamed again and again.
    pub(crate) fn stream(&mut self, headers: &HeaderMap) -> Result<BodyStream> {
        self.take("the body was taken as a stream before", headers)
    }

    fn take(&mut self, whereto: &'static str, headers: &HeaderMap) -> Result<BodyStream> {
        let gone = Content::Broken(Failure::Gone(whereto));
        let source = match std::mem::replace(&mut self.content, gone) {
            Content::Arriving(body) => Source::Arriving(body),
            Content::Read(bytes) => {
                self.content = Content::Read(bytes.clone());
                Source::Read(bytes)
            }
            Content::Broken(failure) => {
                let error = failure.error();
                self.content = Content::Broken(failure);
                return Err(error);
            }
        };
        Ok(BodyStream {
            source,
            limit: self.limit,
            silence: self.silence,
            received: 0,
            is_asked_for: headers.contains_key(header::EXPECT),
            failure: None,
        })
    }
}

impl Failure {
    pub(crate) fn of(error: &Error) -> Self {
        let message = error.detail().unwrap_or_default().to_owned();
        Failure::Client(error.status().as_u16(), message)
    }

    pub(crate) fn error(&self) -> Error {
        match self {
            Failure::Client(status, message) => Error::new(*status, message.clone()),
            Failure::Gone(whereto) => Error::internal(*whereto),
        }
    }
}

impl BodyStream {
    /// The next bytes, in pieces as they arrive; `None` at the end.
    ///
    /// # Errors
    /// 413 if the body is longer than `server.body_limit`, as soon as that is known; 408 if no byte
    /// arrives for `server.body_timeout`; 400 if the client breaks it off. The same again for who asks again.
    ///
    /// # Cancel safety
    /// No byte is lost if the future is dropped.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        if let Some(failure) = &self.failure {
            return Err(failure.error());
        }
        let next = self.receive().await;
        self.failure = next.as_ref().err().map(Failure::of);
        next
    }

    async fn receive(&mut self) -> Result<Option<Bytes>> {
        let body = match &mut self.source {
            Source::Read(bytes) if bytes.is_empty() => return Ok(None),
            Source::Read(bytes) => return Ok(Some(std::mem::take(bytes))),
            Source::Arriving(body) => body,
        };
        let left = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if left > self.limit - self.received {
            // A client that asks first need not send it at all.
            if !self.is_asked_for {
                self.discard(left).await;
            }
            return Err(self.too_long());
        }
        let data = next_data(body, self.silence).await?;
        let length = data.as_ref().map_or(0, Bytes::len);
        if length > self.limit - self.received {
            self.discard(0).await;
            return Err(self.too_long());
        }
        self.received += length;
        Ok(data)
    }

    async fn collect(&mut self) -> Result<Bytes> {
        let mut bytes = BytesMut::new();
        while let Some(data) = self.next().await? {
            if bytes.is_empty() && self.is_at_end() {
                return Ok(data); // the usual small body, in one piece: no copy
            }
            bytes.extend_from_slice(&data);
        }
        Ok(bytes.freeze())
    }

    fn is_at_end(&self) -> bool {
        match &self.source {
            Source::Arriving(body) => body.is_end_stream(),
            Source::Read(bytes) => bytes.is_empty(),
        }
    }

    /// Reads the rest, of which `left` bytes are announced, and throws it away, so that the client
    /// gets to read the answer.
    pub(crate) async fn discard(&mut self, left: usize) {
        let most = self.limit.saturating_mul(DISCARDED);
        let Source::Arriving(body) = &mut self.source else {
            return;
        };
        if left > most || self.failure.is_some() {
            return;
        }
        let mut discarded = 0;
        while let Ok(Some(data)) = next_data(body, self.silence).await {
            discarded += data.len();
            if discarded > most {
                return;
            }
        }
    }

    fn too_long(&self) -> Error {
        Error::new(413, format!("the body is longer than {} bytes", self.limit))
    }
}

async fn next_data(body: &mut ArrivingBody, silence: Duration) -> Result<Option<Bytes>> {
    loop {
        // What is there needs no timer.
        let frame = match body.frame().now_or_never() {
            Some(frame) => Ok(frame),
            None => timeout(silence, body.frame()).await,
        };
        let frame = match frame {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => return Ok(None),
            Ok(Some(Err(_))) => return Err(Error::new(400, "the body breaks off")),
            Err(_) => return Err(Error::new(408, "the body stopped arriving")),
        };
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data)); // trailers are passed over
        }
    }
}

/// `value` as a `U`, if it is one: then it need not be wrapped.
pub(crate) fn downcast<T: 'static, U: 'static>(value: T) -> Result<U, T> {
    let mut slot = Some(value);
    if let Some(own) = (&mut slot as &mut dyn Any).downcast_mut::<Option<U>>() {
        return Ok(own.take().expect("nobody has taken it"));
    }
    Err(slot.expect("nobody has taken it"))
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.content {
            Content::Arriving(_) => "RequestBody(arriving)",
            Content::Read(_) => "RequestBody(read)",
            Content::Broken(_) => "RequestBody(broken)",
        })
    }
}

/// Without the bytes: they may hold secrets.
impl fmt::Debug for BodyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyStream")
            .field("received", &self.received)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
