//! The acceptance app as a process of its own, on a free port, and a client that sends raw bytes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;

/// How long an answer may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running app; it is killed when the test ends.
pub(crate) struct App {
    child: Child,
    address: String,
    folder: TempDir,
    log: Option<JoinHandle<String>>,
}

impl App {
    /// Starts the app with its defaults, over an empty folder of static files.
    pub(crate) fn start() -> Self {
        App::start_with(&[])
    }

    /// The same, with these variables.
    pub(crate) fn start_with(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path().join("public");
        std::fs::create_dir(&files).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_acceptance"))
            .env("NOVA_SERVER__LISTEN", "127.0.0.1:0")
            .env("ACCEPTANCE_STATIC_DIR", files)
            .env_remove("NOVA_ENV")
            .env_remove("RUST_LOG")
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut log = String::new();
        let address = loop {
            let Some(Ok(line)) = lines.next() else {
                panic!("the app ended before it listened: {log}");
            };
            if let Some((_, rest)) = line.split_once("listening on http://") {
                break rest.split(' ').next().unwrap().to_owned();
            }
            log += &format!("{line}\n");
        };
        let log = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                log += &format!("{line}\n");
            }
            log
        });
        App {
            child,
            address,
            folder,
            log: Some(log),
        }
    }

    /// Where it listens, as `127.0.0.1:12345`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// A folder whose folder `public` is at `/static`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Puts a file into the folder of `/static`.
    pub(crate) fn file(&self, name: &str, text: &str) {
        let path = self.folder().join("public").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A connection of its own.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends these bytes on a connection of their own, and gives the first answer.
    pub(crate) fn raw(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut stream = self.connect();
        let mut sending = stream.try_clone().unwrap();
        let bytes = bytes.as_ref().to_vec();
        // Beside the reading: who is refused early may not get rid of all.
        let sent = std::thread::spawn(move || sending.write_all(&bytes));
        let answer = Answer::read(&mut stream).expect("there is an answer");
        let _ = sent.join();
        answer
    }

    /// One request: `line` is such as `GET /hello`, and `headers` such as `a: b`.
    pub(crate) fn send(&self, line: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Answer {
        self.raw(self.request(line, headers, body))
    }

    pub(crate) fn get(&self, path: &str, headers: &[&str]) -> Answer {
        self.send(&format!("GET {path}"), headers, "")
    }

    pub(crate) fn post(&self, path: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Answer {
        self.send(&format!("POST {path}"), headers, body)
    }

    /// The bytes of one request, after which the connection ends.
    pub(crate) fn request(&self, line: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
        let body = body.as_ref();
        let mut head = format!("{line} HTTP/1.1\r\nhost: {}\r\n", self.address);
        for header in headers.iter().chain(&["connection: close"]) {
            head += &format!("{header}\r\n");
        }
        if !line.starts_with("GET") {
            head += &format!("content-length: {}\r\n", body.len());
        }
        [head.as_bytes(), b"\r\n", body].concat()
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the end, and gives the log with it.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        (status, self.log.take().unwrap().join().unwrap())
    }

    /// Whether it still answers.
    pub(crate) fn is_well(&self) -> bool {
        self.get("/hello", &[]).status == 200
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer, read as far as it says.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Reads an answer; `None` if the connection ends without one.
    pub(crate) fn read(stream: &mut TcpStream) -> Option<Answer> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                Ok(_) if head.is_empty() => return None,
                other => panic!("{other:?} in {}", String::from_utf8_lossy(&head)),
            }
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer {
            status,
            head,
            body: Vec::new(),
        };
        let length = answer.header("content-length").map(|n| n.parse().unwrap());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).unwrap();
        answer.body = body;
        Some(answer)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.split("\r\n").skip(1);
        lines.find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// `cookie: session_id=…`, as the client sends it the next time.
    pub(crate) fn cookie(&self) -> String {
        let cookie = self.header("set-cookie").expect("a cookie is set");
        format!("cookie: {}", cookie.split(';').next().unwrap())
    }
}
