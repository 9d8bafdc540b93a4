//! What only a server can do to the notes app: be away, come back, refuse, and serve two of them.

use std::net::TcpListener;
use std::thread;

use sqlx::{Connection, PgConnection};

use crate::app::NotesProcess;
use crate::common::{Postgres, TestDatabase};
use crate::life::run;

const NOTE: &str = r#"{"title":"T","body":"B","author":"ann"}"#;

/// What the app tells of this database, which it cannot open, whatever the log level.
fn refused(url: &str) -> String {
    let database = TestDatabase::sqlite();
    let variables = [("DATABASE_URL", url), ("RUST_LOG", "trace")];
    let (output, told) = run(&database, &variables);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(!told.contains("panicked"), "{told}");
    told
}

#[test]
fn requests_fail_while_postgresql_is_away_and_work_when_it_is_back() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let app = NotesProcess::start(&TestDatabase::on(&server));
    assert_eq!(app.send("POST", "/api/notes", NOTE).0, 201);

    server.tell("stop");
    thread::scope(|scope| {
        let read = scope.spawn(|| app.send("GET", "/api/notes", "").0);
        let writes = [(); 4].map(|()| scope.spawn(|| app.send("POST", "/api/notes", NOTE).0));
        assert_eq!(app.send("GET", "/heartbeat", "").0, 200);
        assert_eq!(read.join().unwrap(), 500);
        for write in writes {
            let status = write.join().unwrap();
            assert!(status == 500 || status == 503, "{status}");
        }
    });

    server.tell("start");
    let (status, notes) = app.send("GET", "/api/notes", "");
    assert_eq!((status, notes.matches(r#""id":"#).count()), (200, 1));
    assert_eq!(app.send("POST", "/api/notes", NOTE).0, 201);
}

#[tokio::test]
async fn requests_fail_while_postgresql_does_not_answer_and_work_when_it_does() {
    let Some(database) = TestDatabase::postgres() else {
        return;
    };
    let app = NotesProcess::start(&database);
    let mut other = PgConnection::connect(database.url()).await.unwrap();
    let lock = "BEGIN; LOCK TABLE notes";
    sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
    thread::scope(|scope| {
        let app = &app;
        let requests = ["GET", "POST", "POST"];
        let requests =
            requests.map(|method| scope.spawn(move || app.send(method, "/api/notes", NOTE).0));
        for request in requests {
            let status = request.join().unwrap();
            assert!(status == 500 || status == 503, "{status}");
        }
    });
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();

    assert_eq!(app.send("POST", "/api/notes", NOTE).0, 201);
    assert_eq!(app.send("GET", "/api/notes", "").0, 200);
}

#[test]
fn two_apps_that_start_at_once_on_one_postgresql_share_their_notes() {
    let Some(database) = TestDatabase::postgres() else {
        return;
    };
    let [one, other] = thread::scope(|scope| {
        let apps = [(); 2].map(|()| scope.spawn(|| NotesProcess::start(&database)));
        apps.map(|app| app.join().unwrap())
    });
    let (_, created) = one.send("POST", "/api/notes", NOTE);

    assert_eq!(other.send("GET", "/api/notes/1", ""), (200, created));
}

#[test]
fn a_postgresql_that_is_not_there_is_named_without_the_password() {
    let nobody = "127.0.0.1:1"; // no test takes a privileged port in between
    let told = refused(&format!(
        "postgres://ann:secret@{nobody}/notes?password=secret"
    ));

    let name = format!("the database `postgres://ann:***@{nobody}/notes` cannot be opened");
    let host = format!("`{nobody}` gives no connection (is PostgreSQL running there");
    for expected in [&*name, &*host, "onnection refused"] {
        assert!(told.contains(expected), "{expected}\nis not in\n{told}");
    }
    assert!(!told.contains("secret"), "{told}");
}

#[test]
fn a_host_that_does_not_answer_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let told = refused(&format!("postgres://ann:secret@{address}/notes"));

    assert!(told.contains("no answer within 5s"), "{told}");
    assert!(!told.contains("secret"), "{told}");
}

#[test]
fn a_wrong_password_is_told_but_not_shown() {
    let Some(database) = TestDatabase::postgres() else {
        return;
    };
    let (before, after) = database.url().split_once('@').unwrap();
    let told = refused(&format!("{before}wrong@{after}"));

    assert!(told.contains("password authentication failed"), "{told}");
    for password in ["retwrong", "sec%2F", "sec/"] {
        assert!(!told.contains(password), "{told}");
    }
}
