//! The notes app and a WebSocket client that none of us wrote: Python's `websockets`.

use std::io::Write;
use std::process::Command;

use crate::app::NotesProcess;

/// The interpreter, unless it or the package is missing: then the test says so, or fails if
/// services are required.
fn python() -> Option<String> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let import = ["-c", "import websockets.asyncio.client"];
    let found = Command::new(&python).args(import).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    let missing = "the interop test: install Python 3 and its package `websockets`";
    let required = std::env::var("NOVA_TEST_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
    assert!(!required, "missing for {missing}");
    // Past the capture of test output, so that it is seen.
    let _ = writeln!(std::io::stderr(), "skipped {missing}");
    None
}

#[test]
fn pythons_websockets_talk_to_the_notes_app() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let app = NotesProcess::start(&folder);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/process/interop.py");
    let output = Command::new(python)
        .args([script, app.address()])
        .output()
        .unwrap();

    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "all is well\n");
}
