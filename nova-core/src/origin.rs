//! Where a route, a setting or a name stands, and how a message shows the place.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::build_error::BuildError;
use crate::config::secret;

/// How many characters are shown before and behind a place, and how many are underlined: enough for
/// whatever somebody writes by hand.
const MOST_AROUND: usize = 200;
const MOST_MARKED: usize = 200;

/// A configuration file as it was read, for messages that show a line of it.
#[derive(Debug)]
pub(crate) struct SourceFile {
    path: PathBuf,
    text: String,
}

impl SourceFile {
    /// Reads a file. If it is not UTF-8, the text ends where it ceases to be, and the second
    /// value says so.
    pub(crate) fn read(path: &Path) -> std::io::Result<(Arc<Self>, bool)> {
        let (text, whole) = match String::from_utf8(std::fs::read(path)?) {
            Ok(text) => (text, true),
            Err(error) => {
                let end = error.utf8_error().valid_up_to();
                let mut bytes = error.into_bytes();
                bytes.truncate(end);
                (String::from_utf8_lossy(&bytes).into_owned(), false)
            }
        };
        Ok((SourceFile::new(path, text), whole))
    }

    /// Reads the file that the app names, if it names one, and adds to `errors` why it cannot.
    pub(crate) fn read_named(
        file: Option<&(PathBuf, Origin)>,
        errors: &mut Vec<BuildError>,
    ) -> Option<Arc<Self>> {
        let (file, origin) = file?;
        match SourceFile::read(file) {
            Ok((read, true)) => Some(read),
            Ok((read, false)) => {
                let end = read.text().len();
                errors.push(BuildError::Syntax {
                    message: "from here on, the file is not UTF-8".to_owned(),
                    origin: Origin::in_file(&read, end..end),
                });
                None
            }
            Err(source) => {
                errors.push(BuildError::Unreadable {
                    file: shown(file),
                    origin: origin.clone(),
                    source,
                });
                None
            }
        }
    }

    pub(crate) fn new(path: &Path, text: String) -> Arc<Self> {
        Arc::new(SourceFile {
            path: shown(path),
            text,
        })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The folder that the file is in.
    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

/// The path as a reader would type it: below the working directory, relative to it.
pub(crate) fn shown(path: &Path) -> PathBuf {
    let below = std::env::current_dir()
        .ok()
        .and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf));
    below.unwrap_or_else(|| path.to_path_buf())
}

/// What a piece of configuration was read from: it turns spans into places.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    File(Arc<SourceFile>),
    Variable(Arc<str>),
    /// The file of defaults, which is a part of the program.
    Defaults(&'static str),
}

impl Source {
    pub(crate) fn at(&self, span: Range<usize>) -> Origin {
        match self {
            Source::File(file) => Origin::in_file(file, span),
            Source::Variable(name) => Origin(Place::Variable(Arc::clone(name))),
            Source::Defaults(_) => Origin(Place::Default),
        }
    }

    /// What paths in it are relative to.
    pub(crate) fn folder(&self) -> &Path {
        match self {
            Source::File(file) => file.folder(),
            Source::Defaults(_) | Source::Variable(_) => Path::new(""),
        }
    }

    /// What stands there; nothing for a variable.
    pub(crate) fn text(&self, span: Range<usize>) -> &str {
        let text = match self {
            Source::File(file) => file.text(),
            Source::Defaults(text) => text,
            Source::Variable(_) => "",
        };
        text.get(span).unwrap_or_default()
    }
}

/// Where something stands: a place in a file, a line of Rust, an environment variable, or nowhere,
/// for a setting that has its default.
#[derive(Clone)]
pub struct Origin(Place);

#[derive(Clone)]
enum Place {
    File {
        file: Arc<SourceFile>,
        span: Range<usize>,
        /// What of the line is a secret, beside what its keys tell.
        hidden: Option<Hidden>,
    },
    Code(&'static Location<'static>),
    Variable(Arc<str>),
    Default,
}

#[derive(Debug, Clone, Copy)]
enum Hidden {
    /// What stands at the place.
    Value,
    /// What the key at the place is set to.
    ValueOfKey,
}

impl Origin {
    pub(crate) fn in_file(file: &Arc<SourceFile>, span: Range<usize>) -> Self {
        Origin(Place::File {
            file: Arc::clone(file),
            span,
            hidden: None,
        })
    }

    /// The same place of a value, which no message shows.
    pub(crate) fn hidden(self) -> Self {
        self.hiding(Hidden::Value)
    }

    /// The same place of a key, whose value no message shows.
    pub(crate) fn with_hidden_value(self) -> Self {
        self.hiding(Hidden::ValueOfKey)
    }

