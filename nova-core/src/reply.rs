//! What a controller returns: data, of which the framework makes the response.

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, TRANSFER_ENCODING,
};
use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::response::{Response, ResponseBody};
use crate::views::Views;

/// An answer to be rendered: made by [`json`], [`view`], [`status`], [`redirect`] or [`text`].
///
/// ```
/// use nova_core::{Reply, json, status};
///
/// fn answer(found: Option<&str>) -> Reply {
///     match found {
///         Some(title) => json(title).header("cache-control", "no-store"),
///         None => status(404).json(&serde_json::json!({ "error": "note not found" })),
///     }
/// }
/// # assert_eq!(answer(None).status(), Some(http::StatusCode::NOT_FOUND));
/// ```
#[derive(Debug)]
pub struct Reply {
    status: Option<StatusCode>,
    headers: HeaderMap,
    content: Content,
    /// The first mistake in making this reply; it becomes a 500.
    mistake: Option<Error>,
}

#[derive(Debug)]
enum Content {
    Empty,
    Json(Bytes),
    Text(Bytes),
    View {
        /// `None` for the one that is named after the controller.
        name: Option<String>,
        context: minijinja::Value,
    },
}

/// What a reply is rendered with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rendering<'r> {
    pub(crate) method: &'r Method,
    pub(crate) views: &'r Views,
    /// The view that is named after who answers.
    pub(crate) view: &'r str,
}

/// A JSON answer: 201 to a `POST` and 200 to everything else, unless a status is set.
///
/// A value that does not serialise becomes a 500, with the reason in the log.
pub fn json<T: Serialize + ?Sized>(value: &T) -> Reply {
    Reply::empty().json(value)
}

/// An answer with this status and no body; add one with [`Reply::json`] or [`Reply::text`]. A 204,
/// 205 or 304 has none, whatever is added.
///
/// A number that is no status of an answer (200 to 999) becomes a 500, with the reason in the log.
pub fn status(status: u16) -> Reply {
    Reply::empty().with_status(status)
}

/// Sends the client to `location`, with 302 Found. [`Reply::with_status`] makes it a 303 or 307.
pub fn redirect(location: &str) -> Reply {
    Reply::empty().with_status(302).header(LOCATION, location)
}

/// A plain-text answer, in UTF-8.
pub fn text(text: impl Into<String>) -> Reply {
    Reply::empty().text(text)
}

/// A page: the view that is named after the controller, rendered with the fields of `context`.
/// [`Reply::named`] takes another view.
///
/// Views are [minijinja](https://docs.rs/minijinja) templates in the folder `views` beside
/// `router.toml`, or where [`AppBuilder::views`](crate::AppBuilder::views) says: `pages.html` for
/// the controller `pages`, or for the action `pages`. Values are escaped for HTML, in `.js` and
/// `.json` files they become JSON, and in `.txt`, `.md` and `.css` files they stay as they are; the
/// content type goes by the end of the name, too, and is `text/html; charset=utf-8` for `.html`.
///
/// ```
/// use nova_core::{Reply, view};
/// use serde_json::json;
///
/// fn page(user: &str) -> Reply {
///     view(&json!({ "user": user }))
/// }
/// # assert_eq!(page("ann").context().unwrap()["user"], "ann");
/// ```
///
/// A view that does not exist, or that does not go with its context, becomes a 500, with the reason
/// in the log.
pub fn view<T: Serialize + ?Sized>(context: &T) -> Reply {
    let mut reply = Reply::empty();
    reply.content = Content::View {
        name: None,
        context: minijinja::Value::from(minijinja::value::Serde(context)),
    };
    reply
}

impl Reply {
    fn empty() -> Self {
        Reply {
            status: None,
            headers: HeaderMap::new(),
            content: Content::Empty,
            mistake: None,
        }
    }

