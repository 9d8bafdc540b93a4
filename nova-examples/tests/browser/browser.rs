//! Chromium, in which a program presses the keys: chromedriver, which speaks WebDriver.
//!
//! As with PostgreSQL, a shell reads from a pipe that this process holds. When the pipe ends,
//! however that came about, it kills chromedriver and all browsers, and removes their folder.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Map, Value, json};

use crate::app::NotesProcess;
use crate::common::missing;
use crate::window::Window;

/// Without a screen, and without a word to anybody but the app. `--no-sandbox`: CI is root, and
/// its containers may have little `/dev/shm`.
const FLAGS: [&str; 11] = [
    "--headless",
    "--hide-scrollbars",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
];

/// A running chromedriver. It ends with this process, and so do its browsers.
pub(crate) struct Browser {
    /// Where it listens, as `http://127.0.0.1:12345`.
    driver: String,
    chromium: PathBuf,
    /// For what the browsers keep.
    folder: PathBuf,
    windows: AtomicU32,
    _shell: Child,
    _output: BufReader<ChildStdout>,
}

impl Browser {
    /// The one of this test program. None if something is not installed.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Browser>> = OnceLock::new();
        SHARED.get_or_init(Browser::start).as_ref()
    }

    fn start() -> Option<Self> {
        let programs = ["chromium", "chromedriver", "setsid"].map(program);
        let [Some(chromium), Some(chromedriver), Some(_)] = programs else {
            missing(
                "the tests in a browser: install Debian's packages `chromium` and `chromium-driver`",
            );
            return None;
        };
        let folder = tempfile::Builder::new().prefix("nova-browser-").tempdir();
        let folder = folder.unwrap().keep(); // the shell removes it
        let mut shell = Command::new("sh")
            .args(["-c", include_str!("browser.sh"), "keeper"])
            .arg(chromedriver)
            .current_dir(&folder)
            .env("HOME", &folder)
            .env("TMPDIR", &folder)
            // What ends the tests with Ctrl-C does not end what cleans up after them.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(shell.stdout.take().unwrap());
        let started = output
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let port = line.split_once("started successfully on port ")?.1;
                Some(port.trim_end_matches('.').to_owned())
            });
        let Some(port) = started else {
            let log = fs::read_to_string(folder.join("log"));
            panic!("chromedriver does not start: {}", log.unwrap_or_default());
        };
        Some(Browser {
            driver: format!("http://127.0.0.1:{port}"),
            chromium,
            folder,
            windows: AtomicU32::new(0),
            _shell: shell,
            _output: output,
        })
    }

    /// Opens the live page in a window of its own, with cookies of its own.
    pub(crate) async fn open(&self, app: &NotesProcess) -> Window {
        self.open_with(app, json!({})).await
    }

    /// The same for somebody who has switched JavaScript off.
    pub(crate) async fn open_without_javascript(&self, app: &NotesProcess) -> Window {
        let blocked = json!({ "profile.managed_default_content_settings.javascript": 2 });
        self.open_with(app, blocked).await
    }

    async fn open_with(&self, app: &NotesProcess, preferences: Value) -> Window {
        let number = self.windows.fetch_add(1, Ordering::Relaxed);
        let profile = self.folder.join(format!("window-{number}"));
        let mut flags = FLAGS.map(str::to_owned).to_vec();
        flags.push(format!("--user-data-dir={}", profile.display()));
        let options = json!({ "binary": self.chromium, "args": flags, "prefs": preferences });
        let wanted = Map::from_iter([("goog:chromeOptions".to_owned(), options)]);
        let window = Window::open(&self.driver, wanted, app.address()).await;
        window.go("/").await;
        window
    }
}

/// Where `PATH` has this program.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
