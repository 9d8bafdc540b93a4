//! Questions in `NOVA_COMMAND`. The app is this program once more, in a process of its own: its
//! output and its exit code belong to a process.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::process::{Command, ExitCode, Output};

use nova_core::{App, Group, Result, methods, text};

/// Set to `right` or `wrong` for the app; unset, this is no app but the tests of one.
const APP: &str = "COMMAND_TEST_APP";

#[test]
fn the_app() {
    if let Ok(kind) = std::env::var(APP) {
        let code = nova_core::run(async || app(kind == "right"));
        std::process::exit(if code == ExitCode::SUCCESS { 0 } else { 1 });
    }
}

fn app(is_right: bool) -> Result<App> {
    let action = if is_right { "notes" } else { "nots" };
    let routes = Group::new()
        .prefix("/api")
        .route(("/notes/{id}", action, methods(["get"]).name("note")))
        .route((404, "notes"));
    let app = App::builder().action("notes", |_| async { text("notes") });

    Ok(app.group(routes).build()?)
}

fn ask(command: &str, app: &str) -> (i32, String, String) {
    let asked = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_app", "--nocapture"])
        .env(APP, app)
        .env("NOVA_COMMAND", command)
        .env("NOVA_ENV", "dev")
        // Nobody has this address (RFC 5737): who wanted to listen would fail.
        .env("NOVA_SERVER__LISTEN", "192.0.2.1:1")
        .output();
    let Output {
        status,
        stdout,
        stderr,
    } = asked.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn an_app_that_is_asked_answers_and_does_not_listen() {
    for (command, code, said) in [
        ("check", 0, "the app is right"),
        ("routes", 0, "GET  /api/notes/{id}  notes  "),
        ("routes json", 0, "\"name\": \"note\""),
        ("explain GET /api/notes/7", 0, "`notes` answers"),
        (
            "explain GET /api/nots/7",
            1,
            "segment 2 is `notes`, and here `nots`",
        ),
        (
            "explain DELETE /api/notes/7",
            1,
            "405, as the methods here are GET, HEAD, OPTIONS",
        ),
    ] {
        let (found, stdout, stderr) = ask(command, "right");
        assert!(stdout.contains(said), "{command}: {stdout}{stderr}");
        assert_eq!((found, &*stderr), (code, ""), "{command}");
    }
}

#[test]
fn a_list_of_routes_as_json_is_json_by_itself() {
    let (_, stdout, _) = ask("routes json", "right");
    let start = stdout.find("[\n").unwrap();
    let routes: serde_json::Value = serde_json::from_str(stdout[start..].trim()).unwrap();
    assert_eq!(routes[0]["path"], "/api/notes/{id}");
    assert_eq!(routes[1]["status"], 404);
}

#[test]
fn an_app_that_is_wrong_says_so_whatever_it_is_asked() {
    for command in ["check", "routes"] {
        let (code, _, stderr) = ask(command, "wrong");
        assert_eq!(code, 1);
        assert!(
            stderr.contains("no action is registered as `nots`"),
            "{command}: {stderr}"
        );
    }
}

#[test]
fn what_is_no_command_is_told_and_nothing_is_served() {
    let (code, _, stderr) = ask("rotes", "right");
    assert_eq!(code, 1);
    assert!(
        stderr.contains("`NOVA_COMMAND=rotes` is no command"),
        "{stderr}"
    );
    // An empty one is none: the app is served, as far as that can be.
    let (code, _, stderr) = ask("", "right");
    assert_eq!(code, 1);
    assert!(stderr.contains("192.0.2.1:1"), "{stderr}");
}
