//! The notes app as a program: how it starts, how it stops, and what it says when it cannot.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::sync::mpsc;
use std::thread;

use futures_util::StreamExt;
use sqlx::Connection;
use tokio_tungstenite::tungstenite::Message;

use crate::app::{NotesProcess, command};
use crate::common::TestDatabase;

on_both! {
    #[test] fn
        it_prints_where_it_listens_and_stops_on_sigterm_with_0,
        a_second_signal_ends_a_stop_that_takes_its_time,
        no_acknowledged_note_is_lost_by_kill_9,
        no_acknowledged_note_is_lost_by_kill_9_amid_writes;
    #[tokio::test] async fn
        a_stop_closes_sockets_with_1001;
}

const NOTE: &str = r#"{"title":"T","body":"B","author":"ann"}"#;

/// Runs the app with these variables until it ends by itself.
pub(crate) fn run(database: &TestDatabase, variables: &[(&str, &str)]) -> (Output, String) {
    let output = command(database)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    (output, told)
}

fn it_prints_where_it_listens_and_stops_on_sigterm_with_0(database: TestDatabase) {
    let app = NotesProcess::start(&database);
    assert_eq!(app.send("GET", "/heartbeat", ""), (200, String::new()));
    let address = app.address().to_owned();
    app.signal("TERM");
    let (status, log) = app.ended();

    assert_eq!(status.code(), Some(0), "{log}");
    assert!(
        log.contains("SIGTERM: stopping") && log.contains("stopped"),
        "{log}"
    );
    TcpListener::bind(address).unwrap();
}

fn a_second_signal_ends_a_stop_that_takes_its_time(database: TestDatabase) {
    let app = NotesProcess::start(&database);
    // A body that never ends holds the stop up until its time-out.
    let mut half = TcpStream::connect(app.address()).unwrap();
    half.write_all(b"POST /api/notes HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{")
        .unwrap();
    assert_eq!(app.send("GET", "/heartbeat", "").0, 200);
    app.signal("TERM");
    app.wait_for_log("SIGTERM: stopping");
    app.signal("INT");
    let (status, log) = app.ended();

    assert_eq!(status.code(), Some(1), "{log}");
    assert!(
        log.contains("error: SIGINT again: not waiting any longer"),
        "{log}"
    );
}

async fn a_stop_closes_sockets_with_1001(database: TestDatabase) {
    let app = NotesProcess::start(&database);
    let url = format!("ws://{}/notifications", app.address());
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    app.signal("INT");

    let Some(Ok(Message::Close(Some(frame)))) = socket.next().await else {
        panic!("a close frame was expected");
    };
    assert_eq!(u16::from(frame.code), 1001);
    drop(socket);
    let (status, log) = app.ended();
    assert_eq!(status.code(), Some(0), "{log}");
}

