//! The notes app and a WebSocket client that none of us wrote: Python's `websockets`.

use std::process::Command;

use crate::app::NotesProcess;
use crate::common::{TestDatabase, missing};

/// The interpreter, unless it or the package is missing: then the test says so, or fails if
/// services are required.
fn python() -> Option<String> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let import = ["-c", "import websockets.asyncio.client"];
    let found = Command::new(&python).args(import).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    missing("the interop test: install Python 3 and its package `websockets`");
    None
}

#[test]
fn pythons_websockets_talk_to_the_notes_app() {
    let Some(python) = python() else { return };
    let database = TestDatabase::sqlite();
    let app = NotesProcess::start(&database);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/process/interop.py");
    let output = Command::new(python)
        .args([script, app.address()])
        .output()
        .unwrap();

    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "all is well\n");
}
