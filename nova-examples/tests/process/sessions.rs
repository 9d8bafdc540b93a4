//! Who has logged in stays so when the app starts again.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::app::{NotesProcess, command};
use crate::common::TestDatabase;
use crate::life::run;

on_both! {
    #[test] fn
        a_restart_logs_nobody_out,
        another_password_logs_everybody_out,
        another_secret_logs_everybody_out;
}

/// The head of the answer to a form, or to a `GET` if there is none.
fn head(app: &NotesProcess, path: &str, cookie: &str, form: Option<&str>) -> String {
    let mut stream = TcpStream::connect(app.address()).unwrap();
    let method = if form.is_some() { "POST" } else { "GET" };
    let form = form.unwrap_or_default();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncookie: {cookie}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().0.to_owned()
}

/// Starts the app with this password and secret.
fn started(database: &TestDatabase, password: &str, secret: &str) -> NotesProcess {
    let mut command = command(database);
    command.env("NOVA_APP__PASSWORD", password);
    command.env("NOVA_SESSION__SECRET", secret.repeat(40));
    NotesProcess::spawn(&mut command)
}

/// The cookie of who logs in.
fn logged_in(app: &NotesProcess, password: &str) -> String {
    let form = format!("username=admin&password={password}");
    let head = head(app, "/login", "", Some(&form));
    let (_, set) = head.split_once("set-cookie: ").expect("a cookie");
    set.split(';').next().unwrap().to_owned()
}

fn is_in(app: &NotesProcess, cookie: &str) -> bool {
    let head = head(app, "/notes", cookie, None);
    match head.split(' ').nth(1) {
        Some("200") => true,
        Some("303") => false,
        _ => panic!("{head}"),
    }
}

fn a_restart_logs_nobody_out(database: TestDatabase) {
    let app = started(&database, "one", "s");
    let cookie = logged_in(&app, "one");
    assert!(is_in(&app, &cookie));
    app.signal("KILL");
    drop(app);

    let app = started(&database, "one", "s");
    assert!(is_in(&app, &cookie));
    assert!(!is_in(&app, "session_id=x"));
    head(&app, "/logout", &cookie, Some(""));
    drop(app);
    let app = started(&database, "one", "s");
    assert!(!is_in(&app, &cookie), "a log-out counts, too");
}

fn another_password_logs_everybody_out(database: TestDatabase) {
    let app = started(&database, "one", "s");
    let cookie = logged_in(&app, "one");
    drop(app);
    let app = started(&database, "two", "s");
    assert!(!is_in(&app, &cookie));
}

fn another_secret_logs_everybody_out(database: TestDatabase) {
    let app = started(&database, "one", "s");
    let cookie = logged_in(&app, "one");
    drop(app);
    let app = started(&database, "one", "t");
    assert!(!is_in(&app, &cookie));
}

#[test]
fn in_prod_the_app_says_that_it_needs_a_secret() {
    let database = TestDatabase::sqlite();
    let variables = [
        ("NOVA_ENV", "prod"),
        ("NOVA_SESSION__SECRET", "[]"),
        ("NOVA_LOG__FORMAT", "text"),
    ];
    let (output, told) = run(&database, &variables);
    assert_eq!(output.status.code(), Some(1));
    let [environment, secret, _] = variables;
    let asked = [environment, secret, ("NOVA_COMMAND", "routes")];
    let (output, _) = run(&database, &asked);
    assert_eq!(output.status.code(), Some(0), "the routes are no secret");
    assert!(
        told.contains("NOVA_SESSION__SECRET, to at least 32"),
        "{told}"
    );
}
