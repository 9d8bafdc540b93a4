//! Static files.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

mod book;
mod build;
mod conditions;
mod encodings;
mod folders;
mod listing;
mod names;
mod paths;
mod ranges;
mod routes;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nova_core::testing::{TestClient, TestResponse};
use nova_core::{App, Environment, StaticFiles};
use tempfile::TempDir;

/// What `notes.txt` says.
const NOTES: &str = "milk and tea";

/// A folder `public`, with a secret beside it.
struct Site(TempDir);

impl Site {
    fn new() -> Self {
        let site = Site(tempfile::tempdir().unwrap());
        fs::write(site.0.path().join("secret.txt"), "the secret").unwrap();
        site.write("notes.txt", NOTES);
        site.write("sub/deep.txt", "deep");
        site
    }

    fn public(&self) -> PathBuf {
        self.0.path().join("public")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.public().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A client of an app with these files at `/assets`.
    fn client(&self, options: fn(StaticFiles) -> StaticFiles) -> TestClient {
        client("/assets/{*path}", options(nova_core::files(self.public())))
    }

    async fn get(&self, path: &str) -> TestResponse {
        self.client(|files| files).get(path).await
    }
}

fn client(path: &str, files: StaticFiles) -> TestClient {
    let app = App::builder().environment(Environment::Prod);
    TestClient::new(app.route((path, files)).build().unwrap())
}

/// Makes a file one that was written an hour ago; gives when, as a header has it.
fn age(path: &Path) -> String {
    let hour = Duration::from_secs(3600);
    let then = SystemTime::now() - hour;
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(then).unwrap();
    httpdate::fmt_http_date(then)
}

#[cfg(unix)]
fn link(to: impl AsRef<Path>, at: impl AsRef<Path>) {
    std::os::unix::fs::symlink(to, at).unwrap();
}
