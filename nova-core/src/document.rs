//! A TOML file, read past its syntax errors.
//!
//! The parser goes on after an error, and that is good for a missing comma. After a missing
//! bracket or quote, though, it takes the rest of the file for something else, and finds errors
//! where there are none. So the text is tried without the statement that has an error, and without
//! the one above it: if errors elsewhere go away, they were its doing; one is told, and the
//! statement is left out.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, Error};

use crate::build_error::BuildError;
use crate::config::settings::Setting;
use crate::origin::{Source, SourceFile};

/// How many syntax errors of a file are told. Each takes a few readings of the whole file, and who
/// has mended these sees the others.
const MOST_ERRORS: usize = 20;

/// The readable part of a file.
pub(crate) struct Document {
    source: Source,
    /// The file, with spaces in place of what cannot be read: all places stay what they are.
    text: String,
    /// What may help with a key that stands twice.
    again: String,
}

impl Document {
    /// Reads `file`, and adds its syntax errors to `errors`. `lists` are the names of its arrays
    /// of tables: `[name]` for `[[name]]` is a natural mistake, and otherwise hard to understand.
    pub(crate) fn read(
        file: &Arc<SourceFile>,
        lists: &[&str],
        errors: &mut Vec<BuildError>,
    ) -> Self {
        let mut document = Document {
            source: Source::File(Arc::clone(file)),
            text: file.text().to_owned(),
            again: lists
                .iter()
                .map(|list| format!("; another {list} begins with `[[{list}]]`"))
                .collect(),
        };
        document.leave_out_single_brackets(lists, errors);
        document.leave_out_errors(errors);
        document
    }

    /// What stands at the top of the file.
    pub(crate) fn settings(&self) -> Vec<Setting<'_>> {
        let (root, _) = DeTable::parse_recoverable(&self.text);
        Setting::list(root.into_inner(), &self.source)
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    fn leave_out_single_brackets(&mut self, lists: &[&str], errors: &mut Vec<BuildError>) {
        let lines: Vec<Range<usize>> = lines(&self.text);
        let mut leaving = false;
        let mut left_out = Vec::new();
        for line in lines {
            let text = self.text[line.clone()].trim();
            if text.starts_with('[') && is_statement(text) {
                let list = lists.iter().find(|list| {
                    let inner = text
                        .strip_prefix('[')
                        .and_then(|rest| rest.split(']').next());
                    inner.is_some_and(|inner| inner.trim() == **list)
                });
                leaving = list.is_some();
                if let Some(list) = list {
                    let start = line.start + self.text[line.clone()].find('[').unwrap_or(0);
                    errors.push(BuildError::WrongValue {
                        message: format!("a {list} begins with two brackets: `[[{list}]]`"),
                        origin: self.source.at(start..start + text.len()),
                    });
                }
            }
            if leaving {
                left_out.push(line);
            }
        }
        for line in left_out {
            blank(&mut self.text, line);
        }
    }

    fn leave_out_errors(&mut self, errors: &mut Vec<BuildError>) {
        let mut told_lines = HashSet::new();
        let mut found = syntax_errors(&self.text);
        while let Some(error) = found
            .iter()
            .find(|error| !told_lines.contains(&line_number(&self.text, start(error))))
        {
            if told_lines.len() == MOST_ERRORS {
                // What can be read beside so many errors is not what is meant.
                let all = 0..self.text.len();
                return blank(&mut self.text, all);
            }
            let own = statement_around(&self.text, start(error));
            let above = statement_around(&self.text, own.start.saturating_sub(1));
            let spoils = |statement: &Range<usize>| {
                !is_header(&self.text[statement.clone()]) && self.spoils_others(statement, &found)
            };
            let of_own = || found.iter().filter(|other| own.contains(&start(other)));
            // Whatever becomes of it, it is told once: so this ends.
            told_lines.insert(line_number(&self.text, start(error)));
            // Without the first of two the second is right, but the first is no less so.
            if error.message() != "duplicate key" && spoils(&above) {
                // The error is where the parser noticed that the statement above does not end.
                errors.push(self.unbalanced(&above));
                blank(&mut self.text, above);
            } else if is_header(&self.text[own.clone()]) {
                errors.push(self.told(error));
                let end = section_end(&self.text, own.end);
                blank(&mut self.text, own.start..end);
            } else if of_own().all(is_mild) && !spoils(&own) {
                errors.push(self.told(error));
            } else {
                let told = match is_mild(error) || matches(&self.text[own.clone()]) {
                    true => self.told(error),
                    false => self.unbalanced(&own),
                };
                errors.push(told);
                blank(&mut self.text, own);
            }
            found = syntax_errors(&self.text);
        }
    }

