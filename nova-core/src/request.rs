//! What a controller gets: the head of the request, which plugins share, and its body.

use std::fmt::{self, Display};
use std::net::{IpAddr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::{AsHeaderName, HeaderValue};
use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Uri, Version};
use hyper::upgrade::OnUpgrade;
use nova_pubsub::PubSub;
use serde::de::DeserializeOwned;

use crate::app::Shared;
use crate::bindings::Bindings;
use crate::body::{BodyStream, RequestBody};
use crate::cookies;
use crate::error::{Error, Result};
use crate::forwarded::Client;
use crate::mounted::Parts as AppParts;
use crate::multipart::Multipart;
use crate::params::{Kind, Params};
use crate::peer::Peer;
use crate::plugin::CorrelationId;
use crate::response::headers;
use crate::router::Router;
use crate::security::AuthData;
use crate::session::Session;

const NO_PARAMS: &str =
    "send a form (`application/x-www-form-urlencoded`) or JSON (`application/json`)";

const NO_PARTS: &str = "send a form without parts (`application/x-www-form-urlencoded`)";

/// One request: its [`Head`], to which it dereferences, and its body.
///
/// A test builds one by hand, with [`testing::request`](crate::testing::request).
pub struct Request {
    head: Arc<Head>,
    body: RequestBody,
    pub(crate) upgrade: Option<OnUpgrade>,
    /// Why a status page is asked.
    cause: Option<Arc<Error>>,
}

/// All of a request but its body. Plugins before and after the controller see the same head.
pub struct Head {
    method: Method,
    uri: Uri,
    version: Version,
    headers: HeaderMap,
    extensions: Extensions,
    via: Arc<Via>,
    pub(crate) bindings: Bindings,
    /// What the `request` plugin has decoded.
    pub(crate) params: Option<Params>,
    /// What the group's security function knows.
    pub(crate) auth_data: Option<AuthData>,
    /// What the route has for who answers.
    pub(crate) extra: Option<Arc<serde_json::Value>>,
    /// The mounted app that the route is of.
    pub(crate) mounted: Option<Arc<AppParts>>,
    /// The client's session; looked up when first asked for.
    session: OnceLock<Session>,
    /// Whether it is too late for a cookie.
    answered: AtomicBool,
    /// The app's pub/sub with this request as the sender; made when first asked for.
    pubsub: OnceLock<PubSub>,
}

/// The way of a request into the app, the same for all of one connection. So a request counts among the
/// holders of this, and the count of the app's holders is not written to by all cores.
#[derive(Debug)]
pub(crate) struct Via {
    pub(crate) app: Arc<Shared>,
    pub(crate) peer: Peer,
}

impl Request {
    pub(crate) fn new(parts: Parts, body: RequestBody, via: Arc<Via>) -> Self {
        let mut extensions = parts.extensions;
        let upgrade = extensions.remove::<OnUpgrade>();
        Request {
            head: Arc::new(Head {
                method: parts.method,
                uri: parts.uri,
                version: parts.version,
                headers: parts.headers,
                extensions,
                via,
                bindings: Bindings::default(),
                params: None,
                auth_data: None,
                extra: None,
                mounted: None,
                session: OnceLock::new(),
                answered: AtomicBool::new(false),
                pubsub: OnceLock::new(),
            }),
            body,
            upgrade,
            cause: None,
        }
    }

    /// The request once more, for a status page: its body is gone.
    pub(crate) fn again(head: Arc<Head>, cause: Arc<Error>) -> Self {
        Request {
            head,
            body: RequestBody::read_already(Bytes::new()),
            upgrade: None,
            cause: Some(cause),
        }
    }