    fn hiding(mut self, what: Hidden) -> Self {
        if let Place::File { hidden, .. } = &mut self.0 {
            *hidden = Some(what);
        }
        self
    }

    /// Whether nobody has set what this is the origin of.
    pub fn is_default(&self) -> bool {
        matches!(self.0, Place::Default)
    }

    /// Whether an environment variable has set it.
    pub(crate) fn is_variable(&self) -> bool {
        matches!(self.0, Place::Variable(_))
    }

    /// What paths there are relative to: the folder of a file, else the working directory.
    pub(crate) fn folder(&self) -> &Path {
        match &self.0 {
            Place::File { file, .. } => file.folder(),
            Place::Code(_) | Place::Variable(_) | Place::Default => Path::new(""),
        }
    }

    /// The caller's caller, in a function that is `#[track_caller]`.
    #[track_caller]
    pub(crate) fn caller() -> Self {
        Origin(Place::Code(Location::caller()))
    }

    /// The line, counted from 1; `None` for an environment variable and a default.
    pub fn line(&self) -> Option<usize> {
        match &self.0 {
            Place::File { file, span, .. } => Some(Excerpt::new(&file.text, span).line),
            Place::Code(location) => Some(location.line() as usize),
            Place::Variable(_) | Place::Default => None,
        }
    }

    /// The column in characters, counted from 1; `None` for an environment variable and a default.
    pub fn column(&self) -> Option<usize> {
        match &self.0 {
            Place::File { file, span, .. } => Some(Excerpt::new(&file.text, span).column),
            Place::Code(location) => Some(location.column() as usize),
            Place::Variable(_) | Place::Default => None,
        }
    }

    /// Whether both are on one line of one file.
    pub(crate) fn same_line(&self, other: &Origin) -> bool {
        match (&self.0, &other.0) {
            (Place::File { file, .. }, Place::File { file: of_other, .. }) => {
                file.path == of_other.path && self.line() == other.line()
            }
            _ => false,
        }
    }

    /// The order in which a reader goes through places: code, files, variables.
    pub(crate) fn cmp_place(&self, other: &Origin) -> Ordering {
        fn key(place: &Place) -> (u8, &Path, usize) {
            match place {
                Place::Code(location) => (0, Path::new(location.file()), location.line() as usize),
                Place::File { file, span, .. } => (1, &file.path, span.start),
                Place::Variable(name) => (2, Path::new(&**name), 0),
                Place::Default => (3, Path::new(""), 0),
            }
        }
        key(&self.0).cmp(&key(&other.0))
    }

    /// The line with the place underlined, for a place in a file; nothing for any other. Secrets
    /// are left out of it.
    pub(crate) fn write_excerpt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place::File { file, span, hidden } = &self.0 else {
            return Ok(());
        };
        let excerpt = Excerpt::new(&file.text, span);
        let (text, marked) = excerpt.without_secrets(*hidden);
        let (text, marked) = cut(&text, marked);
        let number = excerpt.line.to_string();
        let margin = " ".repeat(number.len());
        // Tabs stay tabs, so that the underline stands below what it underlines.
        let indent: String = text[..marked.start]
            .chars()
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let underline = "^".repeat(text[marked].chars().count().max(1));
        write!(
            f,
            "\n{margin} |\n{number} | {text}\n{margin} | {indent}{underline}"
        )
    }
}

/// `router.toml:14:20`, `src/main.rs:9:6` or ``environment variable `NOVA_SERVER__LISTEN` ``.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::File { file, span, .. } => {
                let Excerpt { line, column, .. } = Excerpt::new(&file.text, span);
                write!(f, "{}:{line}:{column}", file.path.display())
            }
            Place::Code(location) => location.fmt(f),
            Place::Variable(name) => write!(f, "environment variable `{name}`"),
            Place::Default => f.write_str("the default"),
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

/// The line of a text on which a span begins.
struct Excerpt<'t> {
    line: usize,
    column: usize,
    text: &'t str,
    /// The lines before it.
    above: &'t str,
    /// The part of the span that is on this line.
    marked: Range<usize>,
}

