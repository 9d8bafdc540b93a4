//! What the pub/sub chapter of the book says, as tests. The chapter shows what stands between each
//! `ANCHOR` and its `ANCHOR_END`.

use std::sync::Arc;

use nova_core::pubsub::{Message, PubSub, Received};
use nova_core::testing::TestClient;
use nova_core::{App, Request, Result, protocol};
use nova_examples::notes::{self, Database, Note};
use nova_ws::testing::TestSocket;
use nova_ws::{Accept, AppBuilderExt, Connection, Frame, Info, Outcome, WebSocket, ok, reply};
use serde::Deserialize;
use serde_json::{Value, json};

fn milk() -> Note {
    Note {
        id: 7,
        title: "Milk".to_owned(),
        body: "Two bottles".to_owned(),
        author: "ann".to_owned(),
        inserted_at: "2026-11-24T09:00:00Z".to_owned(),
    }
}

fn topics(mut next: impl FnMut() -> Option<Received>) -> Vec<String> {
    std::iter::from_fn(|| match next()? {
        Received::Message(message) => Some(message.topic().to_owned()),
        Received::Lagged(lost) => Some(format!("lost {lost}")),
    })
    .collect()
}

#[tokio::test]
async fn the_calls_do_what_their_names_say() {
    let (pubsub, note) = (PubSub::new(), milk());
    // ANCHOR: calls
    // A mailbox is what joins. Any task can have one, or more.
    let mut mailbox = pubsub.mailbox();
    mailbox.join("notes");

    // To all members on all nodes; to those on this node; to all but the sender.
    pubsub.broadcast("notes", "note_created", &note);
    pubsub.local_broadcast("notes", "note_deleted", &json!({ "id": 7 }));
    let ours = mailbox.pubsub(); // the same pub/sub, with the mailbox as the sender
    ours.broadcast_from("notes", "note_updated", &note);

    // The members on all nodes, and those on this one.
    let everywhere = pubsub.get_members("notes").await;
    let here = pubsub.get_local_members("notes");
    assert_eq!(here, [mailbox.id()]);
    assert_eq!(everywhere.ids, here); // there is one node
    assert!(everywhere.complete); // and it has answered

    mailbox.leave("notes");
    // ANCHOR_END: calls
    assert!(pubsub.get_local_members("notes").is_empty());
    let heard = topics(|| mailbox.try_recv());
    assert_eq!(heard, ["note_created", "note_deleted"]);
}

#[test]
fn joining_twice_is_one_membership_and_it_ends_with_the_mailbox() {
    let pubsub = PubSub::new();
    // ANCHOR: membership
    let mut mailbox = pubsub.mailbox();
    assert!(mailbox.join("notes")); // new
    assert!(!mailbox.join("notes")); // already a member

    let report = pubsub.broadcast("notes", "note_created", "Milk");
    assert_eq!(report.members, 1); // and so it gets one message

    drop(mailbox);
    assert!(pubsub.get_local_members("notes").is_empty());
    // ANCHOR_END: membership
}

#[test]
fn broadcast_from_leaves_the_sender_out() {
    let pubsub = PubSub::new();
    // ANCHOR: broadcast_from
    let (mut ann, mut bob) = (pubsub.mailbox(), pubsub.mailbox());
    ann.join("chat");
    bob.join("chat");

    ann.pubsub().broadcast_from("chat", "message", "hi");

    assert!(bob.try_recv().is_some());
    assert!(ann.try_recv().is_none());
    // ANCHOR_END: broadcast_from
}