    /// Why a status page is asked: the error that is to be answered, or one with nothing but the
    /// status and the headers of the answer that has no body. `None` in any other action.
    ///
    /// ```
    /// use nova_core::{App, Reply, Request, json};
    ///
    /// async fn not_found(request: Request) -> Reply {
    ///     let why = request.cause().and_then(|error| error.detail());
    ///     json(&serde_json::json!({ "error": why.unwrap_or("there is nothing here") }))
    /// }
    ///
    /// let app = App::builder().route((404, not_found)).build().unwrap();
    /// ```
    pub fn cause(&self) -> Option<&Error> {
        self.cause.as_deref()
    }

    /// The head by itself, for what outlives the request.
    pub fn head(&self) -> &Arc<Head> {
        &self.head
    }

    /// The whole body. It is read once; later calls give the same bytes.
    ///
    /// # Errors
    /// 413 if it is longer than `server.body_limit`, 408 if no byte arrives for `server.body_timeout`, 400 if the
    /// client breaks it off.
    ///
    /// # Cancel safety
    /// What was read is lost when the future is dropped, and the body with it.
    pub async fn body(&mut self) -> Result<Bytes> {
        self.body.read(&self.head.headers).await
    }

    /// The body as it arrives, for what should not be held in memory as a whole. It can be taken
    /// once, unless it was read before.
    ///
    /// # Errors
    /// 500 if it was taken before; those of [`body`](Self::body) if that has failed.
    pub fn body_stream(&mut self) -> Result<BodyStream> {
        self.body.stream(&self.head.headers)
    }

    /// The parts of a form with files in it (`multipart/form-data`), as they arrive:
    /// [`Multipart`] shows how. As [`body_stream`](Self::body_stream), it can be taken once.
    ///
    /// # Errors
    /// 415 if the content type is another one, 400 if it names no boundary, and those of
    /// [`body_stream`](Self::body_stream).
    pub fn multipart(&mut self) -> Result<Multipart> {
        let boundary = Multipart::boundary(&self.head.headers)?;
        Ok(Multipart::new(self.body_stream()?, boundary))
    }

    /// Sets the longest body that is taken, in bytes, unless it was read already.
    /// Whether the body says itself that it is longer than the limit; then nobody need ask for it.
    #[inline]
    pub(crate) fn is_too_long(&self) -> bool {
        self.body.is_too_long()
    }

    pub(crate) fn limit_body(&mut self, bytes: usize) {
        self.body.limit(bytes);
    }

    /// The parameters in the body, as a `T`: a form or JSON, as the content type says.
    ///
    /// ```
    /// # use nova_core::{Request, Reply, Result, json};
    /// #[derive(serde::Deserialize, serde::Serialize)]
    /// struct NewNote {
    ///     title: String,
    ///     body: String,
    /// }
    ///
    /// async fn create(mut request: Request) -> Result<Reply> {
    ///     let note: NewNote = request.params().await?;
    ///     Ok(json(&note))
    /// }
    /// ```
    ///
    /// # Errors
    /// 400 if the body is malformed or empty JSON, 415 if it is neither a form nor JSON, 422 with
    /// each wrong [field](Error::fields) if it is no `T`, and those of [`body`](Self::body). JSON that is no
    /// object is 422 too; [`json`](Self::json) reads any.
    ///
    /// # Cancel safety
    /// As [`body`](Self::body)'s.
    pub async fn params<T: DeserializeOwned>(&mut self) -> Result<T> {
        if let Some(params) = &self.head.params {
            return params.decode();
        }
        let body = self.body().await?;
        let kind = match Kind::of(&self.head.headers) {
            Some(kind) => kind,
            // Nothing at all: no parameters, rather than parameters of the wrong type.
            None if body.is_empty() => Kind::Form,
            None => return Err(Error::new(415, NO_PARAMS)),
        };
        kind.unchecked(body).decode()
    }

