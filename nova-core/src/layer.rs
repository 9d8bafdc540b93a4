//! [tower](https://docs.rs/tower) around the app: layers that wrap it, and the app as a service.
//!
//! An app without layers knows nothing of this. With layers, the server hands a request to the
//! outermost one, with what the app needs to answer it among the extensions; the innermost takes
//! that out again.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::{poll_fn, ready};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::Body;
use tokio::sync::Mutex;
use tower_layer::Layer;
use tower_service::Service;
use tracing::error;

use crate::app::{App, Core};
use crate::body::ArrivingBody;
use crate::life::Life;
use crate::panic;
use crate::peer::Peer;
use crate::pipeline::Received;
use crate::protocol::BoxFuture;
use crate::request::Via;
use crate::response::{self, Response, ResponseBody};
use crate::serve_error::ServeError;
use crate::server::Served;
use crate::server::health::Probe;

type BoxError = Box<dyn Error + Send + Sync>;

/// What a layer wraps: the app, or the layers that are nearer to it. It never fails.
///
/// See [`AppBuilder::layer`](crate::AppBuilder::layer).
#[derive(Clone)]
pub struct Layered(Option<Arc<dyn Around>>);

/// A layer with what it wraps, whatever its type.
trait Around: Send + Sync {
    fn answer(&self, request: Request<ArrivingBody>) -> BoxFuture<'static, Response>;
}

/// What the app needs to answer a request, among the extensions on the way through the layers.
#[derive(Clone)]
struct Entry {
    core: Arc<Core>,
    via: Arc<Via>,
    life: Life,
}

impl Layered {
    /// The app without layers.
    pub(crate) fn app() -> Self {
        Layered(None)
    }

    /// This, with one more layer around it.
    pub(crate) fn wrapped<L, B>(self, layer: L) -> Self
    where
        L: Layer<Layered>,
        L::Service: Service<Request<ArrivingBody>, Response = http::Response<B>>
            + Clone
            + Send
            + Sync
            + 'static,
        <L::Service as Service<Request<ArrivingBody>>>::Error: Into<BoxError>,
        <L::Service as Service<Request<ArrivingBody>>>::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Layered(Some(Arc::new(Wrapping(layer.layer(self)))))
    }

    fn answer(&self, mut request: Request<ArrivingBody>) -> BoxFuture<'static, Response> {
        if let Some(around) = &self.0 {
            return around.answer(request);
        }
        match request.extensions_mut().remove::<Entry>() {
            Some(Entry { core, via, life }) => {
                let received = core.receive(request, via);
                Box::pin(async move { core.respond(received, &life).await })
            }
            None => Box::pin(async {
                failed("a layer has made a new request and left the extensions of the old one out")
            }),
        }
    }
}

impl<B> Service<Request<B>> for Layered
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let answer = self.answer(request.map(ArrivingBody::new));
        Box::pin(async { Ok(answer.await) })
    }
}

/// The service that a layer has made.
struct Wrapping<S>(S);

impl<S, B> Around for Wrapping<S>
where
    S: Service<Request<ArrivingBody>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn answer(&self, request: Request<ArrivingBody>) -> BoxFuture<'static, Response> {
        let mut service = self.0.clone();
        Box::pin(async move {
            let answered = panic::catch(async {
                poll_fn(|context| service.poll_ready(context)).await?;
                service.call(request).await
            });
            match answered.await {
                Ok(Ok(response)) => response.map(ResponseBody::wrapping),
                Ok(Err(error)) => failed(&format!("a layer fails: {}", error.into())),
                Err(panic) => failed(&format!("a layer panicked: {panic}")),
            }
        })
    }
}

