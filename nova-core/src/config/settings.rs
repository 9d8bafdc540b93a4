//! Tables into types, with every mistake found and placed.
//!
//! serde stops at the first mistake. Here the keys are compared with the type's fields first,
//! then each value that is refused is reported, taken out, and the rest tried again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde::de::DeserializeOwned;
use serde_aux::serde_introspection::serde_introspect;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error, ValueDeserializer};

use super::secret::{self, NO_SECRET};
use crate::build_error::{BuildError, nearest};
use crate::origin::{Origin, Source};

/// One key of a table, and where it was read.
#[derive(Clone)]
pub(crate) struct Setting<'i> {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    pub(crate) value: Spanned<DeValue<'i>>,
    pub(crate) source: Source,
}

/// A value with all keys that lead to it. Tables fall apart into these, so that one layer can beat
/// another on a single key of a table in a table.
#[derive(Clone)]
pub(crate) struct Leaf<'i> {
    pub(crate) path: Vec<String>,
    /// Where each of these keys stands.
    key_spans: Vec<Range<usize>>,
    value: Spanned<DeValue<'i>>,
    source: Source,
    /// A variable's value is text; `12345` is a number all the same, until a number is refused:
    /// this is why.
    no_number: Option<String>,
}

impl<'i> Setting<'i> {
    /// All that stands in `table`.
    pub(crate) fn list(table: DeTable<'i>, source: &Source) -> Vec<Self> {
        table
            .into_iter()
            .map(|(key, value)| Setting {
                key_span: key.span(),
                key: key.into_inner().into_owned(),
                value,
                source: source.clone(),
            })
            .collect()
    }

    pub(crate) fn key_origin(&self) -> Origin {
        self.source.at(self.key_span.clone())
    }

    pub(crate) fn value_origin(&self) -> Origin {
        self.source.at(self.value.span())
    }

    /// The mistake of a value that is no `expected`, such as "a list of routes".
    pub(crate) fn wrong_type(&self, expected: &str) -> BuildError {
        BuildError::WrongValue {
            message: format!(
                "`{}` is {expected}, not {}",
                self.key,
                type_name(self.value.get_ref())
            ),
            origin: self.value_origin(),
        }
    }

    /// The mistake of a key that belongs into a table, which `home` names.
    pub(crate) fn misplaced(&self, home: &str) -> BuildError {
        BuildError::WrongValue {
            message: format!("`{}` belongs in {home}", self.key),
            origin: self.key_origin(),
        }
    }

    /// The mistake of a key that nobody reads; `table` has the keys `known`.
    pub(crate) fn unknown_key(&self, table: &str, known: &[&str]) -> BuildError {
        unknown_key(&self.key, self.key_origin(), table, known)
    }
}

fn unknown_key(key: &str, origin: Origin, table: &str, known: &[&str]) -> BuildError {
    let similar = nearest(key, known.iter().copied());
    // `pasword` does not tell, but what it should be does.
    let is_secret = similar.as_deref().is_some_and(secret::is_telling);
    BuildError::UnknownKey {
        key: key.to_owned(),
        table: table.to_owned(),
        origin: if is_secret {
            origin.with_hidden_value()
        } else {
            origin
        },
        known: known.iter().map(|&key| key.to_owned()).collect(),
        similar,
    }
}

impl<'i> Leaf<'i> {
    /// All values in `settings`, tables in tables included.
    pub(crate) fn list(settings: impl IntoIterator<Item = Setting<'i>>) -> Vec<Self> {
        let mut leaves = Vec::new();
        for setting in settings {
            gather(setting, (&[], &[]), &mut leaves);
        }
        leaves
    }

    /// The value of an environment variable.
    pub(crate) fn of_variable(path: Vec<String>, text: &'i str, source: Source) -> Self {
        Leaf {
            key_spans: vec![0..0; path.len()],
            path,
            value: Spanned::new(0..0, DeValue::String(text.into())),
            source,
            no_number: None,
        }
    }

