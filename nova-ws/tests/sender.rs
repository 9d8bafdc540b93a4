//! How other parts of an app reach a connection: one alone, or all of a user or a session.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::sync::Arc;
use std::sync::Mutex;

use nova_core::testing::TestClient;
use nova_core::{App, Reply, Request, Result, protocol, status};
use nova_ws::Frame;
use nova_ws::testing::TestSocket;
use nova_ws::{
    Accept, AppBuilderExt, CloseReason, Connection, Info, Outcome, Sender, WebSocket, Whom,
    disconnect, ok, reply,
};
use tokio::sync::mpsc;

/// Leaves the way to each connection with the test.
#[derive(Clone)]
struct Reachable {
    senders: Arc<Mutex<Vec<Sender>>>,
    ended: mpsc::UnboundedSender<CloseReason>,
}

impl WebSocket for Reachable {
    async fn init(&mut self, request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("news");
        if let Some(user) = request.header("x-user") {
            // The last one counts, however often.
            for user in user.split(' ') {
                conn.set_user(user);
            }
        } else if request.path() == "/with_session" {
            request.session().user().await?;
        }
        self.senders.lock().unwrap().push(conn.sender());
        Ok(Accept::Yes)
    }

    async fn started(&mut self, conn: &mut Connection) -> Outcome {
        let user = conn.user().unwrap_or("nobody");
        reply(Frame::text(user))
    }

    async fn info(&mut self, info: Info, _conn: &mut Connection) -> Outcome {
        let (kind, message) = match info {
            Info::Published(message) => ("published", message),
            Info::Sent(message) => ("sent", message),
            _ => return ok(),
        };
        let text = message.decode::<String>().unwrap();
        reply(Frame::text(format!("{kind} {} {text}", message.topic())))
    }

    async fn terminate(&mut self, reason: &CloseReason, _conn: &mut Connection) {
        let _ = self.ended.send(reason.clone());
    }
}

struct Fixture {
    client: TestClient,
    senders: Arc<Mutex<Vec<Sender>>>,
    ended: mpsc::UnboundedReceiver<CloseReason>,
}

async fn log_in(request: Request) -> Result<()> {
    let user: String = request.binding("user")?;
    request.session().log_in(&user).await
}

async fn key(request: Request) -> Result<String> {
    Ok(request.session().key().await?.unwrap().to_string())
}

async fn log_out(request: Request) -> Result<Reply> {
    request.session().end().await?;
    Ok(status(204))
}

async fn log_out_everywhere(request: Request) -> Result<Reply> {
    let user = request.session().user().await?.unwrap();
    request.session().end_all_of(&user).await?;
    Ok(status(204))
}

impl Fixture {
    fn new() -> Self {
        let (ended, ends) = mpsc::unbounded_channel();
        let senders = Arc::default();
        let reachable = Reachable {
            senders: Arc::clone(&senders),
            ended,
        };
        let app = App::builder()
            .websocket("reachable", reachable)
            .route(("/ws", "reachable", protocol("ws")))
            .route(("/with_session", "reachable", protocol("ws")))
            .route(("/login/{user}", log_in))
            .route(("/logout", log_out))
            .route(("/logout_everywhere", log_out_everywhere))
            .route(("/key", key));
        Fixture {
            client: TestClient::new(app.build().unwrap()),
            senders,
            ended: ends,
        }
    }

    /// A socket of this user, who is greeted.
    async fn of(&self, user: &str) -> TestSocket {
        let request = self.client.get("/ws").header("x-user", user);
        let mut socket = TestSocket::open(request).await.unwrap();
        assert_eq!(socket.recv_text().await, user);
        socket
    }

