//! Many who write and many who watch, over TCP: everybody hears of everything, once and in order.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

#[macro_use]
mod common;

use std::collections::HashMap;
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use nova_core::testing::TestClient;
use nova_examples::notes::{self, Database, Note, NoteRepo};
use nova_ws::testing::TestSocket;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::common::TestDatabase;

const WRITERS: usize = 20;
const WATCHERS: usize = 50;
/// Of each writer.
const NOTES: usize = 50;

on_both! {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn
        fifty_watch_while_twenty_write_a_thousand_notes,
        who_watches_many_change_one_note_ends_with_what_is_stored;
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Creates a note, and gives the status.
async fn create(address: SocketAddr, title: &str, author: &str) -> u16 {
    let note = format!(r#"{{"title":"{title}","body":"B","author":"{author}"}}"#);
    let request = format!(
        "POST /api/notes HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{note}",
        note.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

async fn text(socket: &mut Socket) -> String {
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Text(text) => return text.to_string(),
            Message::Ping(_) => {}
            other => panic!("{other:?} is no text"),
        }
    }
}

/// The notes of which this socket hears until there is nothing more to hear of.
async fn watch(mut socket: Socket) -> Vec<Note> {
    let mut seen = Vec::new();
    for _ in 0..WRITERS * NOTES {
        let event: Value = serde_json::from_str(&text(&mut socket).await).unwrap();
        assert_eq!(event["event"], "note_created");
        seen.push(serde_json::from_value(event["data"].clone()).unwrap());
    }
    socket.send(Message::text("ping")).await.unwrap();
    assert_eq!(text(&mut socket).await, "pong", "and nothing before it");
    seen
}

async fn fifty_watch_while_twenty_write_a_thousand_notes(database: TestDatabase) {
    let database = Database::new(database.url()).unwrap();
    database.open().await.unwrap();
    let app = notes::builder(notes::ROOT, &database).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(app.serve(listener, std::future::pending()));

    let mut watchers = JoinSet::new();
    for _ in 0..WATCHERS {
        let url = format!("ws://{address}/notifications");
        let (socket, _) = connect_async(url).await.unwrap();
        watchers.spawn(watch(socket));
    }
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(async move {
            for n in 0..NOTES {
                let status = create(address, &n.to_string(), &writer.to_string()).await;
                assert_eq!(status, 201);
            }
        });
    }
    writers.join_all().await;

    let mut stored = NoteRepo::new(&database).all().await.unwrap();
    stored.reverse();
    let ids: Vec<i64> = stored.iter().map(|note| note.id).collect();
    assert_eq!(ids, (1..=(WRITERS * NOTES) as i64).collect::<Vec<_>>());
    for mut seen in watchers.join_all().await {
        let mut of_each: HashMap<&str, Vec<&Note>> = HashMap::new();
        for note in &seen {
            of_each.entry(&note.author).or_default().push(note);
        }
        for notes in of_each.values() {
            assert!(notes.is_sorted_by_key(|note| note.id));
            let titles: Vec<usize> = notes
                .iter()
                .map(|note| note.title.parse().unwrap())
                .collect();
            assert_eq!(titles, (0..NOTES).collect::<Vec<_>>());
        }
        seen.sort_by_key(|note| note.id);
        assert_eq!(seen, stored, "each note, once");
    }
}

async fn who_watches_many_change_one_note_ends_with_what_is_stored(database: TestDatabase) {
    let database = Database::new(database.url()).unwrap();
    database.open().await.unwrap();
    let app = notes::builder(notes::ROOT, &database).build().unwrap();
    let client = std::sync::Arc::new(TestClient::new(app));
    let change = |title: String| serde_json::json!({ "title": title, "body": "B", "author": "A" });
    let created = client.post("/api/notes").json(&change("0".into())).await;
    assert_eq!(created.status(), 201);
    for round in 0..20 {
        let mut socket = TestSocket::connect(&client, "/notifications")
            .await
            .unwrap();
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let (client, change) = (client.clone(), change(format!("{round}/{writer}")));
            writers.spawn(async move { client.put("/api/notes/1").json(&change).await.status() });
        }
        assert!(writers.join_all().await.iter().all(|status| *status == 200));
        let mut last = String::new();
        for _ in 0..WRITERS {
            last = socket.recv_text().await;
        }
        let last: Value = serde_json::from_str(&last).unwrap();
        let stored = NoteRepo::new(&database).get(1).await.unwrap().unwrap();
        assert_eq!(last["data"]["title"], stored.title);
    }
}
