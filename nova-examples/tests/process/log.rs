//! What the notes app writes to standard error: for people in `dev`, for programs in `prod`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;
use sqlx::Connection;

use crate::app::{NotesProcess, command, signal};
use crate::common::TestDatabase;

/// Starts the app with these variables, sends it a `GET` for each path, stops it, and gives the
/// correlation ids of the answers and the log.
fn log_of(variables: &[(&str, &str)], paths: &[&str]) -> (Vec<String>, String) {
    let database = TestDatabase::sqlite();
    let mut command = command(&database);
    command.envs(variables.iter().copied());
    let app = NotesProcess::spawn(&mut command);
    let ids = paths.iter().map(|path| {
        let mut stream = TcpStream::connect(app.address()).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, id) = answer.split_once("x-correlation-id: ").unwrap();
        id[..36].to_owned()
    });
    let ids = ids.collect();
    app.signal("TERM");
    (ids, app.ended().1)
}

#[test]
fn in_dev_each_request_is_one_line_with_its_correlation_id() {
    let paths = ["/heartbeat", "/api/notes?secret=hunter2", "/nowhere"];
    let (ids, log) = log_of(&[], &paths);
    for (id, expected) in ids.iter().zip([
        "GET /heartbeat 200 in ",
        "GET /api/notes 200 in ",
        "GET /nowhere 404 in ",
    ]) {
        let lines: Vec<_> = log.lines().filter(|line| line.contains(id)).collect();
        assert_eq!(lines.len(), 1, "{log}");
        assert!(lines[0].contains(expected), "{log}");
    }
    assert!(!log.contains("hunter2"), "{log}");
    assert!(!log.contains("did not stop in time"), "{log}");
}

#[test]
fn in_prod_every_line_is_json_and_a_requests_lines_have_its_correlation_id() {
    let variables = [("NOVA_ENV", "prod"), ("RUST_LOG", "debug")];
    let (ids, log) = log_of(&variables, &["/api/notes"]);
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();

    let of_request: Vec<_> = lines
        .iter()
        .filter(|line| line["spans"][0]["correlation_id"] == ids[0])
        .collect();
    assert!(
        of_request.len() >= 2,
        "the database has said something, too: {log}"
    );
    let told: Vec<_> = lines
        .iter()
        .filter(|line| line["message"] == "request")
        .collect();
    assert_eq!(told.len(), 1, "{log}");
    assert_eq!(told[0]["spans"][0]["correlation_id"], ids[0]);
    assert_eq!(told[0]["method"], "GET");
    assert_eq!(told[0]["path"], "/api/notes");
    assert_eq!(told[0]["status"], 200);
    assert!(told[0]["ms"].is_f64());
    let listening = |line: &&Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message.starts_with("listening on http://127.0.0.1:")
    };
    assert_eq!(lines.iter().filter(listening).count(), 1, "{log}");
}

#[test]
fn the_settings_decide_what_is_logged_and_rust_log_beats_them() {
    let line = "GET /heartbeat 200";
    for (variables, expected) in [
        (&[("NOVA_LOG__REQUESTS", "false")][..], false),
        (&[("NOVA_LOG__LEVEL", "warn")], false),
        (
            &[("NOVA_LOG__LEVEL", "info,nova_core::requests=off")],
            false,
        ),
        (&[("NOVA_LOG__LEVEL", "warn"), ("RUST_LOG", "info")], true),
        (&[("NOVA_ENV", "prod"), ("NOVA_LOG__FORMAT", "text")], true),
    ] {
        let (_, log) = log_of(variables, &["/heartbeat"]);
        assert_eq!(log.contains(line), expected, "{variables:?}: {log}");
    }
}

#[test]
fn at_debug_the_log_begins_with_the_settings_and_their_places_and_without_secrets() {
    let variables = [("RUST_LOG", "debug"), ("NOVA_APP__PASSWORD", "hunter2")];
    let (_, log) = log_of(&variables, &["/heartbeat"]);
    for expected in [
        "server.listen = 127.0.0.1:0 (environment variable `NOVA_SERVER__LISTEN`)",
        "app.password = *** (environment variable `NOVA_APP__PASSWORD`)",
        "app.username = \"admin\" (",
        "notes/nova.toml:10:12)",
    ] {
        assert!(log.contains(expected), "{expected} is not in\n{log}");
    }
    assert!(!log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn errors_have_the_correlation_id_also_where_only_errors_are_logged() {
    for environment in ["dev", "prod"] {
        let database = TestDatabase::sqlite();
        drop(NotesProcess::start(&database)); // it has made the tables
        let mut users = sqlx::SqliteConnection::connect(database.url())
            .await
            .unwrap();
        // What the app cannot check a password against.
        sqlx::query("INSERT INTO users (username, password_hash) VALUES ('x', 'no hash')")
            .execute(&mut users)
            .await
            .unwrap();
        users.close().await.unwrap();
        let variables = [
            ("NOVA_ENV", environment),
            ("NOVA_LOG__LEVEL", "error"),
            ("NOVA_APP__PASSWORD", "a password"),
        ];
        let mut command = command(&database);
        let app = NotesProcess::spawn(command.envs(variables).env("NOVA_LOG__FORMAT", "text"));
        let mut stream = TcpStream::connect(app.address()).unwrap();
        let login = "POST /login HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                     content-type: application/x-www-form-urlencoded\r\n\
                     content-length: 21\r\n\r\nusername=x&password=y";
        stream.write_all(login.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        let (_, id) = answer.split_once("x-correlation-id: ").unwrap();
        app.signal("TERM");
        let (_, log) = app.ended();
        let line = log
            .lines()
            .find(|line| line.contains("the password cannot be hashed"));
        assert!(line.unwrap().contains(&id[..36]), "{log}");
        assert_eq!(log.lines().count(), 2, "{log}");
    }
}

#[test]
fn in_prod_why_the_app_does_not_start_is_json_too() {
    let database = TestDatabase::sqlite();
    for (variable, value, expected) in [
        ("NOVA_SERVER__LISTN", "x", "the app cannot be built"),
        (
            "DATABASE_URL",
            "sqlite:/nowhere/x.db",
            "the app cannot start",
        ),
    ] {
        let mut command = command(&database);
        let output = command
            .env("NOVA_ENV", "prod")
            .env(variable, value)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8(output.stderr).unwrap();
        let last: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
        assert_eq!(last["level"], "ERROR");
        assert!(
            last["message"].as_str().unwrap().contains(expected),
            "{told}"
        );
    }
}

#[test]
fn a_log_that_nobody_reads_does_not_hold_the_app_up() {
    let database = TestDatabase::sqlite();
    let mut child = command(&database).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let address = loop {
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        if let Some((_, rest)) = line.split_once("listening on http://") {
            break rest.split(' ').next().unwrap().to_owned();
        }
    };
    // More lines than the pipe and the queue take.
    let mut stream = TcpStream::connect(address).unwrap();
    let requests = b"GET /heartbeat HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
    let answer = b"content-length: 0\r\n";
    for _ in 0..120 {
        stream.write_all(&requests).unwrap();
        let (mut answers, mut buffer) = (0, Vec::new());
        while answers < 100 {
            let mut part = [0; 64 * 1024];
            let read = stream.read(&mut part).unwrap();
            buffer.extend_from_slice(&part[..read]);
            answers = buffer
                .windows(answer.len())
                .filter(|bytes| bytes == answer)
                .count();
        }
    }
    drop(stream);
    signal(&child, "TERM");
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(
        rest.contains("lines of the log were lost: nobody read"),
        "{rest}"
    );
}