    /// The same value without the first of its keys; a mistake is added if that is all it has.
    pub(crate) fn below_first(mut self, errors: &mut Vec<BuildError>) -> Option<Self> {
        if self.path.len() > 1 {
            self.path.remove(0);
            self.key_spans.remove(0);
            return Some(self);
        }
        if !matches!(self.value.get_ref(), DeValue::Table(_)) {
            errors.push(BuildError::WrongValue {
                message: format!("`{}` is a table of settings", self.path[0]),
                origin: self.origin(),
            });
        }
        None
    }

    /// Takes the place of what stands under its keys in `lower`.
    ///
    /// A table with nothing in it changes nothing: that is what is left of one whose last key was
    /// commented out.
    pub(crate) fn beat(self, lower: &mut Vec<Leaf<'i>>) {
        let is_empty = matches!(self.value.get_ref(), DeValue::Table(table) if table.is_empty());
        if is_empty && lower.iter().any(|other| other.path.starts_with(&self.path)) {
            return;
        }
        lower.retain(|other| {
            !self.path.starts_with(&other.path) && !other.path.starts_with(&self.path)
        });
        lower.push(self);
    }

    /// Where the value stands.
    pub(crate) fn origin(&self) -> Origin {
        self.source.at(self.value.span())
    }

    /// The value as it was written, without secrets: those that the keys tell, and `secrets`.
    pub(crate) fn shown(&self, secrets: &[String]) -> String {
        if self.is_secret() || secret::is_in(self.value.get_ref(), secrets) {
            return secret::MASK.to_owned();
        }
        secret::masked_url(&match (&self.source, self.value.get_ref()) {
            (Source::Variable(_), DeValue::String(text)) => text.to_string(),
            _ => self.source.text(self.value.span()).to_owned(),
        })
    }

    /// Whether the keys tell that this is a secret; of a variable that looks like a table, those
    /// in its text do, too.
    fn is_secret(&self) -> bool {
        self.path.iter().any(|key| secret::is_telling(key))
            || matches!(
                (&self.source, self.value.get_ref()),
                (Source::Variable(_), DeValue::String(text))
                    if text.contains('=') && secret::is_telling(text)
            )
    }

    /// As serde gets it: with spans moved by `by`, which tells afterwards what an error is about.
    fn moved_value(&self, by: usize) -> Spanned<DeValue<'i>> {
        if let (Source::Variable(_), DeValue::String(Cow::Borrowed(text)), None) =
            (&self.source, self.value.get_ref(), &self.no_number)
            && let Some(value) = other_than_text(text)
        {
            return flat(value, by);
        }
        moved(&self.value, by)
    }

    /// Whether the value of a variable can still be taken for text.
    fn could_be_text(&self) -> bool {
        match (&self.source, self.value.get_ref()) {
            (Source::Variable(_), DeValue::String(text)) => {
                self.no_number.is_none() && other_than_text(text).is_some()
            }
            _ => false,
        }
    }

    /// The mistake of a value that was refused.
    fn refused(&self, error: &Error, span: Range<usize>) -> BuildError {
        let message = self.no_number.as_deref().unwrap_or(error.message());
        if let Some((key, known)) = unknown_field(message) {
            // It is one of the keys that lead here, or one within the value.
            let position = self.path.iter().position(|own| own == key);
            let (above, span) = match position {
                Some(at) => (&self.path[..at], self.key_spans[at].clone()),
                None => (&self.path[..], span),
            };
            let table = format!("`{}`", above.join("."));
            return unknown_key(key, self.source.at(span), &table, &known);
        }
        let origin = self.source.at(span);
        let hidden = self.is_secret() || message == NO_SECRET;
        // What serde says may quote the value; what it expected does not.
        let said = match (&self.source, message.split_once(", expected ")) {
            (Source::Variable(_), _) if self.is_empty_text() => "the variable is empty".to_owned(),
            (_, Some((_, expected))) if hidden => format!("it should be {expected}"),
            _ if hidden && message != NO_SECRET => "it is not what belongs there".to_owned(),
            _ => secret::masked_url(message),
        };
        BuildError::WrongValue {
            message: format!("`{}` is wrong: {said}", self.path.join(".")),
            origin: if hidden { origin.hidden() } else { origin },
        }
    }

    /// The text of a secret.
    fn secret(&self) -> Option<&str> {
        self.value.get_ref().as_str().filter(|_| self.is_secret())
    }

    fn is_empty_text(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::String(text) if text.is_empty())
    }
}

