//! tower around the app, and the app as a tower service.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::HeaderValue;
use http_body_util::{BodyExt, Full, StreamBody};
use nova_core::testing::TestClient;
use nova_core::{App, AppBuilder, ArrivingBody, Flow, Plugin, PluginContext, Request, Response};
use tokio::sync::Notify;
use tower::util::{MapRequestLayer, MapResponseLayer};
use tower::{ServiceExt, service_fn};
use tower_layer::layer_fn;

async fn echo(mut request: Request) -> nova_core::Result<String> {
    let length = request.header("content-length").map(str::to_owned);
    let body = request.body().await?;
    let body = String::from_utf8_lossy(&body);
    Ok(format!("{body} {length:?} {:?}", request.peer()))
}

fn builder() -> AppBuilder {
    App::builder().route(("/echo", echo))
}

/// Appends its name to a header of the answer.
fn mark(name: &'static str) -> MapResponseLayer<impl Fn(Response) -> Response + Clone> {
    MapResponseLayer::new(move |mut response: Response| {
        let name = HeaderValue::from_static(name);
        response.headers_mut().append("x-mark", name);
        response
    })
}

#[tokio::test]
async fn each_answer_passes_the_layers_and_the_first_one_is_nearest() {
    let app = builder().layer(mark("inner")).layer(mark("outer"));
    let client = TestClient::new(app.build().unwrap());
    for (path, status) in [("/echo", 200), ("/nothing", 404)] {
        let response = client.get(path).await;
        assert_eq!(response.status(), status);
        let marks: Vec<_> = response.headers().get_all("x-mark").iter().collect();
        assert_eq!(marks, ["inner", "outer"]);
    }
}

#[tokio::test]
async fn a_layer_is_made_once_for_all_connections() {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let app = builder().layer(layer_fn(move |inner| {
        count.fetch_add(1, Ordering::Relaxed);
        inner
    }));
    let client = TestClient::new(app.build().unwrap());
    client.get("/echo").await;
    client.get("/echo").await;
    assert_eq!(made.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_layer_may_change_the_bodies_on_both_ways() {
    let shout = MapRequestLayer::new(|request: http::Request<ArrivingBody>| {
        request.map(|body| {
            let stream = body.into_data_stream();
            let stream = futures_util::TryStreamExt::map_ok(stream, |bytes| {
                http_body::Frame::data(Bytes::from(bytes.to_ascii_uppercase()))
            });
            StreamBody::new(stream)
        })
    });
    let answer = MapResponseLayer::new(|response: Response| {
        response.map(|body| body.map_frame(|frame| frame.map_data(|bytes| bytes)))
    });
    let app = builder().layer(shout).layer(answer);
    let client = TestClient::new(app.build().unwrap());
    let response = client.post("/echo").body("milk").peer("192.0.2.1:1").await;
    let expected = "MILK Some(\"4\") Some(192.0.2.1:1)";
    assert_eq!(response.text(), expected);
}

#[tokio::test]
async fn a_layer_that_fails_or_panics_is_an_empty_500_and_the_connection_goes_on() {
    let moody = layer_fn(|inner| {
        service_fn(move |request: http::Request<ArrivingBody>| {
            let inner = nova_core::Layered::clone(&inner);
            async move {
                match request.uri().path() {
                    "/fail" => Err(std::io::Error::other("a secret")),
                    "/panic" => panic!("a secret"),
                    "/new" => Ok(inner
                        .oneshot(http::Request::new(Full::<Bytes>::default()))
                        .await
                        .unwrap_or_else(|never| match never {})),
                    _ => Ok(inner
                        .oneshot(request)
                        .await
                        .unwrap_or_else(|never| match never {})),
                }
            }
        })
    });
    let client = TestClient::new(builder().layer(moody).build().unwrap());
    for path in ["/fail", "/panic", "/new"] {
        let response = client.get(path).await;
        assert_eq!((response.status().as_u16(), response.text()), (500, ""));
    }
    assert_eq!(client.get("/echo").await.status(), 200);
}

/// Tells when it begins and stops.
struct Mortal(Arc<AtomicUsize>);

impl Plugin for Mortal {
    async fn pre_request(&self, _request: &mut Request) -> nova_core::Result<Flow> {
        assert_eq!(self.0.load(Ordering::Relaxed), 1);
        Ok(Flow::Continue)
    }

    fn init(&self, _context: &PluginContext) -> nova_core::Result<()> {
        self.0.store(1, Ordering::Relaxed);
        Ok(())
    }

    async fn stop(&self) {
        self.0.store(2, Ordering::Relaxed);
    }
}

async fn text(answer: Result<Response, Infallible>) -> String {
    let body = answer.unwrap().into_body().collect().await.unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn the_app_is_a_service_that_starts_and_stops_with_its_plugins() {
    let state = Arc::new(AtomicUsize::new(0));
    let app = builder()
        .plugin("mortal", Mortal(Arc::clone(&state)))
        .global_plugins(["mortal"]);
    let service = app.build().unwrap().into_service().unwrap();

    let mut request = http::Request::post("/echo")
        .body(Full::from("milk"))
        .unwrap();
    let peer: SocketAddr = "192.0.2.1:1".parse().unwrap();
    request.extensions_mut().insert(peer);
    let answer = service.clone().oneshot(request).await;
    assert_eq!(text(answer).await, "milk None Some(192.0.2.1:1)");

    service.stop().await;
    assert_eq!(state.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_service_that_stops_lets_its_requests_finish() {
    let (began, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begin, proceed) = (Arc::clone(&began), Arc::clone(&go_on));
    let app = App::builder().route(("/slow", move |_: Request| {
        let (begin, proceed) = (Arc::clone(&begin), Arc::clone(&proceed));
        async move {
            begin.notify_one();
            proceed.notified().await;
            "slow"
        }
    }));
    let service = app.build().unwrap().into_service().unwrap();
    let request = http::Request::get("/slow").body(Full::<Bytes>::default());
    let answer = tokio::spawn(service.clone().oneshot(request.unwrap()));
    began.notified().await;

    let mut stop = std::pin::pin!(service.stop());
    let polled = std::future::poll_fn(|context| {
        std::task::Poll::Ready(stop.as_mut().poll(context).is_pending())
    });
    assert!(polled.await, "it waits");
    go_on.notify_one();
    stop.await;
    assert_eq!(text(answer.await.unwrap()).await, "slow");
}
