//! All that is wrong with an input, where serde tells only the first of it.
//!
//! What is refused is noted, something else is put into its place, of the kind that was expected,
//! and the input is read again, until it is read to its end or nothing helps any more. What an
//! input with something else in it is read as is thrown away: it serves the search only.

use std::fmt::{self, Display};

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use super::words::plain;
use crate::error::{Error, FieldError, Result};

/// The most wrong fields that are told of.
const MOST: usize = 16;
/// How often an input is read again in search of them.
const PASSES: usize = 64;
/// How serde begins what it says of a field that should be there, and of one that should not.
const MISSING: &str = "missing field `";
const UNKNOWN: &str = "unknown field `";

/// What can be read, changed, and read again.
pub(super) trait Input {
    fn read<T: DeserializeOwned>(&mut self) -> Result<T, Wrong>;

    /// What may be put where `message` was told, in the order in which it is tried.
    fn substitutes(&self, message: &str) -> Vec<Substitute>;

    /// Whether it could be put there.
    fn put(&mut self, path: &Path, substitute: &Substitute) -> bool;
}

#[derive(Debug, PartialEq)]
pub(super) enum Substitute {
    Value(Value),
    /// The field is taken away.
    Nothing,
}

/// The way to a part of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// What was refused first.
#[derive(Debug)]
pub(super) struct Wrong {
    /// `None` if part of the way there cannot be told.
    path: Option<Path>,
    message: String,
    /// Whether `path` was found by the name that the message has, not by where serde was.
    is_named: bool,
}

/// Reads a `T` from `input`.
///
/// # Errors
/// 422 with all that is wrong.
pub(super) fn decode<T: DeserializeOwned>(input: &mut impl Input) -> Result<T> {
    match input.read() {
        Ok(read) => Ok(read),
        Err(wrong) => Err(told(&search::<T>(input, wrong))),
    }
}

fn search<T: DeserializeOwned>(input: &mut impl Input, first: Wrong) -> Vec<FieldError> {
    let mut found = Vec::new();
    let mut patches = Patches::default();
    let mut next = Some(first);
    for _ in 0..PASSES {
        let Some(wrong) = next.take() else { break };
        let Some(path) = &wrong.path else {
            if found.is_empty() {
                found.push(wrong.field());
            }
            break;
        };
        if !patches.may_have_caused(path, wrong.is_named) {
            if found.len() == MOST {
                break;
            }
            found.push(wrong.field());
        }
        // An enum, or a struct with a flattened part, tells where it begins, not where it was.
        let at = match patches.last() {
            Some(last) if last.starts_with(path) && !wrong.is_named => last.clone(),
            _ => path.clone(),
        };
        if !patches.apply(input, at, &wrong.message) {
            break;
        }
        next = input.read::<T>().err();
    }
    found
}

/// What was put into the input, and where.
#[derive(Default)]
struct Patches {
    tried: Vec<(Path, Vec<Substitute>)>,
    last: Option<Path>,
}

impl Patches {
    fn last(&self) -> Option<&Path> {
        self.last.as_ref()
    }

    /// Whether what is refused at `path` may be refused for something that was put in.
    fn may_have_caused(&self, path: &Path, is_named: bool) -> bool {
        self.tried
            .iter()
            .any(|(patched, _)| path.starts_with(patched) || !is_named && patched.starts_with(path))
    }

    /// Puts in the next thing at `path`, or, where nothing is left to try, around it.
    fn apply(&mut self, input: &mut impl Input, mut path: Path, message: &str) -> bool {
        while !path.0.is_empty() {
            let known = self.tried.iter().position(|(patched, _)| *patched == path);
            let known = known.unwrap_or_else(|| {
                self.tried.push((path.clone(), Vec::new()));
                self.tried.len() - 1
            });
            let tried = &mut self.tried[known].1;
            for substitute in input.substitutes(message) {
                if tried.contains(&substitute) {
                    continue;
                }
                let put = input.put(&path, &substitute);
                tried.push(substitute);
                if put {
                    self.last = Some(path);
                    return true;
                }
            }
            path.0.pop();
        }
        false
    }
}

/// 422, with a sentence that says all of it.
fn told(fields: &[FieldError]) -> Error {
    let sentences: Vec<_> = fields
        .iter()
        .map(|field| match &*field.path {
            "" => field.message.clone(),
            path => format!("`{path}`: {}", field.message),
        })
        .collect();
    let named = fields.iter().filter(|field| !field.path.is_empty());
    Error::new(422, sentences.join("; ")).with_fields(named.cloned())
}

impl Wrong {
    /// The input as a whole is wrong.
    pub(super) fn whole(message: &dyn Display) -> Self {
        Wrong {
            path: Some(Path(Vec::new())),
            message: message.to_string(),
            is_named: false,
        }
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_ref()
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// The error that tells of nothing else.
    pub(super) fn only(&self) -> Error {
        told(&[self.field()])
    }

    fn field(&self) -> FieldError {
        let path = self.path.as_ref().map(Path::to_string);
        let message = match self.message.starts_with(MISSING) {
            true => "missing",
            false => &self.message,
        };
        FieldError::new(path.unwrap_or_default(), plain(message))
    }
}

impl<E: Display> From<serde_path_to_error::Error<E>> for Wrong {
    fn from(error: serde_path_to_error::Error<E>) -> Self {
        let steps = error.path().iter().map(|segment| match segment {
            Segment::Map { key } | Segment::Enum { variant: key } => Some(Step::Key(key.clone())),
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Unknown => None,
        });
        let mut path = steps.collect::<Option<_>>().map(Path);
        let message = error.inner().to_string();
        let field = |prefix| Some(message.strip_prefix(prefix)?.split_once('`')?.0);
        let (missing, unknown) = (field(MISSING), field(UNKNOWN));
        let named = missing.or(unknown);
        if let (Some(Path(steps)), Some(name)) = (&mut path, named) {
            let named = Step::Key(name.to_owned());
            // serde is still at the struct, or at the key that it does not know.
            if missing.is_some() || steps.last() != Some(&named) {
                steps.push(named);
            }
        }
        let is_named = named.is_some();
        Wrong {
            path,
            message,
            is_named,
        }
    }
}

impl Path {
    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    fn starts_with(&self, above: &Path) -> bool {
        self.0.starts_with(&above.0)
    }
}

/// As JavaScript would write it: `items[0].count`. Nothing for the whole.
impl Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if position == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
