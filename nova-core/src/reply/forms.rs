//! The functions that make a reply, one for each form.

use std::path::PathBuf;

use bytes::Bytes;
use futures_util::Stream;
use serde::Serialize;

use super::Reply;
use crate::error::Error;

/// A JSON answer: 201 to a `POST` and 200 to everything else, unless a status is set.
///
/// A value that does not serialise becomes a 500, with the reason in the log.
pub fn json<T: Serialize + ?Sized>(value: &T) -> Reply {
    Reply::empty().json(value)
}

/// An answer with this status and no body; add one with [`Reply::json`], [`Reply::text`] and the
/// like. A 204, 205 or 304 has none, whatever is added.
///
/// A number that is no status of an answer (200 to 999) becomes a 500, with the reason in the log.
pub fn status(status: u16) -> Reply {
    Reply::empty().with_status(status)
}

/// Sends the client to `location`, with 302 Found.
///
/// ```
/// use nova_core::redirect;
///
/// let moved = redirect("/notes").with_status(301);
/// ```
///
/// [`Reply::with_status`] makes it one of the others (RFC 9110 §15.4):
///
/// | | for now | for good |
/// |---|---|---|
/// | a `POST` may become a `GET` | 302 | 301 |
/// | everything becomes a `GET`: see other | 303 | |
/// | the method stays | 307 | 308 |
///
/// Another status is a mistake: it becomes a 500, with the reason in the log. So does a location
/// that no header can have. Whether a location from a client may be gone to is for you to check.
pub fn redirect(location: &str) -> Reply {
    Reply::redirect(location)
}

/// A plain-text answer, in UTF-8.
pub fn text(text: impl Into<String>) -> Reply {
    Reply::empty().text(text)
}

/// A page that is HTML already, in UTF-8. Nothing in it is escaped; [`view`] does that.
///
/// ```
/// use nova_core::html;
///
/// let page = html("<!doctype html><title>Nova</title><p>hello</p>");
/// ```
pub fn html(page: impl Into<String>) -> Reply {
    Reply::empty().html(page)
}

/// An answer of any bytes: `application/octet-stream`, unless [`Reply::content_type`] says what
/// they are.
///
/// ```
/// use nova_core::bytes;
///
/// let dot = bytes(b"GIF89a".as_slice()).content_type("image/gif");
/// ```
pub fn bytes(bytes: impl Into<Bytes>) -> Reply {
    Reply::empty().bytes(bytes)
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
    Reply::empty().view(context)
}

/// An answer whose length nobody knows yet: the bytes of `stream`, sent as they come.
///
/// Its type is `application/octet-stream`, unless [`Reply::content_type`] says another.
///
/// ```
/// use futures_util::stream;
/// use nova_core::{Error, Reply, Request};
///
/// async fn export(_request: Request) -> Reply {
///     let rows = (1..=1000).map(|id| Ok::<_, Error>(format!("{id},milk\n")));
///     nova_core::stream(stream::iter(rows)).content_type("text/csv; charset=utf-8")
/// }
/// ```
///
/// The stream is asked for more as fast as the client reads, and no faster. It is dropped when the
/// client hangs up. When it fails or panics, the error is logged with the route and the connection
/// ends without the end of the body, so that the client sees that something is missing: the status
/// has been sent long before. A stopping app waits for a stream as long as for a request.
pub fn stream<S, B, E>(stream: S) -> Reply
where
    S: Stream<Item = Result<B, E>> + Send + 'static,
    B: Into<Bytes>,
    E: Into<Error>,
{
    Reply::empty().stream(stream)
}

/// The file at `path`, from its beginning to its end, or what [`Reply::offset`] and
/// [`Reply::length`] leave of it.
///
/// ```
/// use nova_core::{Reply, Request, Result, sendfile};
///
/// async fn terms(_request: Request) -> Result<Reply> {
///     Ok(sendfile("priv/terms.pdf").header("content-disposition", "attachment"))
/// }
/// ```
///
/// The content type goes by the end of the name, with `charset=utf-8` for text, unless
/// [`Reply::content_type`] says another; what is not known is `application/octet-stream`. A
/// relative path is one below the working directory. The file is read while it is sent, 64 KiB at
/// a time; a `HEAD` reads nothing.
///
/// A file that is not there is a 404. One that cannot be read, or that is a folder, is a 500 with
/// the reason in the log. One that becomes shorter while it is sent cuts the connection.
///
/// `path` is sent whatever it leads to. Do not make it of what a client sends, or check that first:
/// `..` and links lead out of a folder.
pub fn sendfile(path: impl Into<PathBuf>) -> Reply {
    Reply::empty().sendfile(path)
}

/// An answer of the app's own form: a value that is rendered by the handler of its type, which the
/// app registers with [`AppBuilder::reply_handler`](crate::AppBuilder::reply_handler).
///
/// ```
/// use nova_core::{IntoReply, Reply, Result, value};
///
/// struct Xml(String);
///
/// fn feed() -> Reply {
///     value(Xml("<feed/>".into())).header("cache-control", "max-age=60")
/// }
///
/// // Then actions can return an `Xml` as it is.
/// impl IntoReply for Xml {
///     fn into_reply(self) -> Result<Reply> {
///         Ok(value(self))
///     }
/// }
/// # assert_eq!(feed().downcast_ref::<Xml>().unwrap().0, "<feed/>");
/// ```
///
/// The status and the headers that this reply has win over those of the handler's. A type without a
/// handler becomes a 500; the log names the type, and the call that registers a handler.
pub fn value<T: Send + Sync + 'static>(value: T) -> Reply {
    Reply::empty().value(value)
}
