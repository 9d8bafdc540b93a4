//! The search, and the worker behind it: what it hears of, how it restarts, and when it gives up.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

#[macro_use]
mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use nova_core::App;
use nova_core::testing::TestClient;
use nova_examples::notes::{self, Database, NewNote, NoteIndex, NoteIndexer, NoteRepo, words};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::common::TestDatabase;

on_both! {
    #[tokio::test] async fn
        notes_are_found_by_their_words_in_every_field,
        changed_and_deleted_notes_are_found_as_they_are_now,
        what_was_there_before_the_start_is_found,
        an_indexer_that_panics_is_restarted_and_right,
        an_indexer_that_has_missed_messages_reads_the_database_again,
        a_message_that_is_no_note_does_no_harm,
        what_may_have_been_stored_is_looked_for_and_a_stopped_index_finds_nothing;
}

async fn open(database: &TestDatabase) -> Database {
    let database = Database::new(database.url()).unwrap();
    database.open().await.unwrap();
    database
}

fn note(title: &str, body: &str) -> NewNote {
    serde_json::from_value(json!({ "title": title, "body": body, "author": "ann" })).unwrap()
}

/// The titles of the notes that are found, once the index is there.
async fn titles(client: &TestClient, query: &str) -> Vec<String> {
    loop {
        let response = client.get(&format!("/api/notes/search?q={query}")).await;
        if response.status() == 200 {
            let found: Value = response.json();
            let notes = found["notes"].as_array().unwrap().iter();
            return notes
                .map(|note| note["title"].as_str().unwrap().to_owned())
                .collect();
        }
        assert_eq!(response.status(), 503);
        tokio::task::yield_now().await;
    }
}

/// Waits until the search finds just these.
async fn finds(client: &TestClient, query: &str, expected: &[&str]) {
    while titles(client, query).await != expected {
        tokio::task::yield_now().await;
    }
}

async fn notes_are_found_by_their_words_in_every_field(database: TestDatabase) {
    let database = open(&database).await;
    let client = TestClient::new(notes::builder(notes::ROOT, &database).build().unwrap());
    for (title, body, author) in [
        ("Milk", "two bottles, half-full", "ann"),
        ("Eggs", "not milk: ÄPFEL", "bob"),
    ] {
        let note = json!({ "title": title, "body": body, "author": author });
        assert_eq!(client.post("/api/notes").json(&note).await.status(), 201);
    }
    finds(&client, "milk", &["Eggs", "Milk"]).await;
    for (query, expected) in [
        ("MILK", &["Eggs", "Milk"][..]),
        ("milk+bottles", &["Milk"]),
        ("full", &["Milk"]),
        ("bob", &["Eggs"]),
        ("%C3%A4pfel", &["Eggs"]),
        ("mil", &[]),
        ("milk+beer", &[]),
        ("", &[]),
        ("%20,-", &[]),
    ] {
        assert_eq!(titles(&client, query).await, expected, "{query}");
    }
    assert_eq!(client.get("/api/notes/search").await.status(), 422);
    assert_eq!(client.get("/api/notes/search?q=%ff").await.status(), 422);
}

async fn changed_and_deleted_notes_are_found_as_they_are_now(database: TestDatabase) {
    let database = open(&database).await;
    let client = TestClient::new(notes::builder(notes::ROOT, &database).build().unwrap());
    for title in ["one", "two"] {
        let note = json!({ "title": title, "body": "common", "author": "ann" });
        assert_eq!(client.post("/api/notes").json(&note).await.status(), 201);
    }
    let change = json!({ "title": "three", "body": "common" });
    assert_eq!(client.put("/api/notes/1").json(&change).await.status(), 200);
    finds(&client, "common", &["two", "three"]).await;
    finds(&client, "three", &["three"]).await;
    assert_eq!(titles(&client, "one").await, [""; 0]);
    assert_eq!(client.delete("/api/notes/2").await.status(), 204);
    finds(&client, "common", &["three"]).await;
}

async fn what_was_there_before_the_start_is_found(database: TestDatabase) {
    let database = open(&database).await;
    let repo = NoteRepo::new(&database);
    for n in 0..1_500 {
        let title = format!("note {n}");
        repo.create(note(&title, "B")).await.unwrap();
    }
    let client = TestClient::new(notes::builder(notes::ROOT, &database).build().unwrap());
    assert_eq!(titles(&client, "note").await.len(), 1_500);
    assert_eq!(titles(&client, "1234").await, ["note 1234"]);
}