#[tokio::test]
async fn a_message_has_five_parts() {
    let pubsub = PubSub::new();
    let (mut ann, mut bob) = (pubsub.mailbox(), pubsub.mailbox());
    bob.join("notes");
    ann.join("notes");
    // ANCHOR: message
    let deleted = json!({ "id": 7 });
    ann.pubsub().broadcast("notes", "note_deleted", &deleted);

    if let Some(Received::Message(message)) = bob.recv().await {
        assert_eq!(message.channel(), "notes");
        assert_eq!(message.sender(), ann.id());
        assert_eq!(message.topic(), "note_deleted");
        assert_eq!(message.payload().json().unwrap(), r#"{"id":7}"#);
    }
    // ANCHOR_END: message
    assert_eq!(topics(|| bob.try_recv()), [""; 0], "it was taken");
    assert_eq!(topics(|| ann.try_recv()), ["note_deleted"]);
}

fn received(received: Option<Received>) -> Message {
    match received {
        Some(Received::Message(message)) => message,
        other => panic!("{other:?} is no message"),
    }
}

#[test]
fn decode_gives_what_was_sent_or_what_its_json_says() {
    let pubsub = PubSub::new();
    let mut mailbox = pubsub.mailbox();
    mailbox.join("notes");
    // ANCHOR: decode
    let note = Arc::new(milk());
    pubsub.broadcast_arc("notes", "note_created", Arc::clone(&note));
    let message = received(mailbox.try_recv());

    // The very value that was sent: nothing is copied, and nothing encoded.
    let same: Arc<Note> = message.decode().unwrap();
    assert!(Arc::ptr_eq(&same, &note));

    // Another type is read from the JSON.
    #[derive(Deserialize)]
    struct Titled {
        title: String,
    }
    let titled: Arc<Titled> = message.decode().unwrap();
    assert_eq!(titled.title, "Milk");

    // What it is not is an error, and no panic.
    assert!(message.decode::<Vec<u64>>().is_err());
    // ANCHOR_END: decode
    pubsub.broadcast("notes", "note_created", &*note);
    let message = received(mailbox.try_recv());
    assert_eq!(*message.decode::<Note>().unwrap(), *note);
}

#[tokio::test]
async fn a_slow_member_loses_its_oldest_messages_and_is_told() {
    let pubsub = PubSub::new();
    let mut quick = pubsub.mailbox();
    quick.join("notes");
    // ANCHOR: lagged
    let mut slow = pubsub.mailbox_with_capacity(2);
    slow.join("notes");
    for id in 1..=5 {
        pubsub.broadcast("notes", "note_deleted", &json!({ "id": id }));
    }

    assert!(matches!(slow.recv().await, Some(Received::Lagged(3))));
    let message = received(slow.recv().await); // the oldest one that is left
    assert_eq!(message.payload().json().unwrap(), r#"{"id":4}"#);
    // ANCHOR_END: lagged
    assert_eq!(topics(|| slow.try_recv()), ["note_deleted"]);
    assert_eq!(topics(|| quick.try_recv()).len(), 5, "others lose nothing");
    assert_eq!(pubsub.stats().lost, 3);
}

#[test]
fn one_mailbox_can_be_in_several_channels() {
    let pubsub = PubSub::new();
    // ANCHOR: channels
    let mut told = Vec::new();
    let mut mailbox = pubsub.mailbox();
    for channel in ["notes", "users", "system"] {
        mailbox.join(channel);
    }

    pubsub.broadcast("notes", "deleted", &json!({ "id": 7 }));
    pubsub.broadcast("users", "logged_in", &json!({ "username": "ann" }));
    pubsub.broadcast("system", "deploy", &json!({ "version": "1.2.0" }));

    while let Some(Received::Message(message)) = mailbox.try_recv() {
        match (message.channel(), message.topic()) {
            ("notes", "created" | "deleted") => told.push("the list has changed"),
            ("system", "deploy") => told.push("a new version is out"),
            _ => {}
        }
    }
    assert_eq!(told, ["the list has changed", "a new version is out"]);
    // ANCHOR_END: channels
}

// ANCHOR: info
/// Sends the notes of one author: `/notes/of/ann`.
#[derive(Clone, Default)]
struct NotesOf {
    author: String,
}

impl WebSocket for NotesOf {
    async fn init(&mut self, request: &Request, conn: &mut Connection) -> Result<Accept> {
        self.author = request.binding("author")?;
        conn.join("notes");
        Ok(Accept::Yes)
    }

    async fn info(&mut self, info: Info, _conn: &mut Connection) -> Outcome {
        let Info::Published(message) = info else {
            return ok();
        };
        match message.decode::<Note>() {
            Ok(note) if note.author == self.author => reply(Frame::text(&*note.title)),
            _ => ok(), // somebody else's, or word of a deletion
        }
    }
}
// ANCHOR_END: info

#[tokio::test]
async fn info_answers_each_connection_for_itself() {
    let app = App::builder()
        .websocket("notes_of", NotesOf::default())
        .route(("/notes/of/{author}", "notes_of", protocol("ws")))
        .build()
        .unwrap();
    let client = TestClient::new(app);
    let mut ann = TestSocket::connect(&client, "/notes/of/ann").await.unwrap();
    let mut bob = TestSocket::connect(&client, "/notes/of/bob").await.unwrap();
    let mut note = milk();
    client.pubsub().broadcast("notes", "note_created", &note);
    client
        .pubsub()
        .broadcast("notes", "note_deleted", &json!({ "id": 7 }));
    (note.author, note.title) = ("bob".to_owned(), "Eggs".to_owned());
    client.pubsub().broadcast("notes", "note_created", &note);

    assert_eq!(ann.recv_text().await, "Milk");
    assert_eq!(bob.recv_text().await, "Eggs", "and nothing before it");
}

// ANCHOR: socket
#[tokio::test]
async fn who_listens_hears_of_a_new_note() {
    let database = Database::new("sqlite::memory:").unwrap();
    database.open().await.unwrap();
    let client = TestClient::new(notes::builder(notes::ROOT, &database).build().unwrap());
    let mut socket = TestSocket::connect(&client, "/notifications")
        .await
        .unwrap();

    let new = json!({ "title": "Milk", "body": "Two bottles", "author": "ann" });
    let note: Value = client.post("/api/notes").json(&new).await.json();

    let event: Value = serde_json::from_str(&socket.recv_text().await).unwrap();
    assert_eq!(event, json!({ "event": "note_created", "data": note }));
}
// ANCHOR_END: socket
