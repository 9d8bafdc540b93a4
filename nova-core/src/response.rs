//! What goes back to the client.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use serde::Serialize;

use crate::error::Error;

/// A rendered answer, as post plugins see it and may change it.
pub type Response = http::Response<ResponseBody>;

/// The bytes of a [`Response`].
#[derive(Debug, Clone, Default)]
pub struct ResponseBody(Full<Bytes>);

impl ResponseBody {
    /// No bytes at all.
    pub fn empty() -> Self {
        ResponseBody::default()
    }
}

impl<B: Into<Bytes>> From<B> for ResponseBody {
    fn from(bytes: B) -> Self {
        ResponseBody(Full::new(bytes.into()))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// An answer with a status and nothing else.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = status;
    response
}

/// A problem document (RFC 9457 §3) for an answer that is an error of the framework's.
pub(crate) fn problem(status: StatusCode, detail: Option<&str>) -> Response {
    #[derive(Serialize)]
    struct Problem<'a> {
        title: &'a str,
        status: u16,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<&'a str>,
    }
    let problem = Problem {
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail,
    };
    let json = serde_json::to_vec(&problem).expect("strings and a number always encode");
    let mut response = Response::new(ResponseBody::from(json));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    response
}

impl From<&Error> for Response {
    fn from(error: &Error) -> Self {
        problem(error.status(), error.detail())
    }
}
