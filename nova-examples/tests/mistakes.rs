//! Slips of one key, all through the app's two files, are told shortly and with their place.

use std::fs;
use std::path::Path;

use nova_examples::notes::{self, Database};

/// What is wrong with the app, if this text stands in `file` instead of its own.
fn told(folder: &Path, file: &str, text: &str) -> Vec<String> {
    for name in ["nova.toml", "router.toml"] {
        fs::copy(Path::new(notes::ROOT).join(name), folder.join(name)).expect("it is there");
    }
    fs::write(folder.join(file), text).expect("the folder is the test's own");
    let database = Database::new("sqlite::memory:").expect("the URL is right");
    match notes::builder(folder, &database).build() {
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

#[tokio::test]
async fn one_slip_is_a_few_errors_at_most_and_never_a_panic() {
    let folder = tempfile::tempdir().expect("there is room");
    let mut most = (0, String::new());
    for file in ["nova.toml", "router.toml"] {
        let right = fs::read_to_string(Path::new(notes::ROOT).join(file)).expect("it is there");
        let mut slips: Vec<String> = right
            .char_indices()
            .flat_map(|(at, c)| {
                let (before, after) = (&right[..at], &right[at + c.len_utf8()..]);
                [
                    format!("{before}{after}"),
                    format!("{before}{c}{c}{after}"),
                    format!("{before}x{after}"),
                ]
            })
            .collect();
        let lines: Vec<&str> = right.lines().collect();
        for at in 0..lines.len() {
            let mut without = lines.clone();
            without.remove(at);
            let mut twice = lines.clone();
            twice.insert(at, lines[at]);
            slips.extend([without.join("\n"), twice.join("\n")]);
        }
        for slip in slips {
            let errors = told(folder.path(), file, &slip);
            if errors.len() > most.0 {
                most = (errors.len(), format!("{slip}\n\n{}", errors.join("\n\n")));
            }
        }
    }
    assert!(most.0 <= 3, "{} errors for\n{}", most.0, most.1);
}