    /// The body as JSON, as a `T`, whatever the content type says.
    ///
    /// # Errors
    /// 400 if it is malformed or empty, 422 with the path of each wrong
    /// [field](Error::fields) if it is no `T`, and those
    /// of [`body`](Self::body).
    ///
    /// # Cancel safety
    /// As [`body`](Self::body)'s.
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        let body = self.body().await?;
        Kind::Json.decode(&body)
    }

    /// The body as a form, as a `T`, whatever the content type says.
    ///
    /// # Errors
    /// 400 if it is badly encoded, 422 with each wrong [field](Error::fields) if it is no
    /// `T`, and those of [`body`](Self::body). A form with files in it, `multipart/form-data`, is a 415:
    /// [`multipart`](Self::multipart) reads those.
    ///
    /// # Cancel safety
    /// As [`body`](Self::body)'s.
    pub async fn form<T: DeserializeOwned>(&mut self) -> Result<T> {
        if Multipart::boundary(&self.head.headers).is_ok() {
            return Err(Error::new(415, NO_PARTS));
        }
        let body = self.body().await?;
        Kind::Form.decode(&body)
    }
}

impl Head {
    /// The method, as the client sent it: a `HEAD` stays one, also when a `GET` route answers it.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The target, as the client sent it.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The path, as the client sent it: not decoded.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The version of HTTP that the client speaks.
    pub fn version(&self) -> Version {
        self.version
    }