/// The key that serde does not know, and those that it does, if that is what it says.
fn unknown_field(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, rest) = rest.split_once('`')?;
    Some((key, rest.split('`').skip(1).step_by(2).collect()))
}

fn gather<'i>(
    setting: Setting<'i>,
    (above, spans_above): (&[String], &[Range<usize>]),
    leaves: &mut Vec<Leaf<'i>>,
) {
    let (mut path, mut key_spans) = (above.to_vec(), spans_above.to_vec());
    path.push(setting.key);
    key_spans.push(setting.key_span);
    let span = setting.value.span();
    match setting.value.into_inner() {
        DeValue::Table(table) if !table.is_empty() => {
            for setting in Setting::list(table, &setting.source) {
                gather(setting, (&path, &key_spans), leaves);
            }
        }
        value => leaves.push(Leaf {
            path,
            key_spans,
            value: Spanned::new(span, value),
            source: setting.source,
            no_number: None,
        }),
    }
}

/// A variable's text as a number, a boolean or a list, if it looks like one.
fn other_than_text(text: &str) -> Option<DeValue<'_>> {
    match DeValue::parse(text).map(Spanned::into_inner) {
        Ok(
            value @ (DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Array(_)),
        ) => Some(value),
        _ => None,
    }
}

fn moved<'i>(value: &Spanned<DeValue<'i>>, by: usize) -> Spanned<DeValue<'i>> {
    let span = value.span();
    let inner = match value.get_ref() {
        DeValue::Array(values) => {
            DeValue::Array(values.iter().map(|value| moved(value, by)).collect())
        }
        DeValue::Table(table) => {
            let entries = table.iter().map(|(key, value)| {
                let (span, name) = (key.span(), key.get_ref().clone());
                let key = Spanned::new(span.start + by..span.end + by, name);
                (key, moved(value, by))
            });
            DeValue::Table(entries.collect())
        }
        other => other.clone(),
    };
    Spanned::new(span.start + by..span.end + by, inner)
}

/// A variable has no places within: all of it is at `at`.
fn flat(value: DeValue<'_>, at: usize) -> Spanned<DeValue<'_>> {
    let value = match value {
        DeValue::Array(values) => DeValue::Array(
            values
                .into_iter()
                .map(|value| flat(value.into_inner(), at))
                .collect(),
        ),
        other => other,
    };
    Spanned::new(at..at, value)
}

/// How much of a `T` there should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All that has no default: a key that is missing is a mistake.
    Whole,
    /// Any part; the rest stands elsewhere.
    Part,
}

