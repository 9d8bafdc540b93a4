//! Sockets that a process is started with. The app is this program once more, in a process of its own,
//! which a shell starts as a service manager would.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
#[cfg(feature = "tls")]
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitCode, Stdio};

use nova_core::{App, Request, Result, text};

#[cfg(feature = "tls")]
use super::tls::Made;

/// Set for the app; unset, this is no app but the tests of one.
const APP: &str = "LISTENERS_TEST_APP";

/// Set for an app that never gets ready.
const SLOW: &str = "LISTENERS_TEST_SLOW";

#[test]
fn the_app() {
    if std::env::var_os(APP).is_some() {
        let code = nova_core::run(async || {
            if std::env::var_os(SLOW).is_some() {
                eprintln!("getting ready");
                std::future::pending::<()>().await;
            }
            app()
        });
        std::process::exit(if code == ExitCode::SUCCESS { 0 } else { 1 });
    }
}

fn app() -> Result<App> {
    let app = App::builder()
        .route(("/", |_: Request| async { text("hello") }))
        // What a child of the app would find.
        .route(("/environment", |_: Request| async {
            text(format!("{:?}", std::env::var_os("LISTEN_FDS")))
        }))
        .route(("/files", |_: Request| async {
            let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
            text(format!("{:?}", limit.current))
        }));
    Ok(app.build()?)
}

struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
}

