//! The notes app as a process of its own, on a free port, over a database of its own.
//!
//! Not every test program starts it, and so it is not in mod.rs: those that do declare it.

use std::io::{BufRead, BufReader, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::common::TestDatabase;

/// A running app; it is killed when the test ends.
pub(crate) struct NotesProcess {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl NotesProcess {
    /// Starts the app on a free port, and waits until it listens.
    pub(crate) fn start(database: &TestDatabase) -> Self {
        NotesProcess::spawn(&mut command(database))
    }

    /// Starts the app so that no file of its can grow beyond some 200 KiB: to the database, that
    /// is a full disk.
    pub(crate) fn start_on_a_small_disk(database: &TestDatabase) -> Self {
        let mut shell = Command::new("sh");
        let script = "ulimit -f 400; trap '' XFSZ; exec \"$0\"";
        shell.args(["-c", script, env!("CARGO_BIN_EXE_notes")]);
        NotesProcess::spawn(&mut over(shell, database))
    }

    /// Starts the app with such a [`command`], and waits until it listens.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let address = loop {
            let Some(line) = lines.next() else {
                panic!("the app ended before it listened: {}", log.lock().unwrap());
            };
            let line = line.unwrap();
            let listening = line.split_once("listening on http://");
            let address = listening.map(|(_, rest)| rest.split(' ').next().unwrap().to_owned());
            *log.lock().unwrap() += &format!("{line}\n");
            if let Some(address) = address {
                break address;
            }
        };
        let copy = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *copy.lock().unwrap() += &format!("{line}\n");
            }
        });
        NotesProcess {
            child,
            address,
            log,
            reader: Some(reader),
        }
    }

    /// Where it listens, as `127.0.0.1:12345`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Waits until the log has this text.
    pub(crate) fn wait_for_log(&self, text: &str) {
        while !self.log.lock().unwrap().contains(text) {
            let ended = self.reader.as_ref().is_none_or(JoinHandle::is_finished);
            assert!(!ended, "the app ended and did not log `{text}`");
            std::thread::yield_now();
        }
    }

    /// Waits for the end, and gives the log with it.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        let log = self.log.lock().unwrap().clone();
        (status, log)
    }

    /// A request on a connection of its own; gives status and body.
    pub(crate) fn send(&self, method: &str, path: &str, json: &str) -> (u16, String) {
        self.try_send(method, path, json).unwrap()
    }

    /// The same, to an app that may end before it has answered.
    pub(crate) fn try_send(&self, method: &str, path: &str, json: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{json}",
            self.address,
            json.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let Some((head, body)) = answer.split_once("\r\n\r\n") else {
            return Err(ErrorKind::UnexpectedEof.into());
        };
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok((status, body.to_owned()))
    }
}

impl Drop for NotesProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a process a signal, such as `TERM`.
pub(crate) fn signal(process: &Child, name: &str) {
    let pid = process.id().to_string();
    let sent = Command::new("kill").args(["-s", name, &pid]).status();
    assert!(sent.unwrap().success());
}

/// The command that starts the app.
pub(crate) fn command(database: &TestDatabase) -> Command {
    over(Command::new(env!("CARGO_BIN_EXE_notes")), database)
}

fn over(mut command: Command, database: &TestDatabase) -> Command {
    command
        .env("DATABASE_URL", database.url())
        .env("NOVA_SERVER__LISTEN", "127.0.0.1:0")
        .env(
            "NOVA_SESSION__SECRET",
            "what the tests sign their cookies with",
        )
        .env_remove("NOVA_ENV")
        .env_remove("RUST_LOG")
        .stderr(Stdio::piped())
        .stdout(Stdio::null());
    command
}
