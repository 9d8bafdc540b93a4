//! Plugins that see the messages of connections.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::testing::TestClient;
use nova_core::{App, Extension, Flow, Group, Plugin, Request, Result, methods, protocol, status};
use nova_ws::testing::TestSocket;
use nova_ws::{
    AppBuilderExt, CloseReason, Connection, Frame, MessageFlow, MessagePlugin, Outcome, WebSocket,
    message_hooks, ok, reply,
};
use tokio::sync::mpsc;

/// Echoes, unless it is to panic.
#[derive(Clone)]
struct Echo;

impl WebSocket for Echo {
    async fn started(&mut self, _conn: &mut Connection) -> Outcome {
        reply(Frame::text("started"))
    }

    async fn handle(&mut self, frame: Frame, _conn: &mut Connection) -> Outcome {
        assert_ne!(
            frame.as_text(),
            Some("dropped"),
            "the handler does not see it"
        );
        reply(frame)
    }
}

/// Puts its name behind what comes and before what goes, and does what some texts say.
#[derive(Clone)]
struct Marks {
    name: &'static str,
    ended: mpsc::UnboundedSender<(&'static str, CloseReason)>,
}

impl Plugin for Marks {
    async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
        Ok(match request.header("x-stop") {
            Some(_) => Flow::Stop(status(418)),
            None => Flow::Continue,
        })
    }

    fn extension(&self) -> Option<Extension> {
        Some(message_hooks(self.clone()))
    }
}

impl MessagePlugin for Marks {
    async fn pre_message(&self, frame: Frame, _conn: &Connection) -> MessageFlow {
        let text = frame.as_text().unwrap();
        match text {
            "dropped" => MessageFlow::Stop(ok()),
            "answered" if self.name == "second" => {
                MessageFlow::Stop(reply(Frame::text("by the plugin")))
            }
            "answered" => MessageFlow::Continue(frame),
            "panic" => panic!("as you wish"),
            _ => MessageFlow::Continue(Frame::text(format!("{text} {}", self.name))),
        }
    }

    async fn post_message(&self, mut outcome: Outcome, conn: &Connection) -> Outcome {
        for frame in outcome.frames_mut() {
            let marked = format!("{}{} {}", self.name, conn.path(), frame.as_text().unwrap());
            *frame = Frame::text(marked);
        }
        outcome
    }

    async fn connection_closed(&self, reason: &CloseReason, _conn: &Connection) {
        let _ = self.ended.send((self.name, reason.clone()));
    }
}

fn client() -> (
    TestClient,
    mpsc::UnboundedReceiver<(&'static str, CloseReason)>,
) {
    let (ended, ends) = mpsc::unbounded_channel();
    let marks = |name| Marks {
        name,
        ended: ended.clone(),
    };
    let app = App::builder()
        .websocket("echo", Echo)
        .group(
            Group::new()
                .plugin("first", marks("first"))
                .plugin("second", marks("second"))
                .route(("/ws", "echo", protocol("ws")))
                .route((
                    "/page",
                    |_: Request| async { status(200) },
                    methods(["get"]),
                )),
        )
        .route(("/plain", "echo", protocol("ws")));
    (TestClient::new(app.build().unwrap()), ends)
}

#[tokio::test]
async fn they_see_and_change_what_comes_and_goes_in_the_order_of_the_list() {
    let (client, _) = client();
    let mut socket = TestSocket::connect(&client, "/ws").await.unwrap();
    assert_eq!(socket.recv_text().await, "second/ws first/ws started");

    socket.send_text("hello").await;
    assert_eq!(
        socket.recv_text().await,
        "second/ws first/ws hello first second"
    );
}

#[tokio::test]
async fn what_they_stop_reaches_neither_the_plugins_behind_nor_the_handler() {
    let (client, _) = client();
    let mut socket = TestSocket::connect(&client, "/ws").await.unwrap();
    socket.recv().await;
    socket.send_text("dropped").await;
    socket.send_text("answered").await;

    assert_eq!(socket.recv_text().await, "second/ws first/ws by the plugin");
}

#[tokio::test]
async fn each_learns_once_how_a_connection_ended() {
    let (client, mut ends) = client();
    let mut socket = TestSocket::connect(&client, "/ws").await.unwrap();
    socket.recv().await;
    socket.close(4000, "bye").await;

    let remote = CloseReason::Remote {
        code: Some(4000),
        reason: "bye".to_owned(),
    };
    assert_eq!(ends.recv().await, Some(("first", remote.clone())));
    assert_eq!(ends.recv().await, Some(("second", remote)));
    assert!(ends.try_recv().is_err());
}

#[tokio::test]
async fn one_that_panics_ends_the_connection_with_1011() {
    let (client, mut ends) = client();
    let mut socket = TestSocket::connect(&client, "/ws").await.unwrap();
    socket.recv().await;
    socket.send_text("panic").await;

    assert_eq!(socket.closed().await, Some(1011));
    let (_, reason) = ends.recv().await.unwrap();
    assert_eq!(reason, CloseReason::Panicked("as you wish".to_owned()));
}

#[tokio::test]
async fn they_are_for_the_routes_of_their_group_and_for_requests_as_well() {
    let (client, mut ends) = client();
    let mut plain = TestSocket::connect(&client, "/plain").await.unwrap();
    assert_eq!(plain.recv_text().await, "started");
    plain.close(1000, "").await;

    let refused = TestSocket::open(client.get("/ws").header("x-stop", "1")).await;
    assert_eq!(refused.unwrap_err().status(), 418);
    assert_eq!(client.get("/page").await.status(), 200);
    assert!(ends.try_recv().is_err());
}