    /// Whether errors outside of `statement` go away without it.
    fn spoils_others(&self, statement: &Range<usize>, found: &[Error]) -> bool {
        let mut text = self.text.clone();
        blank(&mut text, statement.clone());
        let elsewhere = |errors: &[Error]| {
            let outside = errors.iter().filter(|e| !statement.contains(&start(e)));
            outside.count()
        };
        elsewhere(&syntax_errors(&text)) < elsewhere(found)
    }

    /// A statement that the parser cannot find its way through: told at its first line of a list
    /// in which the brackets do not match, or else at its beginning.
    fn unbalanced(&self, statement: &Range<usize>) -> BuildError {
        let mut within = lines(&self.text)
            .into_iter()
            .filter(|line| statement.contains(&line.start));
        let first = within.next().unwrap_or(statement.clone());
        let culprit = within.find(|line| {
            let text = self.text[line.clone()].trim();
            text.starts_with('[') && !matches(text)
        });
        let line = culprit.unwrap_or(first);
        let text = &self.text[line.clone()];
        let start = line.start + (text.len() - text.trim_start().len());
        BuildError::Syntax {
            message: "a bracket or a quote is missing here, or one is too many".to_owned(),
            origin: self.source.at(start..start + text.trim().len()),
        }
    }

    fn told(&self, error: &Error) -> BuildError {
        let span = error.span().unwrap_or_default();
        let text = self.text.get(span.clone()).unwrap_or_default();
        let rest = self.text.get(span.start..).unwrap_or_default();
        let rest = rest.lines().next().unwrap_or_default().trim_start();
        let message = match error.message() {
            "duplicate key" => format!("`{text}` is set a second time{}", self.again),
            _ if rest.starts_with("//") => "a comment begins with `#`".to_owned(),
            _ if rest.starts_with(':') => "between a key and its value stands `=`".to_owned(),
            // The parser takes whatever begins like no other value for a number.
            other if other.contains("invalid float") || other.contains("must be quoted") => {
                "this is no value: text stands in quotes, and a number has digits and `_` only"
                    .to_owned()
            }
            other => other.to_owned(),
        };
        // What is missing at the end of the file is missing behind its last character.
        let end = self.text.trim_end().len();
        let span = if span.start > end { end..end } else { span };
        BuildError::Syntax {
            message,
            origin: self.source.at(span),
        }
    }
}

fn syntax_errors(text: &str) -> Vec<Error> {
    let (_, mut errors) = DeTable::parse_recoverable(text);
    errors.sort_by_key(start);
    errors
}

fn start(error: &Error) -> usize {
    error.span().unwrap_or_default().start
}

/// The lines of a text, each without its end.
fn lines(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    text.split_inclusive('\n')
        .map(|line| {
            let whole = start..start + line.len();
            start = whole.end;
            whole.start..whole.start + line.trim_end_matches(['\r', '\n']).len()
        })
        .collect()
}

fn line_number(text: &str, at: usize) -> usize {
    let before = text.as_bytes().iter().take(at);
    before.filter(|byte| **byte == b'\n').count()
}

/// From the line at or before `at` that begins a statement, to the next such line.
fn statement_around(text: &str, at: usize) -> Range<usize> {
    let starts: Vec<usize> = lines(text)
        .into_iter()
        .filter(|line| is_statement(text[line.clone()].trim_start()))
        .map(|line| line.start)
        .collect();
    let from = starts.iter().rev().find(|start| **start <= at);
    let to = starts.iter().find(|start| **start > at);
    from.copied().unwrap_or(0)..to.copied().unwrap_or(text.len())
}

/// Whether a line looks like a table's header or `key = …`, and not like a part of a value.
fn is_statement(line: &str) -> bool {
    let of_a_key = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    match line.strip_prefix('[') {
        Some(header) => {
            let name = header.trim_start_matches(['[', ' ']);
            let name = name.split(']').next().unwrap_or_default();
            // `[404, "errors::not_found"]` is a tuple.
            name.starts_with(of_a_key) && !name.contains(',')
        }
        None => {
            let behind = line.trim_start_matches(of_a_key);
            behind.len() < line.len() && behind.trim_start().starts_with('=')
        }
    }
}

fn is_header(statement: &str) -> bool {
    statement.trim_start().starts_with('[')
}

/// Where the next table's header stands, from `at` on.
fn section_end(text: &str, at: usize) -> usize {
    lines(text)
        .into_iter()
        .filter(|line| line.start >= at)
        .find(|line| {
            let line = text[line.clone()].trim_start();
            is_header(line) && is_statement(line)
        })
        .map_or(text.len(), |line| line.start)
}