impl Process {
    /// The app with `socket` as its descriptor 3, told of in these variables; `$$` is its own number.
    fn start(socket: impl Into<OwnedFd>, variables: &str) -> Self {
        let script = format!(
            "{variables} exec \"$0\" --exact process::the_app --nocapture 3<&0 0</dev/null"
        );
        let mut child = Command::new("sh")
            .args(["-c", &script])
            .arg(std::env::current_exe().unwrap())
            .env(APP, "")
            .env("NOVA_ENV", "dev")
            .env("NOVA_SERVER__LISTEN", "127.0.0.1:0")
            .env_remove("RUST_LOG")
            .stdin(Stdio::from(socket.into()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Process { child, lines }
    }

    /// The rest of the next line that has this text.
    fn wait_for(&mut self, text: &str) -> String {
        let mut passed = Vec::new();
        for line in self.lines.by_ref().map_while(std::io::Result::ok) {
            if let Some((_, rest)) = line.split_once(text) {
                return rest.to_owned();
            }
            passed.push(line);
        }
        panic!("the app ended and did not say `{text}`, but {passed:#?}");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    fn stop(mut self) {
        self.signal("TERM");
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask(mut stream: impl Read + Write, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn a_socket_that_the_process_was_started_with_takes_the_place_of_listen() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // Who connects before the app is there waits for it.
    let early = TcpStream::connect(address).unwrap();
    let mut app = Process::start(socket, "LISTEN_FDS=1 LISTEN_PID=$$");

    let told = app.wait_for("listening on ");
    assert_eq!(told, format!("http://{address} (dev)"));
    assert_eq!(ask(early, "/"), "hello");
    let found = ask(TcpStream::connect(address).unwrap(), "/environment");
    assert_eq!(found, "None");
    app.stop();
}

#[test]
fn a_unix_socket_that_the_process_was_started_with_keeps_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.sock");
    let socket = UnixListener::bind(&file).unwrap();
    let mut app = Process::start(socket, "LISTEN_FDS=1 LISTEN_PID=$$");

    app.wait_for(&format!("listening on unix:{} (dev)", file.display()));
    assert_eq!(ask(UnixStream::connect(&file).unwrap(), "/"), "hello");
    app.stop();
    assert!(file.exists());
}

#[test]
fn a_socket_that_is_meant_for_another_process_is_not_taken() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut app = Process::start(socket, "LISTEN_FDS=1 LISTEN_PID=1");

    let told = app.wait_for("listening on http://");
    assert!(!told.contains(&address.to_string()), "{told}");
    app.stop();
}

#[test]
fn a_socket_that_does_not_listen_is_told_with_what_to_do() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = TcpStream::connect(socket.local_addr().unwrap()).unwrap();
    let mut app = Process::start(connection, "LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES=web");

    let told =
        app.wait_for("cannot listen on the socket 1 (`web`), which the process was started with");
    assert_eq!(told, ": it does not listen");
    app.wait_for("`ListenStream=` in the `.socket` unit, without `Accept=yes`");
    assert_eq!(app.child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_second_signal_ends_a_delayed_stop_at_once_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.sock");
    let nothing = TcpListener::bind("127.0.0.1:0").unwrap(); // it is not told of
    let variables = format!(
        "NOVA_SERVER__LISTEN=unix:{} NOVA_SERVER__SHUTDOWN_DELAY=1h",
        file.display()
    );
    let mut app = Process::start(nothing, &variables);
    app.wait_for("listening on unix:");
    app.signal("TERM");
    app.wait_for("SIGTERM: stopping in 1h");
    assert_eq!(ask(UnixStream::connect(&file).unwrap(), "/"), "hello");
    app.signal("INT");

    app.wait_for("error: SIGINT again: not waiting any longer");
    assert_eq!(app.child.wait().unwrap().code(), Some(1));
    assert!(!file.exists());
}

#[test]
fn a_signal_before_the_app_is_ready_ends_it_with_0_and_a_command_with_1() {
    for (command, code) in [("", 0), ("NOVA_COMMAND=check", 1)] {
        for signal in ["TERM", "INT"] {
            let nothing = TcpListener::bind("127.0.0.1:0").unwrap(); // it is not told of
            let mut app = Process::start(nothing, &format!("{command} {SLOW}=1"));
            app.wait_for("getting ready");
            app.signal(signal);

            assert_eq!(app.child.wait().unwrap().code(), Some(code), "{command}");
        }
    }
}

#[test]
fn the_process_may_open_as_many_files_as_the_hard_limit_says() {
    let nothing = TcpListener::bind("127.0.0.1:0").unwrap(); // it is not told of
    let mut app = Process::start(nothing, "ulimit -Sn 100; ulimit -Hn 500;");
    let told = app.wait_for("listening on http://");
    let address = told.split(' ').next().unwrap();

    let files = ask(TcpStream::connect(address).unwrap(), "/files");
    assert_eq!(files, "Some(500)");
    app.stop();
}

/// The app with the certificate in this folder, on an address for HTTPS.
#[cfg(feature = "tls")]
fn start_with_certificate(folder: &Path, socket: TcpListener, more: &str) -> Process {
    let variables = format!(
        "NOVA_SERVER__TLS__CERTIFICATE={0}/cert.pem NOVA_SERVER__TLS__KEY={0}/key.pem \
         NOVA_SERVER__LISTEN=https://127.0.0.1:0 {more}",
        folder.display()
    );
    Process::start(socket, &variables)
}

#[cfg(feature = "tls")]
#[test]
fn a_socket_that_is_named_https_is_for_that() {
    let folder = tempfile::tempdir().unwrap();
    Made::new().save(folder.path());
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let more = "LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES=https";
    let mut app = start_with_certificate(folder.path(), socket, more);

    app.wait_for(&format!("listening on https://{address} (dev)"));
    app.stop();
}

#[cfg(feature = "tls")]
#[test]
fn on_sighup_the_certificate_is_read_again_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    Made::expired().save(folder.path());
    let nothing = TcpListener::bind("127.0.0.1:0").unwrap(); // it is not told of
    let mut app = start_with_certificate(folder.path(), nothing, "");
    app.wait_for("cert.pem has expired at 2020-01-01T00:00:00Z: clients will refuse it; renew it");
    app.wait_for("listening on https://127.0.0.1:");
    app.signal("HUP");
    app.wait_for("the certificate is the same");

    let key = folder.path().join("key.pem");
    std::fs::write(&key, "no key").unwrap();
    app.signal("HUP");
    app.wait_for("the certificate stays as it was: ");
    Made::new().save(folder.path());
    app.signal("HUP");
    app.wait_for("the certificate is renewed, and good until ");
    app.stop();
}