/// The client learns nothing of it.
fn failed(why: &str) -> Response {
    error!("{why}");
    response::empty(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A request on its way into the app. As with [`Received`], it is made before the future that answers
/// it.
pub(crate) enum Entered {
    App(Received),
    /// The layers, or what asks how the app is.
    Layers(BoxFuture<'static, Response>),
}

impl Core {
    /// The way in for requests that come from `peer`.
    pub(crate) fn via(&self, peer: Peer) -> Arc<Via> {
        Arc::new(Via {
            app: Arc::clone(&self.shared),
            peer,
        })
    }

    /// Takes in a request from outside: through the layers if there are any, and past all of the app if
    /// it asks how the app is.
    pub(crate) fn enter<B: Into<ArrivingBody>>(
        self: &Arc<Self>,
        request: Request<B>,
        via: &Arc<Via>,
        life: &Life,
    ) -> Entered {
        if self.config.server.health
            && let Some(probe) = Probe::of(request.uri().path())
        {
            let (core, life) = (Arc::clone(self), life.clone());
            let method = request.method().clone();
            return Entered::Layers(Box::pin(async move {
                core.health.answer(probe, &method, &life).await
            }));
        }
        let Some(layers) = &self.layers else {
            return Entered::App(self.receive(request, Arc::clone(via)));
        };
        let mut request = request.map(Into::into);
        let extensions = request.extensions_mut();
        if let Some(peer) = via.peer.address() {
            extensions.insert(peer);
        }
        extensions.insert(Entry {
            core: Arc::clone(self),
            via: Arc::clone(via),
            life: life.clone(),
        });
        Entered::Layers(layers.answer(request))
    }
}

/// An app as a tower service, for who has a server already. Clones are the same app.
///
/// It takes requests with any body, and never fails. Its `call` needs no `poll_ready` before it. A
/// `std::net::SocketAddr` among the extensions of a request is taken for the
/// [peer](crate::Head::peer); where hyper is the server, upgrades work as they do in
/// [`App::serve`].
///
/// ```
/// use nova_core::{App, Request, text};
/// use tower_service::Service;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let app = App::builder()
///     .route(("/", |_: Request| async { text("hello") }))
///     .build()
///     .unwrap();
/// let mut service = app.into_service().unwrap();
///
/// let request = http::Request::new(http_body_util::Empty::new());
/// let response = service.call(request).await.unwrap();
///
/// assert_eq!(response.status(), 200);
/// service.stop().await;
/// # }
/// ```
///
/// Dropping the last clone tells the services of the app to stop, and cuts sockets.
#[derive(Clone)]
pub struct AppService {
    core: Arc<Core>,
    life: Life,
    /// A tokio mutex: it is held while the app stops.
    served: Arc<Mutex<Served>>,
}

impl App {
    /// Starts the services and the plugins, and gives the app as a tower service. The layers of the
    /// app are around it.
    ///
    /// # Errors
    /// A plugin could not get ready.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn into_service(self) -> Result<AppService, ServeError> {
        let served = Served::start(self);
        served.begin_plugins()?;
        Ok(AppService {
            core: Arc::clone(&served.core),
            life: served.life.clone(),
            served: Arc::new(Mutex::new(served)),
        })
    }
}

impl AppService {
    /// Stops the app: requests finish, sockets are closed, plugins and then services stop. What asks
    /// for an answer later still gets one.
    pub async fn stop(&self) {
        self.served.lock().await.stop(ready(())).await;
    }
}

impl<B> Service<Request<B>> for AppService
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let AppService { core, life, .. } = self.clone();
        let peer = request.extensions().get::<SocketAddr>().copied();
        let under_way = life.request();
        let entered = core.enter(
            request.map(ArrivingBody::new),
            &core.via(peer.into()),
            &life,
        );
        Box::pin(async move {
            let _under_way = under_way;
            Ok(match entered {
                Entered::App(received) => core.respond(received, &life).await,
                Entered::Layers(answer) => answer.await,
            })
        })
    }
}

impl fmt::Debug for Layered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Layered")
    }
}

impl fmt::Debug for AppService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppService")
    }
}
