//! From a reply to the response.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::{Content, Kind, Reply, ReplyHandlers};
use crate::error::Result;
use crate::fallback::Failure;
use crate::plugin::page_context;
use crate::request::Head;
use crate::response::{Response, ResponseBody, headers};
use crate::views::Views;

// Constants, for a header value is checked when it is made.
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

impl Kind {
    fn content_type(self) -> HeaderValue {
        match self {
            Kind::Text => TEXT,
            Kind::Html => HTML,
            Kind::Octets => OCTETS,
        }
    }
}

/// What a reply is rendered with.
#[derive(Clone, Copy)]
pub(crate) struct Rendering<'r> {
    pub(crate) head: &'r Arc<Head>,
    pub(crate) views: &'r ArcSwap<Views>,
    pub(crate) replies: &'r ReplyHandlers,
    /// The view that is named after who answers.
    pub(crate) view: &'r str,
}

impl Reply {
    /// The answer to a request.
    ///
    /// # Errors
    /// The first mistake in making the reply, or why it cannot be rendered; the reply itself, if it
    /// has a value without a handler.
    pub(crate) async fn render(mut self, with: Rendering<'_>) -> Result<Response, Failure> {
        loop {
            self = match self.render_now(with) {
                Ok(rendered) => return rendered,
                Err(waiting) => waiting.nearer(with).await?,
            };
        }
    }

    /// The same for what need not wait, as most replies; it makes every request's future smaller. What
    /// has to wait for a file or for a handler is given back.
    pub(crate) fn render_now(
        mut self,
        with: Rendering<'_>,
    ) -> Result<Result<Response, Failure>, Self> {
        if let Some(mistake) = self.mistake {
            return Ok(Err(mistake.into()));
        }
        // RFC 9110 §15.3.5, §15.3.6 and §15.4.5: these have no content.
        if let Some(204 | 205 | 304) = self.status.as_ref().map(StatusCode::as_u16)
            && !matches!(self.content, Content::Value(_))
        {
            self.content = Content::Empty;
        }
        let mut usual = StatusCode::OK;
        let (body, content_type) = match self.content {
            Content::Empty | Content::Redirect => (ResponseBody::empty(), None),
            Content::Json(bytes) => {
                if with.head.method() == Method::POST {
                    usual = StatusCode::CREATED;
                }
                (bytes.into(), Some(JSON))
            }
            Content::Bytes(bytes, kind) => (bytes.into(), Some(kind.content_type())),
            Content::View { name, context } => {
                let name = name.as_deref().unwrap_or(with.view);
                let context = page_context(with.head, context);
                match with.views.load().render(name, &context) {
                    Ok((page, content_type)) => {
                        let content_type = HeaderValue::from_static(content_type);
                        (Bytes::from(page).into(), Some(content_type))
                    }
                    Err(error) => return Ok(Err(error.into())),
                }
            }
            Content::Stream(body) => (body, Some(OCTETS)),
            Content::File(_) | Content::Value(_) => return Err(self),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status.or(self.usual).unwrap_or(usual);
        *response.headers_mut() = match self.headers.into_map() {
            Some(headers) => headers,
            None if content_type.is_some() => headers::empty(),
            None => HeaderMap::new(),
        };
        if let Some(content_type) = content_type {
            let headers = response.headers_mut();
            headers.entry(CONTENT_TYPE).or_insert(content_type);
        }
        Ok(Ok(response))
    }

    /// What comes of a file or a value: a stream, or what the handler says.
    async fn nearer(mut self, with: Rendering<'_>) -> Result<Self, Failure> {
        match std::mem::replace(&mut self.content, Content::Empty) {
            Content::Value(value) => match self.handled(value, with).await? {
                Reply {
                    content: Content::Value(again),
                    ..
                } => Err(again.answers_a_value().into()),
                reply => Ok(reply),
            },
            Content::File(file) => {
                let content_type = file.content_type();
                self.headers.entry(CONTENT_TYPE).or_insert(content_type);
                Ok(self.with_content(Content::Stream(file.open().await?)))
            }
            content => Ok(self.with_content(content)),
        }
    }
}
