//! Routes and views that are saved while the app runs. The app is this program once more, in a
//! process of its own: signals and the log belong to a process.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::fs;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitCode, Stdio};

use nova_core::{App, Result, text, view};
use serde_json::json;
use tempfile::TempDir;

/// The folder of the app; unset, this is no app but the tests of one.
const ROOT: &str = "RELOAD_TEST_ROOT";

#[test]
fn the_app() {
    if let Ok(root) = std::env::var(ROOT) {
        let code = nova_core::run(async || app(&root));
        std::process::exit(if code == ExitCode::SUCCESS { 0 } else { 1 });
    }
}

fn app(root: &str) -> Result<App> {
    let app = App::builder()
        .root(root)
        .action("one", |_| async { text("one") })
        .action("two", |_| async { text("two") })
        .action("page", |_| async { view(&json!({})) });
    Ok(app.build()?)
}

/// A running app over files of its own.
struct Running {
    folder: TempDir,
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    address: String,
}

impl Running {
    fn start(environment: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("views")).unwrap();
        fs::write(folder.path().join("nova.toml"), "").unwrap();
        fs::write(folder.path().join("views/page.html"), "first").unwrap();
        write_routes(folder.path(), r#"["/a", "one"], ["/page", "page"]"#);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_app", "--nocapture"])
            .env(ROOT, folder.path())
            .env("NOVA_ENV", environment)
            .env("NOVA_SERVER__LISTEN", "127.0.0.1:0")
            .env("NOVA_LOG__FORMAT", "text")
            .env("NOVA_LOG__REQUESTS", "false")
            .env_remove("RUST_LOG")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut running = Running {
            folder,
            child,
            lines,
            address: String::new(),
        };
        let listening = running.wait_for("listening on http://");
        let address = listening.split("http://").nth(1).unwrap();
        running.address = address.split(' ').next().unwrap().to_owned();
        running
    }

    /// The next line that has this text.
    fn wait_for(&mut self, text: &str) -> String {
        let mut passed = Vec::new();
        for line in self.lines.by_ref().map_while(std::io::Result::ok) {
            if line.contains(text) {
                return line;
            }
            passed.push(line);
        }
        panic!("the app ended and did not say `{text}`, but {passed:#?}");
    }

    fn save_routes(&self, routes: &str) {
        write_routes(self.folder.path(), routes);
    }

    fn save_view(&self, name: &str, text: &str) {
        save(&self.folder.path().join("views").join(name), text);
    }

    fn hang_up(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", "HUP", &pid]).status();
        assert!(sent.unwrap().success());
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        match head.split(' ').nth(1).unwrap() {
            "200" => body.to_owned(),
            status => status.to_owned(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_routes(folder: &Path, routes: &str) {
    save(
        &folder.join("router.toml"),
        &format!("[[group]]\nroutes = [{routes}]\n"),
    );
}

/// As many editors do it: another file takes the place of the old one.
fn save(file: &Path, text: &str) {
    let new = file.with_file_name(".new");
    fs::write(&new, text).unwrap();
    fs::rename(new, file).unwrap();
}

#[test]
fn in_dev_a_saved_router_file_counts_at_once_and_the_difference_is_told() {
    let mut app = Running::start("dev");
    app.save_routes(r#"["/a", "two"], ["/b", "two"]"#);

    app.wait_for("reloaded: 1 added, 1 removed, 1 changed");
    app.wait_for("+ any /b → two");
    app.wait_for("- any /page → page");
    app.wait_for("~ any /a → two");
    assert_eq!((app.get("/a"), app.get("/b")), ("two".into(), "two".into()));
    assert_eq!(app.get("/page"), "404");
}

#[test]
fn in_dev_a_mistake_changes_nothing_and_is_told_and_so_is_its_end() {
    let mut app = Running::start("dev");
    app.save_routes(r#"["/a", "tow"]"#);

    app.wait_for("error: nothing is reloaded");
    app.wait_for("router.toml:2:18: no action is registered as `tow`");
    assert_eq!(
        (app.get("/a"), app.get("/page")),
        ("one".into(), "first".into())
    );

    app.save_routes(r#"["/a", "one"], ["/page", "page"]"#);
    app.wait_for("reloaded: no route has changed");
}

#[test]
fn in_dev_a_saved_view_counts_at_once() {
    let mut app = Running::start("dev");
    app.save_view("page.html", "{% broken");
    app.wait_for("error: nothing is reloaded");
    assert_eq!(app.get("/page"), "first");

    app.save_view("page.html", "second");
    app.wait_for("reloaded: views changed: page.html");
    assert_eq!(app.get("/page"), "second");
}

#[test]
fn a_route_and_the_view_that_names_it_can_be_saved_in_any_order() {
    let mut app = Running::start("dev");
    app.save_view("page.html", "{{ path_for('b') }}");
    app.wait_for("no route is called `b`");
    assert_eq!(app.get("/page"), "first");

    app.save_routes(r#"["/page", "page"], ["/b", "two", { name = "b" }]"#);
    app.wait_for("reloaded: 1 added, 1 removed, 0 changed");
    assert_eq!(app.get("/page"), "/b");
}

#[test]
fn in_prod_sighup_reloads_and_saving_does_not() {
    let mut app = Running::start("prod");
    app.save_routes(r#"["/a", "two"]"#);
    assert_eq!(app.get("/a"), "one");
    app.hang_up();

    app.wait_for("reloaded: 0 added, 1 removed, 1 changed");
    assert_eq!(app.get("/a"), "two");
    app.hang_up();
    app.wait_for("reloaded: no route has changed");
}
