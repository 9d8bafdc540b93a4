//! The pages for people, and who gets in.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

#[macro_use]
mod common;

use nova_core::testing::{TestClient, TestResponse};
use nova_core::{SessionRecord, SessionStore};
use nova_examples::notes::{self, Database, Settings, UserRepo, ensure_user};
use nova_ws::testing::TestSocket;
use serde_json::{Value, json};

use crate::common::TestDatabase;

on_both! {
    #[tokio::test] async fn
        the_live_page_shows_the_notes_and_script_as_text,
        the_pages_behind_the_guard_send_strangers_to_the_login,
        who_logs_in_gets_a_session_and_who_logs_out_has_none,
        a_wrong_password_and_an_unknown_name_get_the_same_answer,
        notes_are_written_changed_and_deleted_by_forms_and_everybody_hears_of_it,
        a_form_that_lacks_something_comes_back_with_what_was_typed,
        the_password_of_the_settings_counts_and_only_its_hash_is_stored;
}

const SCRIPT: &str = "<script>alert('x')</script>";

fn settings(password: &str) -> Settings {
    Settings {
        username: "admin".into(),
        password: Some(password.into()),
    }
}

async fn open(database: &TestDatabase) -> Database {
    let database = Database::new(database.url()).unwrap();
    database.open().await.unwrap();
    database
}

async fn client(database: &TestDatabase) -> TestClient {
    let database = open(database).await;
    let users = UserRepo::new(&database);
    ensure_user(&users, &settings("correct horse"))
        .await
        .unwrap();
    let mut app = notes::builder(notes::ROOT, &database);
    // As `notes::app()` has it; in `prod`, the store needs a secret that this does not have.
    if cfg!(debug_assertions) {
        app = app.session_store(database.sessions());
    }
    TestClient::new(app.build().unwrap())
}

async fn log_in(client: &TestClient, username: &str, password: &str) -> TestResponse {
    let form = [("username", username), ("password", password)];
    client.post("/login").form(&form).await
}

/// What a browser sends back.
fn cookie(response: &TestResponse) -> String {
    let set = response.header("set-cookie").unwrap();
    set.split(';').next().unwrap().to_owned()
}

async fn signed_in(client: &TestClient) -> String {
    cookie(&log_in(client, "admin", "correct horse").await)
}