    async fn cookie(&self, user: &str) -> String {
        let answer = self.client.get(&format!("/login/{user}")).await;
        let cookie = answer.header("set-cookie").unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    async fn with(&self, cookie: &str, path: &str) -> TestSocket {
        let request = self.client.get(path).header("cookie", cookie);
        TestSocket::open(request).await.unwrap()
    }

    fn sender(&self, of: usize) -> Sender {
        self.senders.lock().unwrap()[of].clone()
    }
}

#[tokio::test]
async fn what_is_sent_to_one_connection_reaches_it_alone_in_order_with_broadcasts() {
    let fixture = Fixture::new();
    let (mut ann, mut bob) = (fixture.of("ann").await, fixture.of("bob").await);
    let pubsub = fixture.client.pubsub();

    pubsub.broadcast("news", "a", "1");
    assert!(fixture.sender(0).send("b", "2"));
    pubsub.broadcast("news", "c", "3");

    for expected in ["published a 1", "sent b 2", "published c 3"] {
        assert_eq!(ann.recv_text().await, expected);
    }
    for expected in ["published a 1", "published c 3"] {
        assert_eq!(bob.recv_text().await, expected);
    }
}

#[tokio::test]
async fn a_sender_closes_its_connection_after_what_it_has_sent_and_then_reaches_nobody() {
    let mut fixture = Fixture::new();
    let mut ann = fixture.of("ann").await;
    let sender = fixture.sender(0);
    assert!(sender.send("last", "words"));
    assert!(sender.close(4000, "enough"));

    assert_eq!(ann.recv_text().await, "sent last words");
    assert_eq!(ann.closed_with().await, Some((4000, "enough".to_owned())));
    let reason = fixture.ended.recv().await.unwrap();
    let ordered = CloseReason::Ordered {
        code: 4000,
        reason: "enough".to_owned(),
    };
    assert_eq!(reason, ordered);
    // `terminate` runs a little before the mailbox is gone.
    while sender.send("x", "x") {
        tokio::task::yield_now().await;
    }
    assert!(!sender.close(4000, ""));
}

#[tokio::test]
async fn a_code_that_no_close_frame_can_have_is_1011() {
    let fixture = Fixture::new();
    let ann = fixture.of("ann").await;
    fixture.sender(0).close(1005, "");
    assert_eq!(ann.closed().await, Some(1011));
}

#[tokio::test]
async fn all_connections_of_a_user_can_be_closed_and_nobody_else_s() {
    let fixture = Fixture::new();
    let (ann, again) = (fixture.of("ann").await, fixture.of("ann").await);
    let mut bob = fixture.of("bob").await;
    let pubsub = fixture.client.pubsub();

    let told = disconnect(pubsub, Whom::User("ann".to_owned()), 4403, "banned");

    assert_eq!(told.members, 2);
    assert_eq!(ann.closed().await, Some(4403));
    assert_eq!(again.closed().await, Some(4403));
    pubsub.broadcast("news", "still", "here");
    assert_eq!(bob.recv_text().await, "published still here");
}

#[tokio::test]
async fn a_connection_is_of_the_user_that_was_set_last() {
    let fixture = Fixture::new();
    let request = fixture.client.get("/ws").header("x-user", "ann bob bob");
    let mut socket = TestSocket::open(request).await.unwrap();
    assert_eq!(socket.recv_text().await, "bob");
    let pubsub = fixture.client.pubsub();

    let ann = Whom::User("ann".into());
    assert_eq!(disconnect(pubsub, ann, 4000, "").members, 0);
    let bob = Whom::User("bob".into());
    assert_eq!(disconnect(pubsub, bob, 4001, "").members, 1);
    assert_eq!(socket.closed().await, Some(4001));
}

#[tokio::test]
async fn one_connection_can_be_closed_by_its_name() {
    let fixture = Fixture::new();
    let (ann, mut bob) = (fixture.of("ann").await, fixture.of("bob").await);
    let pubsub = fixture.client.pubsub();

    disconnect(pubsub, Whom::Connection(fixture.sender(0).id()), 4000, "");

    assert_eq!(ann.closed().await, Some(4000));
    pubsub.broadcast("news", "still", "here");
    assert_eq!(bob.recv_text().await, "published still here");
}

#[tokio::test]
async fn the_user_and_the_session_that_init_asked_for_lead_to_the_connection() {
    let fixture = Fixture::new();
    let (first, second) = (fixture.cookie("ann").await, fixture.cookie("ann").await);
    let mut one = fixture.with(&first, "/with_session").await;
    let mut two = fixture.with(&second, "/with_session").await;
    assert_eq!(one.recv_text().await, "ann");
    assert_eq!(two.recv_text().await, "ann");
    let answer = fixture.client.get("/key").header("cookie", &second).await;
    let key = answer.text().to_owned().try_into().unwrap();
    let pubsub = fixture.client.pubsub();

    assert_eq!(disconnect(pubsub, Whom::Session(key), 4401, "").members, 1);
    assert_eq!(two.closed().await, Some(4401));
    assert_eq!(
        disconnect(pubsub, Whom::User("ann".into()), 4402, "").members,
        1
    );
    assert_eq!(one.closed().await, Some(4402));
}

#[tokio::test]
async fn a_connection_whose_session_nobody_asked_for_is_nobody_s() {
    let fixture = Fixture::new();
    let cookie = fixture.cookie("ann").await;
    let mut socket = fixture.with(&cookie, "/ws").await;
    assert_eq!(socket.recv_text().await, "nobody");
    let pubsub = fixture.client.pubsub();

    assert_eq!(
        disconnect(pubsub, Whom::User("ann".into()), 4402, "").members,
        0
    );
}

#[tokio::test]
async fn a_broadcast_that_looks_like_an_order_is_none() {
    let fixture = Fixture::new();
    let mut ann = fixture.of("ann").await;
    let pubsub = fixture.client.pubsub();
    pubsub.broadcast("news", "nova:disconnect", "text");
    assert_eq!(ann.recv_text().await, "published nova:disconnect text");
}

#[tokio::test]
async fn a_log_out_closes_the_sockets_of_its_session_by_itself_and_no_others() {
    let fixture = Fixture::new();
    let (first, second) = (fixture.cookie("ann").await, fixture.cookie("ann").await);
    let one = fixture.with(&first, "/with_session").await;
    let mut two = fixture.with(&second, "/with_session").await;

    let end = fixture.client.get("/logout").header("cookie", &first).await;
    assert_eq!(end.status(), 204);

    let logged_out = (4401, "logged out".to_owned());
    assert_eq!(one.closed_with().await, Some(logged_out.clone()));
    assert_eq!(two.recv_text().await, "ann");
    let pubsub = fixture.client.pubsub();
    pubsub.broadcast("news", "still", "here");
    assert_eq!(two.recv_text().await, "published still here");

    let end = fixture
        .client
        .get("/logout_everywhere")
        .header("cookie", &second)
        .await;
    assert_eq!(end.status(), 204);
    assert_eq!(two.closed_with().await, Some(logged_out));
}