/// Whether the brackets and quotes of some lines match.
fn matches(text: &str) -> bool {
    let (mut open, mut quote, mut comment) = (Vec::new(), None, false);
    for c in text.chars() {
        match (quote, c) {
            (_, '\n') if quote.is_some() => return false,
            (_, '\n') => comment = false,
            _ if comment => {}
            (Some(begun), c) if begun == c => quote = None,
            (Some(_), _) => {}
            (None, '#') => comment = true,
            (None, '"' | '\'') => quote = Some(c),
            (None, '[') => open.push(']'),
            (None, '{') => open.push('}'),
            (None, ']' | '}') if open.pop() != Some(c) => return false,
            (None, _) => {}
        }
    }
    open.is_empty() && quote.is_none()
}

/// Whether the parser goes on well after an error: something small is missing, or a value is none.
fn is_mild(error: &Error) -> bool {
    let message = error.message();
    [
        "missing comma between array elements",
        "string values must be quoted",
        "invalid boolean",
        "invalid float",
        "duplicate key",
    ]
    .iter()
    .any(|mild| message.contains(mild))
}

/// Puts spaces in place of everything but the ends of lines.
fn blank(text: &mut String, range: Range<usize>) {
    let blanked: String = text[range.clone()]
        .bytes()
        .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
        .collect();
    text.replace_range(range, &blanked);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Line and column of each error, and the keys that can be read.
    fn read(text: &str) -> (Vec<(usize, usize)>, Vec<String>) {
        let file = SourceFile::new(Path::new("x.toml"), text.to_owned());
        let mut errors = Vec::new();
        let document = Document::read(&file, &["group"], &mut errors);
        let places = errors.iter().map(|error| {
            let origin = error.origin();
            (origin.line().unwrap(), origin.column().unwrap())
        });
        let keys = document.settings().into_iter().map(|one| one.key);
        (places.collect(), keys.collect())
    }

    const MANY: &str = "a = 1\n[[group]]\nroutes = [\n  [\"/a\", \"b\"],\n  [\"/c\", \"d\"],\n]\n\
                        [[group]]\nprefix = \"/x\"\nroutes = [\n  [\"/a\", \"b\"],\n]\n";

    #[test]
    fn a_missing_bracket_or_quote_is_one_error() {
        assert_eq!(read(MANY).0, []);
        for (right, wrong, line) in [
            ("routes = [\n", "routes = \n", 3),
            ("\"d\"],\n]\n", "\"d\"],\n\n", 3),
            ("\"b\"],\n  [\"/c", "\"b\",\n  [\"/c", 4),
            ("\"d\"],\n]", "\"d\",\n]", 5),
            ("  [\"/c", "  [[\"/c", 5),
            ("\"b\"],\n  [\"/c", "\"b\", { methods : 1 }],\n  [\"/c", 4),
            ("\"b\"],\n  [\"/c", "\"b\", { met hods = 1 }],\n  [\"/c", 4),
            ("[[group]]\nprefix", "prefix", 8),
            ("[\"/a\", \"b\"],\n  [\"/c", "[\"/a, \"b\"],\n  [\"/c", 4),
            ("[\"/a\", \"b\"],\n  [\"/c", "[\"/a\", b],\n  [\"/c", 4),
            ("prefix = \"/x\"", "prefix = \"/x", 8),
            ("prefix = \"/x\"", "prefix \"/x\"", 8),
            ("a = 1", "a = ", 1),
            ("[[group]]\nprefix", "[[group]\nprefix", 7),
        ] {
            assert!(MANY.contains(right), "{right}");
            let text = MANY.replacen(right, wrong, 1);
            let (places, keys) = read(&text);
            let places: Vec<usize> = places.into_iter().map(|(line, _)| line).collect();
            assert_eq!(places, [line], "{text}");
            assert!(keys.contains(&"group".to_owned()), "{text}");
        }
    }

    #[test]
    fn independent_errors_are_all_told() {
        let text = MANY.replace("a = 1", "a = ").replace("= \"/x\"", "= /x");
        let lines: Vec<usize> = read(&text).0.into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [1, 8]);
    }

    #[test]
    fn of_very_many_errors_the_first_are_told_and_the_rest_of_the_file_is_not_read() {
        let text = "a = \n".repeat(MOST_ERRORS + 5) + "b = 1\n";
        let (places, keys) = read(&text);
        let lines: Vec<usize> = places.into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, (1..=MOST_ERRORS).collect::<Vec<_>>());
        assert!(keys.is_empty());
    }

    #[test]
    fn single_brackets_are_told_wherever_they_stand() {
        for (count, expected) in [(1, vec![(2, 1)]), (2, vec![(2, 1), (7, 1)])] {
            let text = MANY.replacen("[[group]]", "[group]", count);
            assert_eq!(read(&text).0, expected);
        }
    }
}
