//! The body of a request: where it comes from, and the limits on it.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::error::{Error, Result};

/// How long the client may be silent in the middle of a body.
const SILENCE: Duration = Duration::from_secs(30);
/// A body over the limit is read on, up to so many times the limit, and thrown away: a client
/// that is still sending when the connection closes would never see the answer.
const DISCARDED: usize = 8;

pub(crate) struct RequestBody {
    content: Content,
    limit: usize,
}

enum Content {
    Arriving(Incoming),
    Read(Bytes),
    /// Reading failed, with this status and message, or was abandoned half-way.
    Broken(Option<(u16, String)>),
}

impl RequestBody {
    pub(crate) fn arriving(body: Incoming, limit: usize) -> Self {
        RequestBody {
            content: Content::Arriving(body),
            limit,
        }
    }

    pub(crate) fn read_already(bytes: Bytes) -> Self {
        RequestBody {
            limit: bytes.len(),
            content: Content::Read(bytes),
        }
    }

    pub(crate) async fn read(&mut self, headers: &HeaderMap) -> Result<Bytes> {
        let mut body = match std::mem::replace(&mut self.content, Content::Broken(None)) {
            Content::Arriving(body) => body,
            Content::Read(bytes) => {
                self.content = Content::Read(bytes.clone());
                return Ok(bytes);
            }
            Content::Broken(Some((status, message))) => {
                self.content = Content::Broken(Some((status, message.clone())));
                return Err(Error::new(status, message));
            }
            Content::Broken(None) => {
                return Err(Error::internal("reading the body was abandoned half-way"));
            }
        };
        let received = self.receive(&mut body, headers).await;
        self.content = match &received {
            Ok(bytes) => Content::Read(bytes.clone()),
            Err(error) => {
                let message = error.detail().unwrap_or_default().to_owned();
                Content::Broken(Some((error.status().as_u16(), message)))
            }
        };
        received
    }

    async fn receive(&self, body: &mut Incoming, headers: &HeaderMap) -> Result<Bytes> {
        let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if declared > self.limit {
            // A client that waits for `100 Continue` (RFC 9110 §10.1.1) need not send it at all.
            if !headers.contains_key(header::EXPECT) {
                self.discard(body, declared).await;
            }
            return Err(self.too_long());
        }
        let mut bytes = BytesMut::new();
        while let Some(data) = self.next(body).await? {
            if bytes.len() + data.len() > self.limit {
                drop(bytes);
                self.discard(body, declared).await;
                return Err(self.too_long());
            }
            if bytes.is_empty() && body.is_end_stream() {
                return Ok(data); // the usual small body, in one piece: no copy
            }
            bytes.extend_from_slice(&data);
        }
        Ok(bytes.freeze())
    }

    async fn next(&self, body: &mut Incoming) -> Result<Option<Bytes>> {
        loop {
            let frame = match timeout(SILENCE, body.frame()).await {
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

    async fn discard(&self, body: &mut Incoming, declared: usize) {
        let most = self.limit.saturating_mul(DISCARDED);
        if declared > most {
            return;
        }
        let mut discarded = 0;
        while let Ok(Some(data)) = self.next(body).await {
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

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.content {
            Content::Arriving(_) => "RequestBody(arriving)",
            Content::Read(_) => "RequestBody(read)",
            Content::Broken(_) => "RequestBody(broken)",
        })
    }
}
