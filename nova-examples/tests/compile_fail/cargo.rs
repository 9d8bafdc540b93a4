//! Compiles all cases at once, in a package of their own below the target folder.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::case::Case;

/// An error as the compiler tells it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) case: String,
    pub(crate) message: String,
    /// The line that is underlined, and the part of it.
    pub(crate) line: usize,
    pub(crate) columns: Range<usize>,
    /// Labels, notes and helps.
    notes: Vec<String>,
    /// As a person sees it.
    pub(crate) rendered: String,
}

impl Told {
    pub(crate) fn has_note(&self, part: &str) -> bool {
        self.notes.iter().any(|note| note.contains(part))
    }
}

/// What the compiler says of the cases.
///
/// Cargo is run once for all of them. It has a target folder of its own, for it waits for the lock
/// of the usual one when others build; so the first run checks all dependencies, and later ones
/// take seconds. It needs no registry: the lock file is the workspace's.
pub(crate) fn check(cases: &[Case]) -> Vec<Told> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail");
    fs::create_dir_all(&folder).expect("the target folder is ours");
    fs::write(folder.join("Cargo.toml"), manifest(&workspace, cases)).expect("there is room");
    fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock")).expect("it is there");

    let output = Command::new(env!("CARGO"))
        .args([
            "check",
            "--offline",
            "--keep-going",
            "--message-format=json",
        ])
        .arg("--target-dir")
        .arg(folder.join("target"))
        .current_dir(&folder)
        .output()
        .expect("cargo starts");

    let lines = output.stdout.split(|byte| *byte == b'\n');
    let messages = lines.filter_map(|line| serde_json::from_slice(line).ok());
    let told: Vec<Told> = messages.filter_map(|message| told(&message)).collect();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!told.is_empty(), "cargo checks nothing: {log}");
    told
}

/// A package with each case as a binary.
fn manifest(workspace: &Path, cases: &[Case]) -> String {
    let mut manifest = format!(
        "[package]\nname = \"compile_fail\"\nedition = \"2024\"\nautobins = false\n\
         [workspace]\n\
         [dependencies]\n\
         nova-core = {{ path = {:?} }}\n\
         nova-ws = {{ path = {:?} }}\n",
        workspace.join("nova-core"),
        workspace.join("nova-ws"),
    );
    for case in cases {
        let (name, file) = (&case.name, &case.file);
        manifest.push_str(&format!("[[bin]]\nname = {name:?}\npath = {file:?}\n"));
    }
    manifest
}

/// Cargo's message as an error of a case, if it is one. What only counts the errors has no place.
fn told(message: &Value) -> Option<Told> {
    let (target, message) = (&message["target"], &message["message"]);
    if message["level"] != "error" {
        return None;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| {
        value
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
    };
    let spans = message["spans"].as_array()?;
    let place = spans.iter().find(|span| span["is_primary"] == true)?;
    let place = written(place);
    let labels = spans.iter().map(|span| text(&span["label"]));
    let children = message["children"].as_array()?.iter();
    let notes = children.map(|child| text(&child["message"]));
    Some(Told {
        case: text(&target["name"]),
        message: text(&message["message"]),
        line: number(&place["line_start"])?,
        // The compiler counts from 1.
        columns: number(&place["column_start"])? - 1..number(&place["column_end"])? - 1,
        notes: labels.chain(notes).collect(),
        rendered: text(&message["rendered"]),
    })
}

/// Where a span stands in the case: for one inside of a macro, where that is called.
fn written(span: &Value) -> &Value {
    match &span["expansion"]["span"] {
        Value::Null => span,
        outer => written(outer),
    }
}