impl<'t> Excerpt<'t> {
    fn new(text: &'t str, span: &Range<usize>) -> Self {
        let start = floor_char_boundary(text, span.start);
        let end = floor_char_boundary(text, span.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |n| start + n);
        let line_text = text[line_start..line_end].trim_end_matches('\r');
        let start = start.min(line_start + line_text.len());
        let end = end.clamp(start, line_start + line_text.len());
        Excerpt {
            line: text[..line_start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            text: line_text,
            above: &text[..line_start],
            marked: start - line_start..end - line_start,
        }
    }

    /// The line and what is marked of it, with every secret replaced.
    fn without_secrets(&self, also: Option<Hidden>) -> (String, Range<usize>) {
        let mut hidden = secret::hidden_parts(self.above, self.text);
        let behind_key = || {
            let (key, value) = self.text[self.marked.end..].split_once('=')?;
            let spaces = value.len() - value.trim_start().len();
            Some(self.marked.end + key.len() + 1 + spaces)
        };
        let from = also.and_then(|also| match also {
            Hidden::Value => Some(self.marked.start),
            Hidden::ValueOfKey => behind_key(),
        });
        if let Some(from) = from {
            hidden.retain(|part| part.end <= from);
            hidden.push(from..self.text.len());
        }
        let mut text = String::new();
        let mut end = 0;
        for part in &hidden {
            text += &self.text[end..part.start];
            text += secret::MASK;
            end = part.end;
        }
        text += &self.text[end..];
        let marked = moved(self.marked.start, &hidden, 0)
            ..moved(self.marked.end, &hidden, secret::MASK.len());
        (text, marked)
    }
}

/// The part of a line that is shown, if it is a long one: what is marked of it, or the beginning of
/// that, and what stands around.
fn cut(text: &str, marked: Range<usize>) -> (String, Range<usize>) {
    let end = after(text, marked.start, MOST_MARKED).min(marked.end);
    let from = before(text, marked.start, MOST_AROUND);
    let to = after(text, end, MOST_AROUND);
    let left = if from > 0 { "…" } else { "" };
    let right = if to < text.len() { "…" } else { "" };
    let shift = |at: usize| at - from + left.len();
    let shown = format!("{left}{}{right}", &text[from..to]);
    (shown, shift(marked.start)..shift(end))
}

/// Where the character stands that is so many before that at `at`.
fn before(text: &str, at: usize, characters: usize) -> usize {
    let mut earlier = text[..at].char_indices().rev().map(|(at, _)| at);
    earlier.nth(characters - 1).unwrap_or(0)
}

/// Where the character stands that is so many behind that at `at`.
fn after(text: &str, at: usize, characters: usize) -> usize {
    let mut later = text[at..].char_indices().map(|(behind, _)| at + behind);
    later.nth(characters).unwrap_or(text.len())
}

/// Where a place in a line is once the `hidden` parts are masked; a place within a part is
/// `within` its mask.
fn moved(at: usize, hidden: &[Range<usize>], within: usize) -> usize {
    let mut now = at;
    for part in hidden {
        if part.end <= at {
            now = now + secret::MASK.len() - part.len();
        } else if part.start < at {
            now = now - (at - part.start) + within;
        }
    }
    now
}

fn floor_char_boundary(text: &str, index: usize) -> usize {
    (0..=index.min(text.len()))
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shown(Origin);
    impl fmt::Display for Shown {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.write_excerpt(f)
        }
    }

    fn origin(text: &str, marked: &str) -> Origin {
        let start = text.find(marked).unwrap();
        let file = SourceFile::new(Path::new("router.toml"), text.to_owned());
        Origin::in_file(&file, start..start + marked.len())
    }

    #[test]
    fn a_place_is_line_and_column_in_characters() {
        let origin = origin("a = 1\r\nö = \"héllo\"\r\n", "\"héllo\"");
        assert_eq!(origin.to_string(), "router.toml:2:5");
        assert_eq!((origin.line(), origin.column()), (Some(2), Some(5)));
        assert_eq!(
            Shown(origin).to_string(),
            "\n  |\n2 | ö = \"héllo\"\n  |     ^^^^^^^"
        );
    }

    #[test]
    fn an_underline_stays_on_its_line_and_below_tabs() {
        let origin = origin("\tx = [\n1,\n]", "[\n1,\n]");
        assert_eq!(Shown(origin).to_string(), "\n  |\n1 | \tx = [\n  | \t    ^");
    }

    #[test]
    fn of_a_long_line_the_part_around_the_place_is_shown() {
        let text = format!(
            "{}<{}>{}",
            "ä".repeat(300),
            "é".repeat(300),
            "ö".repeat(300)
        );
        let place = Origin::in_file(&SourceFile::new(Path::new("router.toml"), text), 600..1202);
        let around = format!("…{}<{}", "ä".repeat(200), "é".repeat(199));
        let expected = format!(
            "\n  |\n1 | {around}{}…\n  | {}{}",
            "é".repeat(101) + ">" + &"ö".repeat(98),
            " ".repeat(201),
            "^".repeat(200)
        );
        assert_eq!(Shown(place).to_string(), expected);
    }

    #[test]
    fn the_end_of_a_file_is_a_place_too() {
        let file = SourceFile::new(Path::new("nova.toml"), "a =".into());
        let origin = Origin::in_file(&file, 3..3);
        assert_eq!(Shown(origin).to_string(), "\n  |\n1 | a =\n  |    ^");
    }
}
