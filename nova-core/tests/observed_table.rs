//! The table of `docs/design/observed.md`: it leaves nothing out, and its tests exist.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// The lines of what was observed that are about routing, replies, errors, typed access, plugins,
/// security, sessions, static files and WebSockets.
const LINES: [&str; 64] = [
    "order 1",
    "order 2",
    "order 3–5",
    "order 6",
    "match 1",
    "match 2",
    "match 3",
    "match 4",
    "match 5",
    "match 6",
    "match 7",
    "match 8",
    "match 9",
    "match 10",
    "match 11",
    "match 12",
    "match 13",
    "match 14",
    "match 15",
    "match 16",
    "match 17",
    "match 19",
    "run time",
    "bug 1",
    "bug 2",
    "bug 3",
    "bug 4",
    "bug 5",
    "bug 6",
    "bug 7",
    "bug 8",
    "bug 9",
    "bug 10",
    "bug 11",
    "bug 12",
    "bug 13",
    "bug 14",
    "bug 15",
    "bug 16",
    "bug 17",
    "bug 18",
    "bug 19",
    "bug 20",
    "bug 21",
    "bug 22",
    "bug 23",
    "bug 24",
    "bug 25",
    "bug 26",
    "bug 28",
    "websocket 1",
    "websocket 2",
    "websocket 3",
    "websocket 4",
    "websocket 5",
    "websocket 6",
    "websocket 7",
    "websocket 8",
    "websocket 9",
    "websocket 10",
    "websocket 11",
    "websocket 12",
    "websocket 13",
    "websocket 14",
];

/// What is observed, what we do, and the tests, of each row.
fn rows() -> Vec<[String; 3]> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/design/observed.md");
    let text = fs::read_to_string(file).unwrap();
    let rows = text.lines().filter_map(|line| {
        let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
        Some(cells.split(" | ").map(str::to_owned).collect::<Vec<_>>())
    });
    let rows = rows.skip(1); // the head
    rows.map(|cells| <[String; 3]>::try_from(cells).unwrap_or_else(|row| panic!("{row:?}")))
        .collect()
}

/// Where a file of the table is: `route.rs` among the tests, `src/accept.rs` in the crate,
/// `nova-ws/tests/security.rs` in another one.
fn file(name: &str) -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    match name.split('/').next() {
        Some("src") => crate_folder.join(name),
        Some(other) if other.starts_with("nova-") => crate_folder.join("..").join(name),
        _ => crate_folder.join("tests").join(name),
    }
}

/// Whether `text` has a test of this name.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let named = lines.iter().position(|line| {
        let function = line.strip_prefix("async ").unwrap_or(line);
        let rest = function
            .strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name));
        rest.is_some_and(|rest| rest.starts_with('('))
    });
    named.is_some_and(|at| {
        let before = lines[..at]
            .iter()
            .rev()
            .take_while(|line| line.starts_with("#["));
        before
            .into_iter()
            .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    })
}

#[test]
fn every_observed_line_has_a_row_and_every_row_tests_that_exist() {
    let rows = rows();
    for [line, done, tests] in &rows {
        assert!(!done.is_empty(), "{line}");
        let names: Vec<&str> = tests.split(", ").collect();
        for name in names {
            let name = name
                .strip_prefix('`')
                .and_then(|name| name.strip_suffix('`'));
            let name = name.unwrap_or_else(|| panic!("{line}: {tests}"));
            let (in_file, name) = name.split_once("::").unwrap();
            let text = fs::read_to_string(file(in_file));
            let text = text.unwrap_or_else(|error| panic!("{line}: {in_file}: {error}"));
            assert!(
                has_test(&text, name),
                "{line}: `{in_file}` has no test `{name}`"
            );
        }
    }
    let lines: Vec<&str> = rows
        .iter()
        .map(|[line, ..]| line.split(": ").next().unwrap())
        .collect();
    assert_eq!(lines, LINES);
}

#[test]
fn only_a_whole_name_of_a_test_is_one() {
    let text = "#[tokio::test(start_paused = true)]\nasync fn it_works() {}\n\nfn it() {}\n";
    assert!(has_test(text, "it_works"));
    for none in ["it", "it_work", "works"] {
        assert!(!has_test(text, none), "{none}");
    }
}
