//! A program with one mistake, and what is to be said of it.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::cargo::Told;

/// A file in `cases`.
#[derive(Debug, Default)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    /// A part of the message, and the line that it is of.
    error: Option<(String, usize)>,
    /// What is underlined, in characters of that line.
    underlined: Option<Range<usize>>,
    /// A part of a label or of a note each.
    notes: Vec<String>,
    /// Whether other errors may follow.
    more: bool,
}

impl Case {
    /// All of them, by name.
    pub(crate) fn all() -> Vec<Case> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail/cases");
        let entries = fs::read_dir(folder).expect("the cases are there");
        let files = entries.map(|entry| entry.expect("the folder can be read").path());
        let mut cases: Vec<Case> = files.map(|file| Case::read(&file)).collect();
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        cases
    }

    fn read(file: &Path) -> Case {
        let text = fs::read_to_string(file).expect("a case is text");
        let name = file.file_stem().and_then(|name| name.to_str());
        let mut case = Case {
            name: name.expect("a case has a name").to_owned(),
            file: file.to_owned(),
            ..Case::default()
        };
        let mut of_line = 0;
        for (number, line) in (1..).zip(text.lines()) {
            match line.trim_start().strip_prefix("//~") {
                Some(comment) => case.expect(line, comment, of_line),
                None => of_line = number,
            }
        }
        assert!(case.error.is_some(), "`{}` has no ERROR", case.name);
        assert!(!case.notes.is_empty(), "`{}` has no NOTE", case.name);
        case
    }

    /// Reads a comment below the line `of_line`.
    fn expect(&mut self, line: &str, comment: &str, of_line: usize) {
        let words = comment.trim_start().trim_start_matches('^').trim_start();
        match words.split_once(' ').unwrap_or((words, "")) {
            ("ERROR", message) => {
                self.error = Some((message.to_owned(), of_line));
                let carets = line.find('^').zip(line.rfind('^'));
                self.underlined = carets.map(|(first, last)| first..last + 1);
            }
            ("NOTE", note) => self.notes.push(note.to_owned()),
            ("MORE", "") => self.more = true,
            _ => panic!("`{}` has an unknown comment: {line}", self.name),
        }
    }

    /// Compares what the compiler says of this case with what it is to say.
    pub(crate) fn is_told_otherwise(&self, told: &[Told]) -> Result<(), String> {
        let mut of_case = told.iter().filter(|told| told.case == self.name);
        let Some(first) = of_case.next() else {
            return Err(format!("`{}` compiles, or is not tried", self.name));
        };
        let (message, line) = self.error.as_ref().expect("it was read");
        let is_underlined = |wanted: &Range<usize>| *wanted == first.columns;
        let wrong = if !first.message.contains(message) {
            format!("the first error has no {message:?}")
        } else if first.line != *line {
            format!("the first error is of line {}, not {line}", first.line)
        } else if !self.underlined.as_ref().is_none_or(is_underlined) {
            format!("columns {:?} are underlined", first.columns)
        } else if let Some(note) = self.notes.iter().find(|note| !first.has_note(note)) {
            format!("the first error has no note {note:?}")
        } else if !self.more && of_case.next().is_some() {
            "there are more errors than one".to_owned()
        } else {
            return Ok(());
        };
        Err(format!("`{}`: {wrong}:\n{}", self.name, first.rendered))
    }
}
