//! A protocol that does not switch: an answer, and what writes it.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::time::Duration;

use futures_util::{StreamExt, stream};
use nova_core::testing::TestClient;
use nova_core::{
    App, AppBuilder, BoxFuture, Flow, Group, Head, Opening, Plugin, ProtocolHandler, Request,
    Response, Result, Streaming, methods, protocol, status, text,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep};

/// Writes `begin`, and `end` when the app stops; tells how it ended.
struct Feed(UnboundedSender<&'static str>);

impl ProtocolHandler for Feed {
    fn claims(&self, head: &Head) -> bool {
        head.header("accept") == Some("text/feed")
    }

    fn switches(&self) -> bool {
        false
    }

    fn open(&self, request: Request) -> BoxFuture<'_, Result<Opening>> {
        let log = self.0.clone();
        let panics = request.uri().query() == Some("panic");
        let (sender, mut written) = unbounded_channel();
        let body = stream::poll_fn(move |context| written.poll_recv(context));
        let reply = nova_core::stream(body.map(Ok::<&str, nova_core::Error>));
        let streaming = Streaming::new(reply, move |stopping| {
            assert!(!panics, "as the test wants it");
            async move {
                let _ = sender.send("begin ");
                tokio::select! {
                    () = stopping.wait() => {}
                    () = sender.closed() => return log.send("gone").unwrap(),
                }
                let _ = sender.send("end");
                drop(sender);
                sleep(Duration::from_secs(1)).await;
                log.send("stopped").unwrap();
            }
        });
        Box::pin(async { Ok(Opening::Stream(streaming)) })
    }
}

fn builder() -> (AppBuilder, UnboundedReceiver<&'static str>) {
    let (sender, log) = unbounded_channel();
    (
        App::builder().protocol_handler("feed", "feed", Feed(sender)),
        log,
    )
}

fn client() -> (TestClient, UnboundedReceiver<&'static str>) {
    let (builder, log) = builder();
    let app = builder.route(("/", "feed", protocol("feed"))).build();
    (TestClient::new(app.unwrap()), log)
}

#[tokio::test(start_paused = true)]
async fn the_answer_flows_and_the_work_hears_that_the_client_has_gone() {
    let (client, mut log) = client();
    let (answer, mut body) = client.get("/").stream().await;

    assert_eq!(answer.status(), 200);
    assert_eq!(body.next().await.unwrap().unwrap(), "begin ");
    drop(body);
    assert_eq!(log.recv().await, Some("gone"));
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_told_at_once_and_waits_for_the_work() {
    let (client, mut log) = client();
    let (_, mut body) = client.get("/").stream().await;
    assert_eq!(body.next().await.unwrap().unwrap(), "begin ");
    let begun = Instant::now();
    client.stop().await;

    assert_eq!(body.next().await.unwrap().unwrap(), "end");
    assert!(body.next().await.is_none());
    assert_eq!(log.try_recv(), Ok("stopped"));
    assert_eq!(begun.elapsed().as_secs(), 1);
}

#[tokio::test]
async fn a_panic_before_the_first_await_ends_the_answer_and_nothing_else() {
    let (client, _) = client();
    let response = client.get("/?panic").await;
    assert_eq!((response.status().as_u16(), response.text()), (200, ""));

    let (_, mut body) = client.get("/").stream().await;
    assert_eq!(body.next().await.unwrap().unwrap(), "begin ");
}

#[tokio::test]
async fn head_and_the_list_of_methods_are_as_for_an_action() {
    let (client, mut log) = client();
    let response = client.request("HEAD", "/").await;
    assert_eq!((response.status().as_u16(), response.text()), (200, ""));
    assert_eq!(log.recv().await, Some("gone"));

    let response = client.post("/").await;
    assert_eq!(response.status(), 405);
    assert_eq!(response.header("allow"), Some("GET, HEAD, OPTIONS"));
}

#[tokio::test]
async fn an_action_of_the_same_path_answers_what_the_protocol_does_not_claim() {
    let (builder, _) = builder();
    let app = builder
        .route(("/", "feed", protocol("feed")))
        .action("page", |_| async { text("page") })
        .route(("/", "page", methods(["get", "post"])));
    let client = TestClient::new(app.build().unwrap());

    assert_eq!(client.get("/").await.text(), "page");
    assert_eq!(client.post("/").await.text(), "page");
    let (_, mut body) = client.get("/").header("accept", "text/feed").stream().await;
    assert_eq!(body.next().await.unwrap().unwrap(), "begin ");
    let response = client.request("HEAD", "/").header("accept", "text/feed");
    assert!(response.await.header("content-length").is_none());
}

/// Has another answer for everything.
struct Instead;

impl Plugin for Instead {
    async fn post_request(&self, _head: &Head, _response: &mut Response) -> Result<Flow> {
        Ok(Flow::Stop(status(418)))
    }
}

#[tokio::test]
async fn the_work_hears_that_a_plugin_has_another_answer() {
    let (builder, mut log) = builder();
    let group = Group::new()
        .plugin("instead", Instead)
        .route(("/", "feed", protocol("feed")));
    let client = TestClient::new(builder.group(group).build().unwrap());

    assert_eq!(client.get("/").await.status(), 418);
    assert_eq!(log.recv().await, Some("gone"));
}