    /// All headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The first header of that name, if it is text.
    pub fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The value of the cookie of that name, as the client sent it: not decoded, but without quotes
    /// around it. If the client has sent several, it is the first, which was set for the longest
    /// path (RFC 6265 §5.4).
    ///
    /// ```
    /// # use nova_core::testing;
    /// let request = testing::request("GET", "/").header("cookie", "theme=dark; size=3");
    /// let request = request.build();
    /// assert_eq!(request.cookie("theme"), Some("dark"));
    /// assert_eq!(request.cookies().count(), 2);
    /// ```
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let (_, value) = self.cookies().find(|(sent, _)| *sent == name)?;
        Some(value)
    }

    /// The names and values of all cookies. What is malformed in the header is passed over.
    pub fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        cookies::sent(&self.headers)
    }

    /// The address of the other end of the connection; `None` for a Unix socket, and for
    /// a connection in memory. Behind a proxy that is the proxy: [`client_ip`](Self::client_ip) looks further.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.via.peer.address()
    }

    /// The address of the client, as far as it is sure; `None` for a connection in memory, and for
    /// one by a Unix socket whose proxy is not trusted or says nothing.
    ///
    /// It is that of the [`peer`](Self::peer), unless that is one of the
    /// [`trusted_proxies`](crate::ServerConfig::trusted_proxies): those are asked. The
    /// [`forwarded_header`](crate::ServerConfig::forwarded_header) is read from its end, proxy by
    /// proxy, and the first address that is no trusted proxy is the client's. What is malformed,
    /// or no address, ends the way at the proxy that has written it.
    pub fn client_ip(&self) -> Option<IpAddr> {
        self.client().ip
    }

    /// `https` if the client spoke it, with the app or with a
    /// [trusted proxy](crate::ServerConfig::trusted_proxies) that says so; else `http`.
    ///
    /// In `X-Forwarded-Proto`, the last value counts; in `Forwarded`, the one beside the client's
    /// address.
    pub fn scheme(&self) -> &'static str {
        match self.is_secure() {
            true => "https",
            false => "http",
        }
    }

    /// Whether the [`scheme`](Self::scheme) is `https`.
    pub fn is_secure(&self) -> bool {
        self.client().is_secure
    }

    fn client(&self) -> Client {
        self.via.app.proxies.client(self.via.peer, &self.headers)
    }

    /// The id that the [`correlation`](crate::CorrelationPlugin) plugin has given the request;
    /// `None` where it does not run.
    pub fn correlation_id(&self) -> Option<&str> {
        Some(self.extensions.get::<CorrelationId>()?.as_str())
    }

    /// What the route's `{name}` stands for in this path, decoded, as a `T`.
    ///
    /// ```
    /// # use nova_core::testing;
    /// let request = testing::request("GET", "/notes/7").binding("id", 7).build();
    /// let id: i64 = request.binding("id").unwrap();
    /// assert_eq!(id, 7);
    ///
    /// let request = testing::request("GET", "/notes/x").binding("id", "x").build();
    /// assert_eq!(request.binding::<i64>("id").unwrap_err().status(), 404);
    /// ```
    ///
    /// # Errors
    /// 404 if the value is no `T`: there is nothing under such a path. 500 if the route binds no
    /// such name; the log says which names it binds.
    pub fn binding<T: FromStr>(&self, name: &str) -> Result<T> {
        let Some(value) = self.bindings.get(name, self.path()) else {
            let bound = crate::build_error::listed(self.bindings.names());
            return Err(Error::internal(format!(
                "the route binds no `{name}`; it binds {bound}"
            )));
        };
        value.parse().map_err(|_| {
            let what = match std::any::type_name::<T>() {
                "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "no integer",
                "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "no integer from 0 up",
                "f32" | "f64" => "no number",
                _ => "not what belongs there",
            };
            Error::new(404, format!("`{name}` in the path is {what}"))
        })
    }

    /// The `extra` data of the route, as a `T`: what one action needs to know to serve several routes.
    ///
    /// ```toml
    /// routes = [
    ///     ["/news/{id}",   "pages::show", { extra = { folder = "news" } }],
    ///     ["/events/{id}", "pages::show", { extra = { folder = "events" } }],
    /// ]
    /// ```
    ///
    /// # Errors
    /// 500 if the route has none, or it is no `T`.
    pub fn extra<T: DeserializeOwned>(&self) -> Result<T> {
        let Some(extra) = &self.extra else {
            let missing = "the route has no `extra` data: give it some in its options";
            return Err(Error::internal(missing));
        };
        T::deserialize(&**extra).map_err(|error| {
            let wanted = std::any::type_name::<T>();
            Error::internal(format!(
                "the route's `extra` data is no `{wanted}`: {error}"
            ))
        })
    }

    /// The path of the route that is named `name`, with these values for what it binds; each is
    /// percent-encoded as one segment.
    ///
    /// ```
    /// use nova_core::{App, Request, Result, methods, redirect, Reply};
    ///
    /// async fn show(request: Request) -> Result<String> {
    ///     request.binding("id")
    /// }
    ///
    /// async fn latest(request: Request) -> Result<Reply> {
    ///     Ok(redirect(&request.path_for("note", &[("id", &7)])?))
    /// }
    ///
    /// let app = App::builder()
    ///     .route(("/notes/{id}", show, methods(["get"]).name("note")))
    ///     .route(("/latest", latest, methods(["get"])))
    ///     .build()
    ///     .unwrap();
    /// ```
    ///
    /// In an app that is mounted, the app's own names come before those of the whole app.
    ///
    /// Views have it as `{{ path_for("note", id=note.id) }}`; a name that is written out there is
    /// checked when the app is built.
    ///
    /// # Errors
    /// 500 if there is no such route, if it binds other names, or if a value is empty.
    pub fn path_for(&self, name: &str, values: &[(&str, &dyn Display)]) -> Result<String> {
        let app = self.mounted.as_ref().map_or("", |app| &app.name);
        self.via.app.router.path_within(app, name, values)
    }

    /// The routes of the app.
    pub fn router(&self) -> &Router {
        &self.via.app.router
    }

    /// The query string, as a `T`. No query string is an empty one.
    ///
    /// # Errors
    /// 400 if it is badly encoded, 422 with each wrong [field](Error::fields) if it is no `T`.
    pub fn query<T: DeserializeOwned>(&self) -> Result<T> {
        Kind::Form.decode(self.uri.query().unwrap_or_default().as_bytes())
    }

    /// The pub/sub, with this request as the sender.
    pub fn pubsub(&self) -> &PubSub {
        self.pubsub.get_or_init(|| self.via.app.pubsub.new_sender())
    }

    /// The session of the client: what the app remembers of it from one request to the next.
    pub fn session(&self) -> &Session {
        self.session.get_or_init(|| {
            let answered = self.answered.load(Ordering::Acquire);
            Session::of(&self.via.app, &self.headers, answered)
        })
    }

    /// The cookie that the answer has to set, if the session was touched and that changed its id.
    pub(crate) fn session_cookie(&self) -> Option<HeaderValue> {
        self.answered.store(true, Ordering::Release);
        self.session.get()?.cookie(|| self.is_secure())
    }

    /// Who sent the request, as the group's [`Security`](crate::Security) function has found out.
    ///
    /// # Errors
    /// 500 if it has given no `T`: the route's group has no `security`, or another one.
    pub fn auth_data<T: 'static>(&self) -> Result<&T> {
        let data = self.auth_data.as_ref().and_then(AuthData::get);
        data.ok_or_else(|| {
            let wanted = std::any::type_name::<T>();
            Error::internal(format!(
                "there is no `{wanted}`: the `security` of the route's group gives none"
            ))
        })
    }

    /// Runs `work` to its end, also when the client hangs up in the middle, and waits for it.
    ///
    /// An action's future is dropped with its client. Where two steps belong together, such as
    /// writing to the database and telling the others, put both in here:
    ///
    /// ```
    /// # use nova_core::{Reply, Request, Result, json};
    /// # async fn insert(title: String) -> Result<String> { Ok(title) }
    /// async fn create(request: Request) -> Result<Reply> {
    ///     let pubsub = request.pubsub().clone();
    ///     let note = request.complete(async move {
    ///         let note = insert("milk".into()).await?;
    ///         pubsub.broadcast("notes", "note_created", &note);
    ///         Ok(note)
    ///     });
    ///     Ok(json(&note.await?))
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// #     create(nova_core::testing::request("POST", "/").build()).await.unwrap();
    /// # }
    /// ```
    ///
    /// It costs a task, and begins at once. A stopping app waits for it as long as for requests.
    ///
    /// # Errors
    /// Those of `work`.
    ///
    /// # Panics
    /// If `work` panics, with the same message. If it is called outside a tokio runtime.
    pub fn complete<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        self.via.app.complete(work)
    }

    /// What plugins have left here for the controller, by type.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// A place for a plugin to leave something, by type.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }
}

