//! How other parts of an app reach a stream: one alone, or all of a user or a session.

use nova_core::testing::TestClient;
use nova_core::{App, Request, Result, protocol};
use nova_ws::sse::{EndReason, Event, EventSource, Outcome, ok, send};
use nova_ws::testing::TestEvents;
use nova_ws::{Accept, AppBuilderExt, Connection, Info, Sender, Whom, disconnect};
use tokio::sync::mpsc;

/// Leaves the way to each client with the test.
#[derive(Clone)]
struct Reachable {
    senders: mpsc::UnboundedSender<Sender>,
    ended: mpsc::UnboundedSender<EndReason>,
}

impl EventSource for Reachable {
    async fn init(&mut self, request: &Request, conn: &mut Connection) -> Result<Accept> {
        match request.header("x-user") {
            Some(user) => conn.set_user(user),
            None => drop(request.session().user().await?),
        }
        let _ = self.senders.send(conn.sender());
        Ok(match request.uri().query() {
            Some("protocol") => Accept::Protocol("v1".to_owned()),
            _ => Accept::Yes,
        })
    }

    async fn started(&mut self, conn: &mut Connection) -> Outcome {
        send(Event::text(conn.user().unwrap_or("nobody")))
    }

    async fn info(&mut self, info: Info, _conn: &mut Connection) -> Outcome {
        match info {
            Info::Sent(message) => {
                let text = message.decode::<String>().unwrap();
                send(Event::text(&**text).name(message.topic()))
            }
            _ => ok(),
        }
    }

    async fn terminate(&mut self, reason: &EndReason, _conn: &mut Connection) {
        let _ = self.ended.send(reason.clone());
    }
}

struct Fixture {
    client: TestClient,
    senders: mpsc::UnboundedReceiver<Sender>,
    ended: mpsc::UnboundedReceiver<EndReason>,
}

impl Fixture {
    fn new() -> Self {
        let (senders, all) = mpsc::unbounded_channel();
        let (ended, ends) = mpsc::unbounded_channel();
        let app = App::builder()
            .event_source("reachable", Reachable { senders, ended })
            .route(("/", "reachable", protocol("sse")))
            .route(("/login", |request: Request| async move {
                request.session().log_in("ann").await
            }))
            .route(("/key", |request: Request| async move {
                let key = request.session().key().await?.unwrap();
                disconnect(request.pubsub(), Whom::Session(key), 4401, "bye");
                Ok::<_, nova_core::Error>(())
            }));
        Fixture {
            client: TestClient::new(app.build().unwrap()),
            senders: all,
            ended: ends,
        }
    }

    /// A client of this user, who is greeted.
    async fn of(&self, user: &str) -> TestEvents {
        let request = self.client.get("/").header("x-user", user);
        let mut events = TestEvents::open(request).await.unwrap();
        assert_eq!(events.recv_data().await, user);
        events
    }
}

fn ordered(code: u16, reason: &str) -> EndReason {
    let reason = reason.to_owned();
    EndReason::Ordered { code, reason }
}

#[tokio::test]
async fn what_is_sent_to_a_client_reaches_it_alone_until_it_has_gone() {
    let mut fixture = Fixture::new();
    let (mut ann, mut bob) = (fixture.of("ann").await, fixture.of("bob").await);
    let (to_ann, to_bob) = (
        fixture.senders.recv().await.unwrap(),
        fixture.senders.recv().await.unwrap(),
    );
    assert!(to_ann.send("note", "for ann"));
    assert!(to_bob.send("note", "for bob"));

    let event = ann.recv().await;
    assert_eq!((&*event.name, &*event.data), ("note", "for ann"));
    assert_eq!(bob.recv_data().await, "for bob");
    drop(ann);
    fixture.ended.recv().await.unwrap();
    assert!(!to_ann.send("note", "too late"));
}

#[tokio::test]
async fn a_client_a_user_or_a_session_can_be_disconnected() {
    let mut fixture = Fixture::new();
    let (mut ann, mut again) = (fixture.of("ann").await, fixture.of("ann").await);
    let mut bob = fixture.of("bob").await;
    let pubsub = fixture.client.pubsub();
    let told = disconnect(pubsub, Whom::User("ann".to_owned()), 4403, "out");
    assert_eq!(told.members, 2);
    ann.ended().await;
    again.ended().await;
    for _ in 0..2 {
        assert_eq!(fixture.ended.recv().await, Some(ordered(4403, "out")));
    }
    let mut senders = Vec::new();
    while let Ok(sender) = fixture.senders.try_recv() {
        senders.push(sender);
    }
    assert!(senders.pop().unwrap().close(1000, ""));
    bob.ended().await;
    assert_eq!(fixture.ended.recv().await, Some(ordered(1000, "")));

    let response = fixture.client.get("/login").await;
    let cookie = response.header("set-cookie").unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let request = fixture.client.get("/").header("cookie", cookie);
    let mut events = TestEvents::open(request).await.unwrap();
    assert_eq!(events.recv_data().await, "ann");
    fixture.client.get("/key").header("cookie", cookie).await;
    events.ended().await;
    assert_eq!(fixture.ended.recv().await, Some(ordered(4401, "bye")));
}

#[tokio::test]
async fn a_sub_protocol_is_a_mistake() {
    let fixture = Fixture::new();
    let refused = TestEvents::connect(&fixture.client, "/?protocol").await;
    assert_eq!(refused.unwrap_err().status(), 500);
}