async fn the_live_page_shows_the_notes_and_script_as_text(database: TestDatabase) {
    let client = client(&database).await;
    assert!(client.get("/").await.text().contains("No notes yet."));
    let note = json!({ "title": SCRIPT, "body": SCRIPT, "author": SCRIPT });
    assert_eq!(client.post("/api/notes").json(&note).await.status(), 201);
    let response = client.get("/").await;

    assert_eq!(response.status(), 200);
    assert_eq!(
        response.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let page = response.text();
    assert!(!page.contains(SCRIPT));
    assert_eq!(page.matches("&lt;script&gt;alert(").count(), 3);
    assert!(page.contains("new WebSocket("), "its script is in it");
    assert_eq!(
        response.header("set-cookie"),
        None,
        "looking costs no session"
    );
}

async fn the_pages_behind_the_guard_send_strangers_to_the_login(database: TestDatabase) {
    let client = client(&database).await;
    for (method, path) in [
        ("GET", "/notes"),
        ("GET", "/notes/"),
        ("GET", "/notes/new"),
        ("GET", "/notes/1/edit"),
        ("POST", "/notes"),
        ("POST", "/notes/1"),
        ("POST", "/notes/1/delete"),
    ] {
        let form = [("title", "T"), ("body", "B"), ("author", "A")];
        let response = client.request(method, path).form(&form).await;
        assert_eq!(response.status(), 303, "{method} {path}");
        assert_eq!(response.header("location"), Some("/login"));
        assert_eq!(response.header("x-correlation-id").unwrap().len(), 36);
    }
    let notes: Value = client.get("/api/notes").await.json();
    assert_eq!(notes, json!({ "notes": [] }));
    assert!(
        client
            .get("/login")
            .await
            .text()
            .contains("action=\"/login\"")
    );
}

async fn who_logs_in_gets_a_session_and_who_logs_out_has_none(database: TestDatabase) {
    let client = client(&database).await;
    let response = log_in(&client, "admin", "correct horse").await;
    assert_eq!(response.status(), 303);
    assert_eq!(response.header("location"), Some("/notes"));
    let set = response.header("set-cookie").unwrap();
    assert!(set.ends_with("; HttpOnly; SameSite=Lax; Path=/"), "{set}");

    let session = cookie(&response);
    for path in ["/notes", "/", "/login"] {
        let page = client.get(path).header("cookie", &session).await;
        assert_eq!(page.status(), 200, "{path}");
        assert_eq!(page.header("x-frame-options"), Some("DENY"), "{path}");
        assert!(page.text().contains("<span>admin</span>"), "{path}");
    }
    let response = client.post("/logout").header("cookie", &session).await;
    assert_eq!(response.header("location"), Some("/"));
    let page = client.get("/notes").header("cookie", &session).await;
    assert_eq!(page.header("location"), Some("/login"));
}

async fn a_wrong_password_and_an_unknown_name_get_the_same_answer(database: TestDatabase) {
    let client = client(&database).await;
    let mut pages = Vec::new();
    for (username, password) in [
        ("admin", "wrong"),
        ("nobody", "correct horse"),
        ("admin", ""),
        ("nul\0", "x"),
    ] {
        let response = log_in(&client, username, password).await;
        assert_eq!(response.status(), 401, "{username:?}");
        assert_eq!(response.header("set-cookie"), None);
        pages.push(response.text().replace(username, "…"));
    }
    assert!(pages[0].contains("Name or password is wrong."));
    assert_eq!(pages[0], pages[1]);
    let response = client.post("/login").form(&[("username", SCRIPT)]).await;
    assert_eq!(response.status(), 401);
    assert!(!response.text().contains(SCRIPT));
}

async fn notes_are_written_changed_and_deleted_by_forms_and_everybody_hears_of_it(
    database: TestDatabase,
) {
    let client = client(&database).await;
    let session = signed_in(&client).await;
    let mut socket = TestSocket::connect(&client, "/notifications")
        .await
        .unwrap();
    let page = client.get("/notes/new").header("cookie", &session).await;
    assert!(
        page.text().contains("value=\"admin\""),
        "the author is at hand"
    );

    let posts = [
        (
            "/notes",
            json!({ "title": "Milk", "body": "B", "author": "ann" }),
        ),
        ("/notes/1", json!({ "title": "Eggs", "body": "six" })),
        ("/notes/1/delete", json!({})),
        ("/notes/1/delete", json!({})),
    ];
    for (path, form) in &posts {
        let response = client
            .post(path)
            .header("cookie", &session)
            .form(form)
            .await;
        assert_eq!(response.status(), 303, "{path}");
        assert_eq!(response.header("location"), Some("/notes"));
        let page = client.get("/notes").header("cookie", &session).await;
        let title = form["title"].as_str().unwrap_or("No notes yet.");
        assert!(page.text().contains(title), "{path}");
        let told = "<p class=\"notice\" role=\"status\">The note was ";
        assert!(page.text().contains(told), "{path}");
        let page = client.get("/notes").header("cookie", &session).await;
        assert!(!page.text().contains(told), "{path}: once");
    }
    for expected in ["note_created", "note_updated", "note_deleted"] {
        let event: Value = serde_json::from_str(&socket.recv_text().await).unwrap();
        assert_eq!(event["event"], expected);
        assert_eq!(event["data"]["id"], 1);
    }
    for (method, path) in [
        ("GET", "/notes/1/edit"),
        ("POST", "/notes/1"),
        ("GET", "/notes/x/edit"),
    ] {
        let form = [("title", "T"), ("body", "B")];
        let response = client
            .request(method, path)
            .header("cookie", &session)
            .form(&form)
            .await;
        assert_eq!(response.status(), 404, "{method} {path}");
        // The status page of the group, for people.
        assert!(
            response.text().contains("<h1>Not here</h1>"),
            "{method} {path}"
        );
    }
}

async fn a_form_that_lacks_something_comes_back_with_what_was_typed(database: TestDatabase) {
    let client = client(&database).await;
    let session = signed_in(&client).await;
    let note = json!({ "title": "T", "body": "B", "author": "ann" });
    assert_eq!(client.post("/api/notes").json(&note).await.status(), 201);
    for (path, form) in [
        (
            "/notes",
            json!({ "title": "typed <b>", "body": " ", "author": "ann" }),
        ),
        ("/notes", json!({ "title": "typed <b>" })),
        (
            "/notes",
            json!({ "title": "typed <b>", "body": "\0", "author": "ann" }),
        ),
        ("/notes/1", json!({ "title": "typed <b>", "body": "" })),
    ] {
        let response = client
            .post(path)
            .header("cookie", &session)
            .form(&form)
            .await;
        assert_eq!(response.status(), 422, "{form}");
        let page = response.text();
        assert!(
            page.contains("Write a title, a note and an author."),
            "{page}"
        );
        assert!(page.contains("typed &lt;b&gt;"), "{page}");
        assert!(page.contains(&format!("action=\"{path}\"")), "{page}");
    }
    let page = client.get("/notes/1/edit").header("cookie", &session).await;
    assert!(page.text().contains("value=\"T\""));
    let notes: Value = client.get("/api/notes").await.json();
    assert_eq!(notes["notes"].as_array().unwrap().len(), 1);
}

async fn the_password_of_the_settings_counts_and_only_its_hash_is_stored(database: TestDatabase) {
    let users = UserRepo::new(&open(&database).await);
    let none = Settings {
        password: None,
        ..settings("")
    };
    ensure_user(&users, &none).await.unwrap();
    assert!(users.find("admin").await.unwrap().is_none());

    let mut hashes = Vec::new();
    for password in ["one", "one", "two"] {
        ensure_user(&users, &settings(password)).await.unwrap();
        hashes.push(users.find("admin").await.unwrap().unwrap().password_hash);
    }
    assert!(hashes[0].starts_with("$argon2id$") && !hashes[0].contains("one"));
    assert_eq!(hashes[0], hashes[1], "what is right is left alone");
    assert_ne!(hashes[1], hashes[2]);
    // Who has logged in with another one is logged out, and so a new start ends no session.
    let sessions = open(&database).await.sessions();
    let key = serde_json::from_value(json!("A".repeat(43))).unwrap();
    let session = SessionRecord {
        user: Some("admin".to_owned()),
        data: "{}".to_owned(),
        version: 1,
        ends_at: i64::MAX,
    };
    sessions.create(&key, &session).await.unwrap();
    ensure_user(&users, &settings("two")).await.unwrap();
    assert!(sessions.load(&key).await.unwrap().is_some());
    ensure_user(&users, &settings("three")).await.unwrap();
    assert!(sessions.load(&key).await.unwrap().is_none());
    // Without a password, and with an empty one as from a variable, the old one counts no more.
    for nothing in [none, settings("")] {
        ensure_user(&users, &settings("two")).await.unwrap();
        assert!(users.find("admin").await.unwrap().is_some());
        ensure_user(&users, &nothing).await.unwrap();
        assert!(users.find("admin").await.unwrap().is_none());
    }
}
