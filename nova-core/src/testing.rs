//! Tests of an app without a port, and requests made by hand.
//!
//! [`TestClient`] talks to a whole app through the real HTTP stack, over a pipe in memory:
//!
//! ```
//! use nova_core::testing::TestClient;
//! use nova_core::{App, text};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let app = App::builder()
//!     .action("hello", |_| async { text("hello") })
//!     .route(("/", "hello"))
//!     .build()
//!     .unwrap();
//!
//! let response = TestClient::new(app).get("/").await;
//!
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.text(), "hello");
//! # }
//! ```
//!
//! [`request`] makes a [`Request`] for a controller's method, or for a plugin, without any app.
//!
//! [`session_store`] tries a [`SessionStore`](crate::SessionStore).
//!
//! These are tools for tests: what goes wrong in them panics, with a message that says what.

mod session_store;
mod stream;

use std::fmt::{Debug, Display};
use std::future::{Future, IntoFuture, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AsHeaderName, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use nova_pubsub::PubSub;
use serde::Serialize;
use serde::de::DeserializeOwned;
pub use session_store::session_store;
pub use stream::TestBody;
use tokio::io::DuplexStream;

use crate::app::{App, Shared};
use crate::body::RequestBody;
use crate::config::Config;
use crate::protocol::Upgraded;
use crate::request::{Request, Via};
use crate::router::Router;
use crate::security::Access;
use crate::server::Served;
use crate::service::ServiceContext;
use crate::session::Sessions;

/// How much a connection in memory holds before its writer waits: about what a socket does.
const PIPE_BYTES: usize = 64 * 1024;

/// A client of an app that is served in memory, its services running.
///
/// Each request has a connection of its own. Dropping the client cuts the connections and tells
/// the services to stop; [`stop`](Self::stop) waits for all of it.
#[derive(Debug)]
pub struct TestClient {
    served: Served,
}

impl TestClient {
    /// Starts the app.
    ///
    /// # Panics
    /// Outside a tokio runtime, and if a plugin does not start.
    pub fn new(app: App) -> Self {
        let served = Served::start(app);
        let begun = served.begin_plugins();
        begun.unwrap_or_else(|failed| panic!("the app does not start: {failed}"));
        TestClient { served }
    }

    /// A `GET` of this path. Await it to send it.
    pub fn get(&self, path: &str) -> TestRequest<'_> {
        self.request("GET", path)
    }

    /// A `POST` to this path.
    pub fn post(&self, path: &str) -> TestRequest<'_> {
        self.request("POST", path)
    }

    /// A `PUT` to this path.
    pub fn put(&self, path: &str) -> TestRequest<'_> {
        self.request("PUT", path)
    }

    /// A `DELETE` of this path.
    pub fn delete(&self, path: &str) -> TestRequest<'_> {
        self.request("DELETE", path)
    }

    /// A request with any method.
    pub fn request(&self, method: &str, path: &str) -> TestRequest<'_> {
        RequestBuilder {
            parts: Parts::new(method, path),
            purpose: self,
        }
    }

    /// The pub/sub of the app.
    pub fn pubsub(&self) -> &PubSub {
        &self.served.core.shared.pubsub
    }

    /// A bare connection, for a test that writes its own bytes.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn connect(&self) -> DuplexStream {
        self.connect_from(None)
    }

    fn connect_from(&self, peer: Option<SocketAddr>) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        self.served.connect(theirs, peer.into());
        ours
    }

    async fn upgrade(&self, parts: Parts) -> Result<(TestResponse, Upgraded), TestResponse> {
        let mut response = self.send(parts).await;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(read(response).await);
        }
        let upgraded = hyper::upgrade::on(&mut response)
            .await
            .expect("the app keeps the connection after its 101");
        let answer = TestResponse {
            status: response.status(),
            headers: response.headers().clone(),
            body: Bytes::new(),
        };
        Ok((answer, Upgraded::new(upgraded, self.served.life.stopping())))
    }

    /// Stops the app as a signal would: requests finish, sockets close, services stop.
    pub async fn stop(mut self) {
        self.served.stop(ready(())).await;
    }

    async fn send(&self, parts: Parts) -> http::Response<hyper::body::Incoming> {
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(self.connect_from(parts.peer)))
                .await
                .expect("a connection in memory does not fail");
        tokio::spawn(connection.with_upgrades());
        let mut request = http::Request::builder()
            .method(parts.method)
            .uri(&parts.path)
            .body(Full::new(parts.body))
            .unwrap_or_else(|error| panic!("`{}` is no path: {error}", parts.path));
        *request.headers_mut() = parts.headers;
        request
            .headers_mut()
            .entry(http::header::HOST)
            .or_insert(HeaderValue::from_static("localhost"));
        sender
            .send_request(request)
            .await
            .unwrap_or_else(|error| panic!("no answer from the app: {error}"))
    }
}

