//! The live side of the notes app: each change reaches each socket, once and in order.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

#[macro_use]
mod common;

use std::sync::Arc;

use nova_core::testing::TestClient;
use nova_examples::notes::{self, Database, Note};
use nova_ws::Frame;
use nova_ws::testing::TestSocket;
use serde_json::{Value, json};

use crate::common::TestDatabase;

on_both! {
    #[tokio::test] async fn
        each_change_is_one_event,
        other_frames_than_ping_get_nothing,
        chat_goes_to_all_the_sender_included,
        the_echo_answers_texts,
        one_writer_makes_60_notes_and_two_sockets_see_each_once_in_order;
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn
        eight_writers_make_200_notes_and_nothing_is_lost_or_doubled;
}

async fn client(database: &TestDatabase) -> TestClient {
    let database = Database::new(database.url()).unwrap();
    database.open().await.unwrap();
    TestClient::new(notes::builder(notes::ROOT, &database).build().unwrap())
}

async fn socket(client: &TestClient, path: &str) -> TestSocket {
    TestSocket::connect(client, path).await.unwrap()
}

async fn event(socket: &mut TestSocket) -> Value {
    serde_json::from_str(&socket.recv_text().await).unwrap()
}

async fn each_change_is_one_event(database: TestDatabase) {
    let client = client(&database).await;
    let mut ann = socket(&client, "/notifications").await;
    let mut bob = socket(&client, "/notifications").await;
    let note = json!({ "title": "T1", "body": "B1", "author": "ann" });
    let created: Value = client.post("/api/notes").json(&note).await.json();
    let change = [("title", "T2"), ("body", "B2")];
    let updated: Value = client.put("/api/notes/1").form(&change).await.json();
    client.put("/api/notes/99").form(&change).await;
    client.post("/api/notes").form(&[("title", "only")]).await;
    client.delete("/api/notes/1").await;
    client.delete("/api/notes/1").await;

    for socket in [&mut ann, &mut bob] {
        for expected in [
            json!({ "event": "note_created", "data": created }),
            json!({ "event": "note_updated", "data": updated }),
            json!({ "event": "note_deleted", "data": { "id": 1 } }),
        ] {
            assert_eq!(event(socket).await, expected);
        }
        socket.send_text("ping").await;
        assert_eq!(socket.recv_text().await, "pong", "and nothing before it");
    }
}

async fn other_frames_than_ping_get_nothing(database: TestDatabase) {
    let client = client(&database).await;
    let mut socket = socket(&client, "/notifications").await;
    socket.send_text("other").await;
    socket.send_text("Ping").await;
    socket.send(Frame::binary("ping")).await;
    socket.send_text("ping").await;

    assert_eq!(socket.recv_text().await, "pong");
}

async fn chat_goes_to_all_the_sender_included(database: TestDatabase) {
    let client = client(&database).await;
    let mut ann = socket(&client, "/chat").await;
    let mut bob = socket(&client, "/chat").await;
    let mut watcher = socket(&client, "/notifications").await;
    ann.send_text("hi").await;
    assert_eq!(ann.recv_text().await, "hi");
    assert_eq!(bob.recv_text().await, "hi");

    bob.send(Frame::binary("binary")).await;
    bob.send_text("yo").await;
    for socket in [&mut ann, &mut bob] {
        assert_eq!(socket.recv_text().await, "yo");
    }
    ann.close(1000, "").await;
    bob.send_text("anybody?").await;
    assert_eq!(bob.recv_text().await, "anybody?");
    watcher.send_text("ping").await;
    assert_eq!(watcher.recv_text().await, "pong", "chat is another channel");
}

async fn the_echo_answers_texts(database: TestDatabase) {
    let client = client(&database).await;
    let mut socket = socket(&client, "/ws").await;
    socket.send(Frame::binary("binary")).await;
    socket.send_text("hello").await;

    assert_eq!(socket.recv_text().await, "Echo: hello");
}

async fn one_writer_makes_60_notes_and_two_sockets_see_each_once_in_order(database: TestDatabase) {
    let client = client(&database).await;
    let mut sockets = [
        socket(&client, "/notifications").await,
        socket(&client, "/notifications").await,
    ];
    let mut created = Vec::new();
    for n in 0..60 {
        let note = json!({ "title": format!("note {n}"), "body": "B", "author": "ann" });
        let note: Note = client.post("/api/notes").json(&note).await.json();
        created.push(note);
    }

    assert!(created.is_sorted_by_key(|note| note.id));
    for socket in &mut sockets {
        for note in &created {
            let expected = json!({ "event": "note_created", "data": note });
            assert_eq!(event(socket).await, expected);
        }
        socket.send_text("ping").await;
        assert_eq!(socket.recv_text().await, "pong");
    }
}

async fn eight_writers_make_200_notes_and_nothing_is_lost_or_doubled(database: TestDatabase) {
    let client = Arc::new(client(&database).await);
    let mut sockets = [
        socket(&client, "/notifications").await,
        socket(&client, "/notifications").await,
    ];
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let client = Arc::clone(&client);
            tokio::spawn(async move {
                for n in 0..25 {
                    let title = format!("{writer}/{n}");
                    let note = json!({ "title": title, "body": "B", "author": "ann" });
                    assert_eq!(client.post("/api/notes").json(&note).await.status(), 201);
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }

    let stored: Value = client.get("/api/notes").await.json();
    let mut stored: Vec<Note> = serde_json::from_value(stored["notes"].clone()).unwrap();
    stored.reverse();
    let ids: Vec<i64> = stored.iter().map(|note| note.id).collect();
    assert_eq!(ids, (1..=200).collect::<Vec<_>>());
    for socket in &mut sockets {
        let mut seen = Vec::new();
        for _ in 0..200 {
            let event = event(socket).await;
            seen.push(serde_json::from_value::<Note>(event["data"].clone()).unwrap());
        }
        seen.sort_by_key(|note| note.id);
        assert_eq!(seen, stored);
        socket.send_text("ping").await;
        assert_eq!(socket.recv_text().await, "pong", "and no 201st event");
    }
}

#[tokio::test]
async fn notes_outlive_the_app_in_a_file_of_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("100% my notes?.db");
    let client = || async {
        let database = Database::in_file(&file);
        database.open().await.unwrap();
        TestClient::new(notes::builder(notes::ROOT, &database).build().unwrap())
    };
    let first = client().await;
    let note = json!({ "title": "T", "body": "B", "author": "ann" });
    let note: Value = first.post("/api/notes").json(&note).await.json();
    first.stop().await;

    assert!(file.exists());
    let second = client().await;
    let stored: Value = second.get("/api/notes/1").await.json();
    assert_eq!(stored, note);
}
