//! A PostgreSQL server of the tests' own, on a free port and in a folder of its own.
//!
//! Tests get killed, and statics are never dropped. So a shell keeps the server: it reads commands
//! from a pipe that this process holds, and when the pipe ends, however that came about, it stops
//! the server and removes the folder.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use super::missing;
use super::port::free_port;

/// Its `/` shows whether the way of a URL into a connection is right.
const PASSWORD: &str = "sec/ret";

/// A running server. It stops when this is dropped, and when the process ends.
pub(crate) struct Postgres {
    port: u16,
    folder: PathBuf,
    keeper: Mutex<Keeper>,
    databases: AtomicU32,
}

struct Keeper {
    _shell: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Postgres {
    /// The one server of this test program. None if PostgreSQL is not installed.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
        SHARED.get_or_init(Postgres::start).as_ref()
    }

    /// Starts a server for one test alone. None if PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            missing("the tests on PostgreSQL: install Debian's package `postgresql`");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("nova-postgres-").tempdir();
        let folder = folder.unwrap().keep(); // the keeper removes it
        fs::write(folder.join("password"), PASSWORD).unwrap();
        let mut server = Postgres {
            port: 0,
            keeper: Mutex::new(Keeper::start(&programs, &folder)),
            folder,
            databases: AtomicU32::new(0),
        };
        server.tell("initialise");
        for _ in 0..5 {
            server.port = free_port();
            if server.try_tell("start") {
                return Some(server);
            }
        }
        panic!("PostgreSQL does not start:\n{}", server.log());
    }

    /// Makes an empty database, and gives its URL.
    pub(crate) fn create_database(&self) -> String {
        let name = format!("notes_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.tell(&format!("create {name}"));
        let password = PASSWORD.replace('/', "%2F");
        format!("postgres://notes:{password}@127.0.0.1:{}/{name}", self.port)
    }

    /// `stop` or `start`, on the same port.
    pub(crate) fn tell(&self, command: &str) {
        assert!(self.try_tell(command), "{command}:\n{}", self.log());
    }

    fn try_tell(&self, command: &str) -> bool {
        let mut keeper = self.keeper.lock().unwrap();
        writeln!(keeper.commands, "{} {command}", self.port).unwrap();
        let mut answer = String::new();
        keeper.answers.read_line(&mut answer).unwrap();
        answer == "ok\n"
    }

    fn log(&self) -> String {
        let parts = ["log", "server.log"].map(|name| fs::read_to_string(self.folder.join(name)));
        parts.into_iter().flatten().collect()
    }
}

impl Keeper {
    fn start(programs: &Path, folder: &Path) -> Self {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", include_str!("postgres.sh"), "keeper"])
            .arg(programs)
            .current_dir(folder)
            .env("PGPASSWORD", PASSWORD)
            .env("LC_ALL", "C")
            // What ends the tests with Ctrl-C does not end what cleans up after them.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // PostgreSQL does not run as root.
        if fs::metadata(folder).unwrap().uid() == 0 {
            let (user, group) = ordinary_user();
            for path in [folder, &folder.join("password")] {
                chown(path, Some(user), Some(group)).unwrap();
            }
            shell.uid(user).gid(group);
        }
        let mut shell = shell.spawn().unwrap();
        Keeper {
            commands: shell.stdin.take().unwrap(),
            answers: BufReader::new(shell.stdout.take().unwrap()),
            _shell: shell,
        }
    }
}

/// The folder of PostgreSQL's programs: one of `PATH`, or the newest of Debian's.
fn programs() -> Option<PathBuf> {
    let mut debians: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    debians.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(debians.into_iter().rev().map(|(_, folder)| folder))
        .find(|folder| {
            let needed = ["initdb", "postgres", "pg_ctl", "createdb"];
            needed.iter().all(|program| folder.join(program).is_file())
        })
}

/// User and group of `postgres`, which Debian's package makes, or of `nobody`.
fn ordinary_user() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let of = |name: &str| {
        let user = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut ids = user.split(':').skip(2);
        Some((ids.next()?.parse().ok()?, ids.next()?.parse().ok()?))
    };
    of("postgres")
        .or_else(|| of("nobody"))
        .expect("there is a `nobody` everywhere")
}