/// An app with nothing but an indexer, and what that keeps.
fn indexer_alone(database: &Database, split: notes::Split) -> (App, NoteIndex) {
    let index = NoteIndex::default();
    let indexer = NoteIndexer::with_split(&NoteRepo::new(database), &index, split);
    let app = App::builder().service("note_indexer", indexer);
    (app.build().unwrap(), index)
}

async fn found(index: &NoteIndex, word: &str) -> Vec<i64> {
    loop {
        if let Some(notes) = index.find(word) {
            return notes.iter().map(|note| note.id).collect();
        }
        tokio::task::yield_now().await;
    }
}

async fn an_indexer_that_panics_is_restarted_and_right(database: TestDatabase) {
    // Each of the tests on both databases has its turn.
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    fn panics_once(text: &str) -> Vec<String> {
        let is_bad = text == "bad";
        assert!(
            !is_bad || CALLS.fetch_add(1, Ordering::Relaxed) % 2 == 1,
            "no such word"
        );
        words(text)
    }
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _turn = TURN.lock().await;
    CALLS.store(0, Ordering::Relaxed);

    let database = open(&database).await;
    let repo = NoteRepo::new(&database);
    let (app, index) = indexer_alone(&database, panics_once);
    let client = TestClient::new(app);
    assert_eq!(found(&index, "ann").await, [0; 0]);
    for text in ["good", "bad", "after"] {
        let note = repo.create(note(text, "B")).await.unwrap();
        client.pubsub().broadcast("notes", "note_created", &note);
    }
    // Of "bad" it hears in a message, panics, and reads it from the database the second time.
    while found(&index, "ann").await != [3, 2, 1] {
        tokio::task::yield_now().await;
    }
    assert_eq!(found(&index, "bad").await, [2]);
    assert_eq!(CALLS.load(Ordering::Relaxed), 2, "it panicked once");
}

async fn an_indexer_that_has_missed_messages_reads_the_database_again(database: TestDatabase) {
    let database = open(&database).await;
    let repo = NoteRepo::new(&database);
    let (app, index) = indexer_alone(&database, words);
    let client = TestClient::new(app);
    assert_eq!(found(&index, "ann").await, [0; 0]);
    // Nobody has told the indexer of this one, and then more comes than its mailbox holds.
    repo.create(note("quiet", "B")).await.unwrap();
    for _ in 0..2_000 {
        client.pubsub().broadcast("notes", "noise", "noise");
    }
    while found(&index, "quiet").await != [1] {
        tokio::task::yield_now().await;
    }
}

async fn a_message_that_is_no_note_does_no_harm(database: TestDatabase) {
    let database = open(&database).await;
    let repo = NoteRepo::new(&database);
    let (app, index) = indexer_alone(&database, words);
    let client = TestClient::new(app);
    assert_eq!(found(&index, "ann").await, [0; 0]);
    repo.create(note("quiet", "B")).await.unwrap();
    // More than the restarts that a service has.
    for n in 0..10 {
        client.pubsub().broadcast("notes", "note_created", &n);
        client.pubsub().broadcast("notes", "note_deleted", &n);
    }
    while found(&index, "quiet").await != [1] {
        tokio::task::yield_now().await;
    }
}

async fn what_may_have_been_stored_is_looked_for_and_a_stopped_index_finds_nothing(
    database: TestDatabase,
) {
    let database = open(&database).await;
    let repo = NoteRepo::new(&database);
    let (app, index) = indexer_alone(&database, words);
    let client = TestClient::new(app);
    assert_eq!(found(&index, "ann").await, [0; 0]);
    repo.create(note("quiet", "B")).await.unwrap();
    client
        .pubsub()
        .broadcast("notes", "notes_uncertain", &json!({}));
    while found(&index, "quiet").await != [1] {
        tokio::task::yield_now().await;
    }
    client.stop().await;
    assert!(index.find("quiet").is_none(), "nobody keeps it any more");
}

#[tokio::test(start_paused = true)]
async fn an_indexer_that_fails_for_good_stops_the_app_with_the_reason() {
    let database = Database::new("sqlite::memory:").unwrap();
    // Not opened: there are no tables.
    let (app, index) = indexer_alone(&database, words);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let failed = app
        .serve(listener, std::future::pending())
        .await
        .unwrap_err();

    let told = failed.to_string();
    assert!(
        told.contains("the service `note_indexer` failed more than 5 times"),
        "{told}"
    );
    assert!(told.contains("no such table: notes"), "{told}");
    assert!(index.find("ann").is_none());
}
