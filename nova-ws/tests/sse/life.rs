//! The life of a stream: callbacks, channels, outcomes, the end.

use std::time::Duration;

use nova_core::pubsub::PubSub;
use nova_core::testing::TestClient;
use nova_core::{App, Request, Result, protocol};
use nova_ws::sse::{EndReason, Event, EventSource, Outcome, ok, send, send_all, stop};
use nova_ws::testing::TestEvents;
use nova_ws::{Accept, AppBuilderExt, Connection, Info};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Does what the messages say, and tells how it ended.
#[derive(Clone)]
pub(crate) struct Obedient {
    messages: u32,
    ended: mpsc::UnboundedSender<EndReason>,
}

impl EventSource for Obedient {
    async fn init(&mut self, request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("orders");
        if request.uri().query() == Some("early") {
            conn.pubsub().broadcast("orders", "text", "early");
        }
        Ok(Accept::Yes)
    }

    async fn started(&mut self, conn: &mut Connection) -> Outcome {
        send(Event::text(conn.id().to_string()).name("id"))
    }

    async fn info(&mut self, info: Info, conn: &mut Connection) -> Outcome {
        let Info::Published(message) = info else {
            return ok();
        };
        self.messages += 1;
        let text = message.decode::<String>().unwrap();
        match message.topic() {
            "three" => send_all(["a", "b", "c"].map(Event::text)),
            "nothing" => ok(),
            "leave" => {
                conn.leave("orders");
                send(Event::text("left"))
            }
            "wrong" => send_all([
                Event::text("smuggled").id("1\ndata: x"),
                Event::text("right"),
            ]),
            "stop" => stop(),
            "bye" => send(Event::text("bye")).and_stop(),
            "panic" => panic!("as you wish"),
            "slow" => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                send(Event::text(&*text))
            }
            "never" => std::future::pending().await,
            _ => send(Event::text(format!("{text} {}", self.messages))),
        }
    }

    async fn terminate(&mut self, reason: &EndReason, conn: &mut Connection) {
        assert!(!conn.leave("orders"), "the membership has ended before");
        let _ = self.ended.send(reason.clone());
        panic!("which nobody minds");
    }
}

pub(crate) struct Fixture {
    pub(crate) client: TestClient,
    pub(crate) ended: mpsc::UnboundedReceiver<EndReason>,
}

pub(crate) fn app() -> (App, mpsc::UnboundedReceiver<EndReason>) {
    let (sender, ended) = mpsc::unbounded_channel();
    let obedient = Obedient {
        messages: 0,
        ended: sender,
    };
    let app =
        App::builder()
            .event_source("obedient", obedient)
            .route(("/", "obedient", protocol("sse")));
    (app.build().unwrap(), ended)
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let (app, ended) = app();
        Fixture {
            client: TestClient::new(app),
            ended,
        }
    }

    /// A client that has got its first event.
    pub(crate) async fn events(&self) -> TestEvents {
        let mut events = TestEvents::connect(&self.client, "/").await.unwrap();
        assert_eq!(events.recv().await.name, "id");
        events
    }

    pub(crate) fn tell(&self, topic: &str) {
        self.pubsub().broadcast("orders", topic, topic);
    }

    fn pubsub(&self) -> &PubSub {
        self.client.pubsub()
    }
}

#[tokio::test]
async fn each_client_has_a_state_of_its_own() {
    let fixture = Fixture::new();
    let mut ann = fixture.events().await;
    fixture.tell("x");
    assert_eq!(ann.recv_data().await, "x 1");
    let mut bob = fixture.events().await;
    fixture.tell("x");

    assert_eq!(ann.recv_data().await, "x 2");
    assert_eq!(bob.recv_data().await, "x 1");
}

#[tokio::test]
async fn what_a_callback_sends_leaves_in_its_order_and_may_be_nothing() {
    let fixture = Fixture::new();
    let mut events = fixture.events().await;
    for topic in ["nothing", "three", "x"] {
        fixture.tell(topic);
    }
    for expected in ["a", "b", "c", "x 3"] {
        assert_eq!(events.recv_data().await, expected);
    }
}

#[tokio::test]
async fn what_is_broadcast_during_init_comes_behind_the_first_events() {
    let fixture = Fixture::new();
    let mut events = TestEvents::connect(&fixture.client, "/?early")
        .await
        .unwrap();
    assert_eq!(events.recv().await.name, "id");
    assert_eq!(events.recv_data().await, "early 1");
}

#[tokio::test]
async fn a_client_is_a_member_until_it_leaves_or_hangs_up() {
    let mut fixture = Fixture::new();
    let mut events = TestEvents::connect(&fixture.client, "/").await.unwrap();
    let id = events.recv_data().await;
    let members = fixture.pubsub().get_local_members("orders");
    let members: Vec<_> = members.iter().map(ToString::to_string).collect();
    assert_eq!(members, [id]);
    fixture.tell("leave");
    assert_eq!(events.recv_data().await, "left");
    assert!(fixture.pubsub().get_local_members("orders").is_empty());

    let other = fixture.events().await;
    drop(other);
    assert_eq!(fixture.ended.recv().await, Some(EndReason::Disconnected));
    assert!(fixture.pubsub().get_local_members("orders").is_empty());
}

#[tokio::test]
async fn a_handler_may_end_its_stream() {
    let mut fixture = Fixture::new();
    let mut events = fixture.events().await;
    fixture.tell("stop");
    events.ended().await;
    assert_eq!(fixture.ended.recv().await, Some(EndReason::Stopped));

    let mut events = fixture.events().await;
    fixture.tell("bye");
    assert_eq!(events.recv_data().await, "bye");
    events.ended().await;
    assert_eq!(fixture.ended.recv().await, Some(EndReason::Stopped));
}

#[tokio::test]
async fn a_handler_that_panics_ends_its_stream_and_the_app_goes_on() {
    let mut fixture = Fixture::new();
    let mut events = fixture.events().await;
    fixture.tell("panic");
    events.ended().await;

    let panicked = EndReason::Panicked("as you wish".to_owned());
    assert_eq!(fixture.ended.recv().await, Some(panicked));
    fixture.events().await;
}

#[tokio::test]
async fn an_event_that_cannot_be_written_is_left_out() {
    let fixture = Fixture::new();
    let mut events = fixture.events().await;
    fixture.tell("wrong");

    let event = events.recv().await;
    assert_eq!((&*event.data, &*event.id), ("right", ""));
}

#[tokio::test(start_paused = true)]
async fn later_messages_wait_for_an_info_that_takes_its_time() {
    let fixture = Fixture::new();
    let mut events = fixture.events().await;
    fixture.tell("slow");
    fixture.tell("x");

    assert_eq!(events.recv_data().await, "slow");
    assert_eq!(events.recv_data().await, "x 2");
}

#[tokio::test]
async fn a_client_that_hangs_up_on_a_socket_is_noticed_at_once() {
    let (app, mut ended) = app();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(app.serve(listener, std::future::pending()));
    for aborts in [false, true] {
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        client.write_all(request).await.unwrap();
        let mut received = Vec::new();
        while !received.windows(9).any(|part| part == b"event: id") {
            assert_ne!(client.read_buf(&mut received).await.unwrap(), 0);
        }
        if aborts {
            client.set_zero_linger().unwrap();
        }
        drop(client);

        assert_eq!(ended.recv().await, Some(EndReason::Disconnected));
    }
    served.abort();
}
