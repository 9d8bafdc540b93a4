//! The `timeout` plugin: up to the switch of protocols, and no further.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::time::Duration;

use nova_core::testing::TestClient;
use nova_core::{App, Group, Request, Result, TimeoutOptions, TimeoutPlugin, protocol};
use nova_ws::testing::TestSocket;
use nova_ws::{Accept, AppBuilderExt, Connection, Frame, Outcome, WebSocket, reply};
use tokio::time::sleep;

#[derive(Clone)]
struct Echo;

impl WebSocket for Echo {
    async fn init(&mut self, request: &Request, _conn: &mut Connection) -> Result<Accept> {
        if request.uri().query() == Some("slow") {
            sleep(Duration::from_secs(60)).await;
        }
        Ok(Accept::Yes)
    }

    async fn handle(&mut self, frame: Frame, _conn: &mut Connection) -> Outcome {
        reply(frame)
    }
}

fn client() -> TestClient {
    let after = Duration::from_secs(10);
    let group = Group::new()
        .plugin("timeout", TimeoutPlugin::new(TimeoutOptions { after }))
        .route(("/ws", "echo", protocol("ws")));
    let app = App::builder().websocket("echo", Echo).group(group);
    TestClient::new(app.build().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_too_long_to_open_is_a_503() {
    let client = client();
    let refused = TestSocket::open(client.get("/ws?slow")).await.unwrap_err();
    assert_eq!(refused.status(), 503);
}

#[tokio::test(start_paused = true)]
async fn an_open_socket_is_never_cut() {
    let client = client();
    let mut socket = TestSocket::open(client.get("/ws")).await.unwrap();
    sleep(Duration::from_secs(15)).await;
    socket.send_text("still there?").await;
    assert_eq!(socket.recv_text().await, "still there?");
}