async fn read(response: http::Response<hyper::body::Incoming>) -> TestResponse {
    let (parts, body) = response.into_parts();
    let body = body.collect().await;
    TestResponse {
        status: parts.status,
        headers: parts.headers,
        body: body
            .unwrap_or_else(|error| panic!("the answer breaks off: {error}"))
            .to_bytes(),
    }
}

/// A request in the making, with what it is for: an app in memory ([`TestRequest`]), or to be
/// handed to a controller's method or a plugin directly ([`request`]).
#[derive(Debug)]
pub struct RequestBuilder<For> {
    parts: Parts,
    purpose: For,
}

impl<For> RequestBuilder<For> {
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.parts.header(name, value);
        self
    }

    /// Sets a JSON body, and its content type.
    #[must_use]
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        self.parts.json(value);
        self
    }

    /// Sets a form as the body, and its content type.
    #[must_use]
    pub fn form<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        self.parts.form(value);
        self
    }

    /// Sets the other end of the connection, such as `"192.0.2.1:4711"`; there is none otherwise.
    ///
    /// # Panics
    /// If it is no address with a port.
    #[must_use]
    pub fn peer(mut self, address: &str) -> Self {
        self.parts.peer = Some(valid("address with a port", address, address.parse()));
        self
    }

    /// Sets the body, without a content type.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.parts.body = body.into();
        self
    }
}

/// A request to an app in memory. Await it to send it.
pub type TestRequest<'c> = RequestBuilder<&'c TestClient>;

impl TestRequest<'_> {
    /// Sends it as an upgrade, and gives the 101 and the raw connection behind it.
    ///
    /// # Errors
    /// The answer, if it is not a 101.
    ///
    /// # Panics
    /// If the app does not answer.
    pub async fn upgrade(self) -> Result<(TestResponse, Upgraded), TestResponse> {
        self.purpose.upgrade(self.parts).await
    }

    /// Sends it, and gives the answer when its head is there, with the body to be read as it comes.
    /// Dropping that hangs up.
    ///
    /// # Panics
    /// If the app does not answer.
    pub async fn stream(self) -> (TestResponse, TestBody) {
        let (parts, body) = self.purpose.send(self.parts).await.into_parts();
        let answer = TestResponse {
            status: parts.status,
            headers: parts.headers,
            body: Bytes::new(),
        };
        (answer, TestBody::new(body))
    }
}

impl<'c> IntoFuture for TestRequest<'c> {
    type Output = TestResponse;
    type IntoFuture = Pin<Box<dyn Future<Output = TestResponse> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { read(self.purpose.send(self.parts).await).await })
    }
}

/// The answer to a [`TestRequest`], read to its end.
#[derive(Debug, Clone)]
pub struct TestResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl TestResponse {
    /// The status; it compares with numbers.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// All headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The first header of that name, if it is text.
    pub fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as text.
    ///
    /// # Panics
    /// If it is not UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text in UTF-8")
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is no JSON, or no `T`.
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("the body is not that JSON: {error}: {:?}", self.body))
    }
}

/// Begins a request that is handed to a controller's method or a plugin directly.
///
/// It has a pub/sub of its own unless it gets one, so that a test sees what is broadcast:
///
/// ```
/// use nova_core::pubsub::PubSub;
/// use nova_core::testing;
///
/// let pubsub = PubSub::new();
/// let mut mailbox = pubsub.mailbox();
/// mailbox.join("notes");
///
/// let request = testing::request("POST", "/notes").pubsub(&pubsub).build();
/// request.pubsub().broadcast("notes", "note_created", "milk");
///
/// assert!(mailbox.try_recv().is_some());
/// ```
pub fn request(method: &str, path: &str) -> RequestBuilder<ByHand> {
    RequestBuilder {
        parts: Parts::new(method, path),
        purpose: ByHand::default(),
    }
}