/// Reads a `T` from `leaves`, of which `table` says what has them, such as "a route".
///
/// Every unknown key and every refused value is added to `errors`; `None` if there was any. A
/// key that `T` misses is reported at `origin`.
pub(crate) fn read<T: DeserializeOwned>(
    table: &str,
    origin: &Origin,
    leaves: Vec<Leaf<'_>>,
    wanted: Wanted,
    errors: &mut Vec<BuildError>,
) -> Option<T> {
    let before = errors.len();
    let known = serde_introspect::<T>();
    let (mut leaves, unknown): (Vec<_>, Vec<_>) = leaves
        .into_iter()
        .partition(|leaf| known.is_empty() || known.contains(&&*leaf.path[0]));
    errors.extend(unknown.iter().map(|leaf| {
        let origin = leaf.source.at(leaf.key_spans[0].clone());
        unknown_key(&leaf.path[0], origin, table, known)
    }));
    loop {
        let distance = distance(&leaves);
        let error = match deserialize::<T>(&leaves, distance) {
            Ok(read) => return (errors.len() == before).then_some(read),
            Err(error) => error,
        };
        let missing = error.message().starts_with("missing field");
        match refused(&leaves, &error, distance) {
            Some((position, _)) if missing && wanted == Wanted::Part => {
                let incomplete = leaves[position].path[0].clone();
                leaves.retain(|leaf| leaf.path[0] != incomplete);
            }
            None if missing && wanted == Wanted::Part => return None,
            Some((position, _)) if leaves[position].could_be_text() => {
                leaves[position].no_number = Some(error.message().to_owned());
            }
            Some((position, span)) if !missing => {
                let leaf = leaves.remove(position);
                errors.push(leaf.refused(&error, span));
            }
            _ => {
                let what = if missing { "incomplete" } else { "wrong" };
                let said =
                    secret::scrubbed(error.message(), leaves.iter().filter_map(Leaf::secret));
                errors.push(BuildError::WrongValue {
                    message: format!("{table} is {what}: {said}"),
                    origin: origin.clone(),
                });
                return None;
            }
        }
    }
}

/// More than any span is long.
fn distance(leaves: &[Leaf<'_>]) -> usize {
    let ends = leaves.iter().map(|leaf| end(&leaf.value));
    ends.max().unwrap_or(0) + 1
}

/// Where a value ends with all that is in it: the span of a list of tables is that of its first
/// header.
fn end(value: &Spanned<DeValue<'_>>) -> usize {
    let within = match value.get_ref() {
        DeValue::Array(values) => values.iter().map(end).max(),
        DeValue::Table(table) => {
            let entries = table.iter();
            entries
                .map(|(key, value)| key.span().end.max(end(value)))
                .max()
        }
        _ => None,
    };
    value.span().end.max(within.unwrap_or(0))
}

/// The spans of the leaf at position 0 begin at `distance`, those of the next one at twice that,
/// whatever they were read from: that tells afterwards which one was refused.
fn deserialize<T: DeserializeOwned>(leaves: &[Leaf<'_>], distance: usize) -> Result<T, Error> {
    let numbered: Vec<_> = (1..).zip(leaves).collect();
    let all = DeValue::Table(nested(&numbered, 0, distance));
    T::deserialize(ValueDeserializer::from(Spanned::new(0..0, all)))
}

/// The table that leaves with the same `depth` keys above make up.
fn nested<'i>(leaves: &[(usize, &Leaf<'i>)], depth: usize, distance: usize) -> DeTable<'i> {
    let mut by_key: BTreeMap<&str, Vec<(usize, &Leaf<'i>)>> = BTreeMap::new();
    for (number, leaf) in leaves {
        let below = by_key.entry(&leaf.path[depth]).or_default();
        below.push((*number, leaf));
    }
    let entries = by_key.into_iter().map(|(key, below)| {
        let (number, leaf) = below[0];
        let at = number * distance;
        let value = match leaf.path.len() == depth + 1 {
            true => leaf.moved_value(at),
            false => {
                let table = nested(&below, depth + 1, distance);
                Spanned::new(at..at, DeValue::Table(table))
            }
        };
        (Spanned::new(at..at, key.to_owned().into()), value)
    });
    entries.collect()
}

/// Which leaf `error` is about, and the place in its source.
fn refused(leaves: &[Leaf<'_>], error: &Error, distance: usize) -> Option<(usize, Range<usize>)> {
    let span = error.span()?;
    let position = (span.start / distance).checked_sub(1)?;
    let (leaf, base) = (leaves.get(position)?, (position + 1) * distance);
    let span = match span.is_empty() {
        true => leaf.value.span(),
        false => span.start - base..span.end - base,
    };
    Some((position, span))
}

/// What a value is, for a sentence that says that it is something else.
pub(crate) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
