//! Slips of one key, all through the app's two files, are told shortly and with their place.

use std::fs;
use std::path::Path;

use nova_examples::notes::{self, Database};

/// What is wrong with the app, if this text stands in `file` instead of its own.
fn told(database: &Database, folder: &Path, file: &str, text: &str) -> Vec<String> {
    fs::write(folder.join(file), text).expect("the folder is the test's own");
    match notes::builder(folder, database).build() {
        Ok(_) => Vec::new(),
        Err(errors) => {
            let places = errors.iter().map(|error| {
                assert!(error.origin().line().is_some(), "{error}");
                error.to_string()
            });
            places.collect()
        }
    }
}

/// The file with each slip of one key, and with each line left out or there twice.
fn slips(right: &str) -> Vec<String> {
    let keys = right.char_indices().flat_map(|(at, c)| {
        let (before, after) = (&right[..at], &right[at + c.len_utf8()..]);
        [
            format!("{before}{after}"),
            format!("{before}{c}{c}{after}"),
            format!("{before}x{after}"),
        ]
    });
    let lines: Vec<&str> = right.lines().collect();
    let whole_lines = (0..lines.len()).flat_map(|at| {
        let mut without = lines.clone();
        without.remove(at);
        let mut twice = lines.clone();
        twice.insert(at, lines[at]);
        [without.join("\n"), twice.join("\n")]
    });
    keys.chain(whole_lines).collect()
}

/// Tries all slips in one of the two files.
fn try_slips(file: &str) {
    // For the pool of the database, which is never used.
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime starts");
    let _guard = runtime.enter();
    let database = Database::new("sqlite::memory:").expect("the URL is right");
    let folder = tempfile::tempdir().expect("there is room");
    for name in ["nova.toml", "router.toml"] {
        fs::copy(Path::new(notes::ROOT).join(name), folder.path().join(name)).expect("it is there");
    }
    let right = fs::read_to_string(folder.path().join(file)).expect("it is there");
    for slip in slips(&right) {
        let errors = told(&database, folder.path(), file, &slip);
        let shown = || format!("{slip}\n\n{}", errors.join("\n\n"));
        assert!(
            errors.len() <= 3,
            "{} errors for\n{}",
            errors.len(),
            shown()
        );
    }
}

#[test]
fn one_slip_in_the_settings_is_a_few_errors_at_most_and_never_a_panic() {
    try_slips("nova.toml");
}

#[test]
fn one_slip_in_the_routes_is_a_few_errors_at_most_and_never_a_panic() {
    try_slips("router.toml");
}
