//! From a reply to the response.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};

use super::{Content, Reply, ReplyHandlers};
use crate::error::Result;
use crate::plugin::page_context;
use crate::request::Head;
use crate::response::{Response, ResponseBody};
use crate::views::Views;

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
    /// The first mistake in making the reply, or why it cannot be rendered.
    pub(crate) async fn render(mut self, with: Rendering<'_>) -> Result<Response> {
        self = self.sound()?;
        // What waits is behind a pointer: it would make every request's future larger.
        if let Content::Value(value) = self.content {
            self.content = Content::Empty;
            self = Box::pin(self.handled(value, with)).await?.sound()?;
        }
        // RFC 9110 §15.3.5, §15.3.6 and §15.4.5: these have no content.
        if let Some(204 | 205 | 304) = self.status.as_ref().map(StatusCode::as_u16) {
            self.content = Content::Empty;
        }
        let fixed = |content_type| Some(HeaderValue::from_static(content_type));
        let mut usual = StatusCode::OK;
        let (body, content_type) = match self.content {
            Content::Empty | Content::Redirect => (ResponseBody::empty(), None),
            Content::Json(bytes) => {
                if with.head.method() == Method::POST {
                    usual = StatusCode::CREATED;
                }
                (bytes.into(), fixed("application/json"))
            }
            Content::Bytes(bytes, content_type) => (bytes.into(), fixed(content_type)),
            Content::View { name, context } => {
                let name = name.as_deref().unwrap_or(with.view);
                let context = page_context(with.head, context);
                let (page, content_type) = with.views.load().render(name, &context)?;
                (Bytes::from(page).into(), fixed(content_type))
            }
            Content::Stream(body) => (body, fixed("application/octet-stream")),
            Content::File(file) => {
                let content_type = file.content_type();
                (Box::pin(file.open()).await?, Some(content_type))
            }
            Content::Value(again) => return Err(again.answers_a_value()),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status.unwrap_or(usual);
        *response.headers_mut() = self.headers;
        if let Some(content_type) = content_type {
            let headers = response.headers_mut();
            headers.entry(CONTENT_TYPE).or_insert(content_type);
        }
        Ok(response)
    }

    fn sound(self) -> Result<Self> {
        match self.mistake {
            Some(mistake) => Err(mistake),
            None => Ok(self),
        }
    }
}
