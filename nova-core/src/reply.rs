//! What a controller returns: data, of which the framework makes the response.

mod file;
mod forms;
mod handlers;
mod headers;
mod into_reply;
mod json;
mod render;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use cookie::Cookie;
use futures_util::Stream;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, SET_COOKIE,
    TRANSFER_ENCODING,
};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::error::Error;
use crate::response::{self, ResponseBody};
use file::File;
pub(crate) use file::{chunks, content_type, has_become_shorter, next_chunk};
pub use forms::{bytes, html, json, redirect, sendfile, status, stream, text, value, view};
pub(crate) use handlers::ReplyHandlers;
use handlers::Value;
use headers::Headers;
pub use into_reply::{IntoError, IntoReply};
use json::encoded;
pub(crate) use render::Rendering;

/// An answer to be rendered: made by [`json`], [`view`], [`status`], [`redirect`], [`text`],
/// [`html`], [`bytes()`], [`stream`] or [`sendfile`]; or by [`value`], from a type of the app's own.
///
/// Each form but `redirect` is also a method, for behind [`status`]. Status, headers and body may
/// come in any order.
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
    /// In place of 200 or 201, where nobody sets a status.
    usual: Option<StatusCode>,
    headers: Headers,
    content: Content,
    /// The first mistake in making this reply; it becomes a 500.
    mistake: Option<Error>,
}

#[derive(Debug)]
enum Content {
    Empty,
    Redirect,
    Json(Bytes),
    /// With what they usually are.
    Bytes(Bytes, Kind),
    View {
        /// `None` for the one that is named after the controller.
        name: Option<String>,
        context: minijinja::Value,
    },
    Stream(ResponseBody),
    File(File),
    Value(Value),
}

/// What bytes are, unless the reply says otherwise.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Html,
    Octets,
}

/// The statuses of a redirect: the client goes to the `location` by itself (RFC 9110 §15.4).
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

impl Reply {
    fn empty() -> Self {
        Reply {
            status: None,
            usual: None,
            headers: Headers::default(),
            content: Content::Empty,
            mistake: None,
        }
    }

    /// A reply with this body, whose length may be known.
    pub(crate) fn of(body: ResponseBody) -> Self {
        Reply::empty().with_content(Content::Stream(body))
    }

    fn redirect(location: &str) -> Self {
        let mut reply = Reply::empty().with_status(302).header(LOCATION, location);
        reply.content = Content::Redirect;
        reply
    }

    fn with_content(mut self, content: Content) -> Self {
        self.content = content;
        self
    }

