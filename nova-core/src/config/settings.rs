//! Tables into types, with every mistake found and placed.
//!
//! serde stops at the first mistake. Here the keys are compared with the type's fields first,
//! then each value that is refused is reported, taken out, and the rest tried again.

use std::ops::Range;

use serde::de::DeserializeOwned;
use serde_aux::serde_introspection::serde_introspect;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error, ValueDeserializer};

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
        BuildError::UnknownKey {
            key: self.key.clone(),
            table: table.to_owned(),
            origin: self.key_origin(),
            known: known.iter().map(|&key| key.to_owned()).collect(),
            similar: nearest(&self.key, known.iter().copied()),
        }
    }
}

/// Reads a `T` from `settings`, of which `table` says what has them, such as "a route".
///
/// Every unknown key and every refused value is added to `errors`; `None` if there was any. A
/// key that `T` misses is reported at `origin`.
pub(crate) fn read<T: DeserializeOwned>(
    table: &str,
    origin: &Origin,
    settings: Vec<Setting<'_>>,
    errors: &mut Vec<BuildError>,
) -> Option<T> {
    let before = errors.len();
    let known = serde_introspect::<T>();
    let (mut settings, unknown): (Vec<_>, Vec<_>) = settings
        .into_iter()
        .partition(|setting| known.is_empty() || known.contains(&&*setting.key));
    errors.extend(unknown.iter().map(|one| one.unknown_key(table, known)));
    loop {
        let error = match deserialize::<T>(&settings) {
            Ok(read) => return (errors.len() == before).then_some(read),
            Err(error) => error,
        };
        let Some((position, span)) = refused(&settings, &error) else {
            errors.push(BuildError::WrongValue {
                message: format!("{table} is incomplete: {}", error.message()),
                origin: origin.clone(),
            });
            return None;
        };
        let setting = settings.remove(position);
        errors.push(BuildError::WrongValue {
            message: format!("`{}` is wrong: {}", setting.key, error.message()),
            origin: setting.source.at(span),
        });
    }
}

/// Each value gets its position as its span, whatever it was read from: that tells afterwards
/// which one was refused. Values inside it keep the spans that they have in their file.
fn deserialize<T: DeserializeOwned>(settings: &[Setting<'_>]) -> Result<T, Error> {
    let table: DeTable<'_> = settings
        .iter()
        .enumerate()
        .map(|(position, setting)| {
            let key = Spanned::new(position..position, setting.key.clone().into());
            let value = Spanned::new(position..position, setting.value.get_ref().clone());
            (key, value)
        })
        .collect();
    let outside = settings.len()..settings.len();
    let all = Spanned::new(outside, DeValue::Table(table));
    T::deserialize(ValueDeserializer::from(all))
}

/// Which setting `error` is about, and the place in its source.
fn refused(settings: &[Setting<'_>], error: &Error) -> Option<(usize, Range<usize>)> {
    let span = error.span()?;
    if span.is_empty() {
        let setting = settings.get(span.start)?;
        return Some((span.start, setting.value.span()));
    }
    let position = settings.iter().position(|setting| {
        let own = setting.value.span();
        own.start <= span.start && span.end <= own.end
    })?;
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