fn no_acknowledged_note_is_lost_by_kill_9(database: TestDatabase) {
    let app = NotesProcess::start(&database);
    for _ in 0..20 {
        assert_eq!(app.send("POST", "/api/notes", NOTE).0, 201);
    }
    app.signal("KILL");
    drop(app);

    let app = NotesProcess::start(&database);
    let (_, notes) = app.send("GET", "/api/notes", "");
    assert_eq!(notes.matches(r#""id":"#).count(), 20);
}

fn no_acknowledged_note_is_lost_by_kill_9_amid_writes(database: TestDatabase) {
    let app = NotesProcess::start(&database);
    let (acknowledge, acknowledged) = mpsc::channel();
    let mut titles = Vec::new();
    thread::scope(|scope| {
        for writer in 0..8 {
            let (app, acknowledge) = (&app, acknowledge.clone());
            scope.spawn(move || {
                for n in 0.. {
                    let title = format!("{writer}/{n}");
                    let note = format!(r#"{{"title":"{title}","body":"B","author":"ann"}}"#);
                    let Ok((status, _)) = app.try_send("POST", "/api/notes", &note) else {
                        break; // it is killed
                    };
                    assert_eq!(status, 201);
                    acknowledge.send(title).unwrap();
                }
            });
        }
        drop(acknowledge);
        titles.extend(acknowledged.iter().take(100));
        app.signal("KILL");
        titles.extend(acknowledged.iter());
    });
    drop(app);

    let app = NotesProcess::start(&database);
    let (_, notes) = app.send("GET", "/api/notes", "");
    assert!(titles.len() >= 100);
    for title in titles {
        let stored = notes.matches(&format!(r#""title":"{title}""#)).count();
        assert_eq!(stored, 1, "{title}");
    }
}

#[test]
fn no_note_is_acknowledged_that_a_full_disk_did_not_take() {
    let database = TestDatabase::sqlite();
    let app = NotesProcess::start_on_a_small_disk(&database);
    let note = format!(
        r#"{{"title":"T","author":"ann","body":"{}"}}"#,
        "x".repeat(10_000)
    );
    let statuses: Vec<u16> = (0..60)
        .map(|_| app.send("POST", "/api/notes", &note).0)
        .collect();
    let acknowledged = statuses.iter().filter(|status| **status == 201).count();
    assert!(statuses.contains(&500), "the disk is not full yet");

    let (status, notes) = app.send("GET", "/api/notes", "");
    assert_eq!(status, 200);
    assert_eq!(notes.matches(r#""id":"#).count(), acknowledged);
    drop(app);
    let app = NotesProcess::start(&database);
    let (_, notes) = app.send("GET", "/api/notes", "");
    assert_eq!(notes.matches(r#""id":"#).count(), acknowledged);
    assert_eq!(app.send("POST", "/api/notes", NOTE).0, 201);
}

#[test]
fn a_taken_port_says_what_to_do() {
    let database = TestDatabase::sqlite();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (output, told) = run(&database, &[("NOVA_SERVER__LISTEN", &address)]);

    assert_eq!(output.status.code(), Some(1));
    let expected = format!("error: cannot listen on {address}: the port is taken\nhelp: ");
    assert!(told.contains(&expected), "{told}");
    assert!(told.contains("NOVA_SERVER__LISTEN=127.0.0.1:"), "{told}");
}

#[test]
fn a_mistake_in_the_settings_stops_the_start() {
    let database = TestDatabase::sqlite();
    let variables = [("NOVA_SERVER__LISTN", "127.0.0.1:0"), ("NOVA_ENV", "test")];
    let (output, told) = run(&database, &variables);

    assert_eq!(output.status.code(), Some(1));
    for expected in [
        "error: the app cannot be built",
        "environment variable `NOVA_SERVER__LISTN`: `[server]` has no key `listn`",
        "help: a similar key exists: `listen`",
        "environment variable `NOVA_ENV`: there is no environment `test`",
    ] {
        assert!(told.contains(expected), "{expected}\nis not in\n{told}");
    }
}

#[test]
fn a_variable_with_one_underscore_is_told_and_the_url_in_spite_of_the_log_level() {
    let database = TestDatabase::sqlite();
    for (variable, value, expected) in [
        (
            "NOVA_SERVER_LISTEN",
            "127.0.0.1:1",
            "NOVA_SERVER__LISTEN is one",
        ),
        ("RUST_LOG", "off", "listening on http://127.0.0.1:"),
    ] {
        let mut child = command(&database).env(variable, value).spawn().unwrap();
        let mut told = String::new();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        while !told.contains("listening on") {
            told += &lines.next().unwrap().unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_database_that_cannot_be_opened_is_named() {
    let database = TestDatabase::sqlite();
    for (url, shown) in [
        ("sqlite:/nowhere/notes.db", "sqlite:/nowhere/notes.db"),
        ("mongodb://localhost", "mongodb://localhost"),
        ("postgres://ann:sec/ret@localhost", "…"),
        ("", ""),
    ] {
        let (output, told) = run(&database, &[("DATABASE_URL", url)]);

        assert_eq!(output.status.code(), Some(1));
        let expected =
            format!("error: the app cannot start: the database `{shown}` cannot be opened");
        assert!(told.contains(&expected), "{told}");
        assert!(!told.contains("panicked"), "{told}");
    }
}

#[tokio::test]
async fn an_indexer_that_fails_for_good_ends_the_app_with_1_and_the_reason() {
    let database = TestDatabase::sqlite();
    drop(NotesProcess::start(&database)); // it has made the tables
    let mut notes = sqlx::SqliteConnection::connect(database.url())
        .await
        .unwrap();
    // What the app would never write, and cannot read.
    sqlx::query("INSERT INTO notes (title, body, author, inserted_at) VALUES (x'ff', '', '', '')")
        .execute(&mut notes)
        .await
        .unwrap();
    notes.close().await.unwrap();
    let (output, told) = run(&database, &[]);

    assert_eq!(output.status.code(), Some(1), "{told}");
    let restarts = told
        .matches("the service `note_indexer` failed and starts again in")
        .count();
    assert_eq!(restarts, 5, "{told}");
    let reason = "error: the service `note_indexer` failed more than 5 times within 60 s, at last \
                  because: ";
    assert!(told.contains(reason), "{told}");
}