    /// The same reply with `value` as its JSON body.
    #[must_use]
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(json) => self.content = Content::Json(json.into()),
            Err(error) => self.mistaken(format!("the reply does not serialise: {error}")),
        }
        self
    }

    /// The same reply with `text` as its body.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.content = Content::Text(text.into().into());
        self
    }

    /// The same page from another view: `notes/form` is `views/notes/form.html`.
    #[must_use]
    pub fn named(mut self, view: impl Into<String>) -> Self {
        match &mut self.content {
            Content::View { name, .. } => *name = Some(view.into()),
            _ => self.mistaken("a reply that is no view is called by the name of one".into()),
        }
        self
    }

    /// The same reply with another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        // 1xx are no answers: 101 belongs to the protocols, the others to hyper.
        match StatusCode::from_u16(status) {
            Ok(code) if !code.is_informational() => self.status = Some(code),
            _ => self.mistaken(format!("a reply cannot have the status {status}")),
        }
        self
    }

    /// The same reply with this header, in place of any of that name.
    ///
    /// A name or value that no header can have, such as one with a line break, becomes a 500,
    /// with the reason in the log. So do `content-length`, `transfer-encoding` and `connection`,
    /// which the server sets.
    #[must_use]
    pub fn header(
        mut self,
        name: impl TryInto<HeaderName>,
        value: impl TryInto<HeaderValue>,
    ) -> Self {
        match (name.try_into(), value.try_into()) {
            (Ok(name), Ok(_)) if is_framing(&name) => {
                self.mistaken(format!(
                    "the header `{name}` is the server's, not a reply's"
                ));
            }
            (Ok(name), Ok(value)) => {
                self.headers.insert(name, value);
            }
            (Err(_), _) => self.mistaken("the reply has a header whose name is none".into()),
            (Ok(name), Err(_)) => {
                self.mistaken(format!(
                    "the reply's header `{name}` has a value that is none"
                ));
            }
        }
        self
    }

    /// The status, if one is set.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The headers that are set; the content type is added when the reply is rendered.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The view that is rendered, if it has a [name](Self::named).
    pub fn name(&self) -> Option<&str> {
        match &self.content {
            Content::View { name, .. } => name.as_deref(),
            _ => None,
        }
    }

    /// What a view is rendered with, for tests; `None` if the reply is no view.
    pub fn context(&self) -> Option<serde_json::Value> {
        match &self.content {
            Content::View { context, .. } => serde_json::to_value(context).ok(),
            _ => None,
        }
    }

    /// The bytes of the body; none yet if it is a view.
    pub fn body(&self) -> &[u8] {
        match &self.content {
            Content::Empty | Content::View { .. } => &[],
            Content::Json(bytes) | Content::Text(bytes) => bytes,
        }
    }

    fn mistaken(&mut self, message: String) {
        self.mistake.get_or_insert_with(|| Error::internal(message));
    }

    /// The answer to a request.
    pub(crate) fn render(self, with: Rendering<'_>) -> Result<Response> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        let (bytes, content_type, usual) = match self.content {
            Content::Empty => (Bytes::new(), None, StatusCode::OK),
            Content::Json(bytes) if with.method == Method::POST => {
                (bytes, Some("application/json"), StatusCode::CREATED)
            }
            Content::Json(bytes) => (bytes, Some("application/json"), StatusCode::OK),
            Content::Text(bytes) => (bytes, Some("text/plain; charset=utf-8"), StatusCode::OK),
            Content::View { name, context } => {
                let name = name.as_deref().unwrap_or(with.view);
                let (page, content_type) = with.views.render(name, &context)?;
                (page.into(), Some(content_type), StatusCode::OK)
            }
        };
        let status = self.status.unwrap_or(usual);
        // RFC 9110 §15.3.5, §15.3.6 and §15.4.5: these have no content.
        let has_content = !matches!(status.as_u16(), 204 | 205 | 304);
        let bytes = if has_content { bytes } else { Bytes::new() };
        let mut response = Response::new(ResponseBody::from(bytes));
        *response.status_mut() = status;
        *response.headers_mut() = self.headers;
        if let Some(content_type) = content_type.filter(|_| has_content) {
            response
                .headers_mut()
                .entry(CONTENT_TYPE)
                .or_insert(HeaderValue::from_static(content_type));
        }
        Ok(response)
    }
}

/// Headers that say where the message ends: a wrong one would break the connection.
pub(crate) fn is_framing(name: &HeaderName) -> bool {
    [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(name)
}

/// What an action can return.
///
/// A [`Reply`], text, `()` for an empty 200, or a `Result` of one of these: its error is the
/// answer then.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no reply",
    label = "an action returns a `Reply`, or a `Result` of one",
    note = "make one with `json(&value)`, `view(&context)`, `status(204)`, `redirect(\"/\")` or `text(\"…\")`"
)]
pub trait IntoReply {
    /// The reply, or the error that is the answer instead.
    ///
    /// # Errors
    /// Whatever the action returned as one.
    fn into_reply(self) -> Result<Reply>;
}

impl IntoReply for Reply {
    fn into_reply(self) -> Result<Reply> {
        Ok(self)
    }
}

impl IntoReply for () {
    fn into_reply(self) -> Result<Reply> {
        Ok(status(200))
    }
}

impl IntoReply for &str {
    fn into_reply(self) -> Result<Reply> {
        Ok(text(self))
    }
}

impl IntoReply for String {
    fn into_reply(self) -> Result<Reply> {
        Ok(text(self))
    }
}

impl<T: IntoReply, E: IntoError> IntoReply for Result<T, E> {
    fn into_reply(self) -> Result<Reply> {
        self.map_err(Into::into)?.into_reply()
    }
}

/// What an action can return as its error: all that is an [`Error`] by `?`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no error",
    label = "an action fails with a `nova_core::Error`, or with what implements `std::error::Error`",
    note = "make one with `Error::new(422, \"what the client may read\")`"
)]
pub trait IntoError: Into<Error> {}

// The compiler is to say what an error is, instead of which `From` is missing.
#[diagnostic::do_not_recommend]
impl<E: Into<Error>> IntoError for E {}