/// Both have the same session.
impl Clone for Head {
    fn clone(&self) -> Self {
        self.session();
        Head {
            method: self.method.clone(),
            uri: self.uri.clone(),
            version: self.version,
            headers: self.headers.clone(),
            extensions: self.extensions.clone(),
            via: Arc::clone(&self.via),
            bindings: self.bindings.clone(),
            params: self.params.clone(),
            auth_data: self.auth_data.clone(),
            extra: self.extra.clone(),
            mounted: self.mounted.clone(),
            session: self.session.clone(),
            answered: AtomicBool::new(self.answered.load(Ordering::Acquire)),
            pubsub: self.pubsub.clone(),
        }
    }
}

impl Drop for Head {
    fn drop(&mut self) {
        headers::keep_room(std::mem::take(&mut self.headers));
    }
}

impl Deref for Request {
    type Target = Head;

    fn deref(&self) -> &Head {
        &self.head
    }
}

/// Changing a head that somebody else holds changes a copy of it.
impl DerefMut for Request {
    fn deref_mut(&mut self) -> &mut Head {
        Arc::make_mut(&mut self.head)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("head", &self.head)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

/// Without the headers and the query: they may hold secrets.
impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("method", &self.method)
            .field("path", &self.path())
            .field("bindings", &self.bindings)
            .field("peer", &self.via.peer)
            .finish_non_exhaustive()
    }
}