/// What a [`Service`](crate::Service) gets, over a pub/sub of the test's own. Closing that ends the
/// service's mailboxes, as a stop of the app would.
///
/// ```
/// use nova_core::pubsub::{PubSub, Received};
/// use nova_core::{Result, Service, ServiceContext, testing};
///
/// struct Echo;
///
/// impl Service for Echo {
///     async fn run(&self, context: ServiceContext) -> Result<()> {
///         let mut mailbox = context.pubsub().mailbox();
///         mailbox.join("calls");
///         while let Some(received) = mailbox.recv().await {
///             if let Received::Message(message) = received {
///                 context.pubsub().broadcast("answers", message.topic(), "heard");
///             }
///         }
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let pubsub = PubSub::new();
/// let mut answers = pubsub.mailbox();
/// answers.join("answers");
/// let context = testing::service_context(&pubsub);
/// let service = tokio::spawn(async move { Echo.run(context).await });
/// while pubsub.get_local_members("calls").is_empty() {
///     tokio::task::yield_now().await;
/// }
///
/// pubsub.broadcast("calls", "hello", "anybody there?");
/// let Some(Received::Message(answer)) = answers.recv().await else {
///     panic!("no answer");
/// };
/// assert_eq!(answer.topic(), "hello");
/// pubsub.close();
/// service.await.unwrap().unwrap();
/// # }
/// ```
pub fn service_context(pubsub: &PubSub) -> ServiceContext {
    ServiceContext::new(pubsub)
}

/// What a request by hand has of an app.
#[derive(Debug, Default)]
pub struct ByHand {
    bindings: Vec<(String, String)>,
    pubsub: Option<PubSub>,
    access: Option<Access>,
}

impl RequestBuilder<ByHand> {
    /// Binds a name in the path, as the router would.
    #[must_use]
    pub fn binding(mut self, name: &str, value: impl Display) -> Self {
        self.purpose
            .bindings
            .push((name.to_owned(), value.to_string()));
        self
    }

    /// The pub/sub that the request broadcasts on.
    #[must_use]
    pub fn pubsub(mut self, pubsub: &PubSub) -> Self {
        self.purpose.pubsub = Some(pubsub.clone());
        self
    }

    /// What the security function of the route's group would know of who sent it.
    #[must_use]
    pub fn auth_data<T: Send + Sync + 'static>(mut self, data: T) -> Self {
        self.purpose.access = Some(Access::granted_as(data));
        self
    }

    /// The request.
    ///
    /// # Panics
    /// If its path is none.
    pub fn build(self) -> Request {
        let mut head = http::Request::builder()
            .method(self.parts.method)
            .uri(&self.parts.path)
            .body(())
            .unwrap_or_else(|error| panic!("`{}` is no path: {error}", self.parts.path));
        *head.headers_mut() = self.parts.headers;
        let body = RequestBody::read_already(self.parts.body);
        let config = Config::default();
        let app = Arc::new(Shared {
            pubsub: self.purpose.pubsub.unwrap_or_default(),
            ..Shared::new(
                &config,
                Router::empty(),
                Sessions::in_memory(&config.session),
            )
        });
        let peer = self.parts.peer.into();
        let mut request = Request::new(head.into_parts().0, body, Arc::new(Via { app, peer }));
        for (name, value) in &self.purpose.bindings {
            request.bindings.bind(name, value);
        }
        if let Some(Access::GrantedAs(data)) = self.purpose.access {
            request.auth_data = Some(data);
        }
        request
    }
}

/// What both kinds of requests are made of.
#[derive(Debug)]
struct Parts {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
    peer: Option<SocketAddr>,
}

impl Parts {
    fn new(method: &str, path: &str) -> Self {
        Parts {
            method: valid("method", method, method.parse()),
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            peer: None,
        }
    }

    fn header(&mut self, name: &str, value: &str) {
        let value = valid("header value", value, HeaderValue::from_str(value));
        let name: HeaderName = valid("header name", name, name.parse());
        match name {
            CONTENT_TYPE => self.headers.insert(name, value).is_some(),
            _ => self.headers.append(name, value),
        };
    }

    fn json<T: Serialize + ?Sized>(&mut self, value: &T) {
        self.body = serde_json::to_vec(value)
            .expect("the JSON of a test serialises")
            .into();
        self.content_type("application/json");
    }

    fn form<T: Serialize + ?Sized>(&mut self, value: &T) {
        self.body = serde_html_form::to_string(value)
            .expect("the form of a test serialises")
            .into();
        self.content_type("application/x-www-form-urlencoded");
    }

    fn content_type(&mut self, content_type: &'static str) {
        self.headers
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static(content_type));
    }
}

fn valid<T, E: Debug>(what: &str, text: &str, parsed: Result<T, E>) -> T {
    parsed.unwrap_or_else(|error| panic!("{text:?} is no {what}: {error:?}"))
}