    /// The same reply with `value` as its JSON body.
    #[must_use]
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match encoded(value) {
            Ok(json) => self.content = Content::Json(json),
            Err(error) => self.mistaken(format!("the reply does not serialise: {error}")),
        }
        self
    }

    /// The same reply with `text` as its body.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        let text = text.into().into();
        self.with_content(Content::Bytes(text, Kind::Text))
    }

    /// The same reply with `page` as its body, which is HTML already.
    #[must_use]
    pub fn html(self, page: impl Into<String>) -> Self {
        let page = page.into().into();
        self.with_content(Content::Bytes(page, Kind::Html))
    }

    /// The same reply with these bytes as its body.
    #[must_use]
    pub fn bytes(self, bytes: impl Into<Bytes>) -> Self {
        self.with_content(Content::Bytes(bytes.into(), Kind::Octets))
    }

    /// The same reply with the view that is named after the controller.
    #[must_use]
    pub fn view<T: Serialize + ?Sized>(self, context: &T) -> Self {
        let context = minijinja::Value::from(minijinja::value::Serde(context));
        self.with_content(Content::View {
            name: None,
            context,
        })
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

    /// The same reply with the bytes of `stream` as its body.
    #[must_use]
    pub fn stream<S, B, E>(self, stream: S) -> Self
    where
        S: Stream<Item = Result<B, E>> + Send + 'static,
        B: Into<Bytes>,
        E: Into<Error>,
    {
        self.with_content(Content::Stream(ResponseBody::stream(stream)))
    }

    /// The same reply with a file as its body.
    #[must_use]
    pub fn sendfile(self, path: impl Into<PathBuf>) -> Self {
        self.with_content(Content::File(File::new(path.into())))
    }

    /// The same reply with a value that the handler of its type renders.
    #[must_use]
    pub fn value<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.with_content(Content::Value(Value::new(value)))
    }

    /// The same file without its first `bytes`. Behind its end there is nothing: an empty body.
    #[must_use]
    pub fn offset(mut self, bytes: u64) -> Self {
        match &mut self.content {
            Content::File(file) => file.offset = bytes,
            _ => self.mistaken("a reply that is no file has an offset".into()),
        }
        self
    }

    /// Of the same file these many bytes, from the [offset](Self::offset) on; fewer, if it has
    /// fewer.
    #[must_use]
    pub fn length(mut self, bytes: u64) -> Self {
        match &mut self.content {
            Content::File(file) => file.length = Some(bytes),
            _ => self.mistaken("a reply that is no file has a length to send".into()),
        }
        self
    }

    /// The same reply with another status; of a redirect, it is 301, 302, 303, 307 or 308.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        if matches!(self.content, Content::Redirect) && !REDIRECTS.contains(&status) {
            self.mistaken(format!(
                "a redirect cannot have the status {status}: it is 301, 302, 303, 307 or 308"
            ));
            return self;
        }
        // 1xx are no answers: 101 belongs to the protocols, the others to hyper.
        match StatusCode::from_u16(status) {
            Ok(code) if !code.is_informational() => self.status = Some(code),
            _ => self.mistaken(format!("a reply cannot have the status {status}")),
        }
        self
    }

    /// The same reply, with `status` unless it has one, or gets one from the handler of its value.
    pub(crate) fn or_status(mut self, status: StatusCode) -> Self {
        self.usual.get_or_insert(status);
        self
    }

    /// The same reply with this content type, such as `image/png`, in place of the usual one.
    #[must_use]
    pub fn content_type(self, content_type: impl TryInto<HeaderValue>) -> Self {
        self.header(CONTENT_TYPE, content_type)
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
        if let Some((name, value)) = self.checked(name, value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// The same reply with this header beside those of that name, as `link` and `vary` may be
    /// there several times. Mistakes are those of [`header`](Self::header).
    #[must_use]
    pub fn append_header(
        mut self,
        name: impl TryInto<HeaderName>,
        value: impl TryInto<HeaderValue>,
    ) -> Self {
        if let Some((name, value)) = self.checked(name, value) {
            self.headers.append(name, value);
        }
        self
    }

    /// The same reply, which also sets this cookie on the client.
    ///
    /// ```
    /// use nova_core::cookie::{Cookie, SameSite, time::Duration};
    /// use nova_core::{Reply, redirect};
    ///
    /// fn chosen(theme: &str) -> Reply {
    ///     let theme = Cookie::build(("theme", theme)).max_age(Duration::days(365));
    ///     redirect("/").cookie(theme).cookie(("welcomed", "yes"))
    /// }
    /// ```
    ///
    /// What the cookie does not say is `HttpOnly; SameSite=Lax; Path=/`: scripts do not see it, other
    /// sites' forms do not send it, all of this site gets it. `.http_only(false)`,
    /// `.same_site(SameSite::Strict)` and `.path("/admin")` say otherwise. It ends with the browser,
    /// unless it has a `max_age`. `.secure(true)` is for you to say where clients come by HTTPS;
    /// `SameSite::None` brings it along. For who is logged in there is [`Session`](crate::Session).
    ///
    /// A name or value that no cookie can have (RFC 6265 §4.1.1), such as a value with spaces,
    /// becomes a 500, with the reason in the log: percent-encode it.
    #[must_use]
    pub fn cookie<'c>(mut self, cookie: impl Into<Cookie<'c>>) -> Self {
        match response::cookie::set(cookie.into()) {
            Ok(cookie) => drop(self.headers.append(SET_COOKIE, cookie)),
            Err(reason) => self.mistaken(reason),
        }
        self
    }

    /// The same reply, which also takes a cookie away from the client: by its name, if it was set
    /// with the path and domain of [`cookie`](Self::cookie), or with its own.
    ///
    /// ```
    /// use nova_core::cookie::Cookie;
    /// use nova_core::redirect;
    ///
    /// let reply = redirect("/")
    ///     .remove_cookie("theme")
    ///     .remove_cookie(Cookie::build("filter").path("/admin"));
    /// ```
    #[must_use]
    pub fn remove_cookie<'c>(mut self, cookie: impl Into<Cookie<'c>>) -> Self {
        match response::cookie::removed(cookie.into()) {
            Ok(cookie) => drop(self.headers.append(SET_COOKIE, cookie)),
            Err(reason) => self.mistaken(reason),
        }
        self
    }

    fn checked(
        &mut self,
        name: impl TryInto<HeaderName>,
        value: impl TryInto<HeaderValue>,
    ) -> Option<(HeaderName, HeaderValue)> {
        match (name.try_into(), value.try_into()) {
            (Ok(name), Ok(_)) if is_framing(&name) => {
                self.mistaken(format!(
                    "the header `{name}` is the server's, not a reply's"
                ));
            }
            (Ok(name), Ok(value)) => return Some((name, value)),
            (Err(_), _) => self.mistaken("the reply has a header whose name is none".into()),
            (Ok(name), Err(_)) => {
                self.mistaken(format!(
                    "the reply's header `{name}` has a value that is none"
                ));
            }
        }
        None
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

    /// The file that is sent, for tests; `None` if the reply is no file.
    pub fn file(&self) -> Option<&Path> {
        match &self.content {
            Content::File(file) => Some(&file.path),
            _ => None,
        }
    }

    /// The [value](Self::value) that is rendered, if it is a `T`, for tests.
    pub fn downcast_ref<T: 'static>(&self) -> Option<&T> {
        match &self.content {
            Content::Value(value) => value.get(),
            _ => None,
        }
    }

    /// The bytes of the body; none yet if it is a view, a stream, a file or a value.
    pub fn body(&self) -> &[u8] {
        match &self.content {
            Content::Json(bytes) | Content::Bytes(bytes, _) => bytes,
            _ => &[],
        }
    }

    fn mistaken(&mut self, message: String) {
        self.mistake.get_or_insert_with(|| Error::internal(message));
    }
}

/// Headers that say where the message ends: a wrong one would break the connection.
pub(crate) fn is_framing(name: &HeaderName) -> bool {
    [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(name)
}
