//! `path_for` in views: the paths of named routes, and a look for names that are none.

use std::fmt::Display;
use std::sync::{Arc, LazyLock};

use minijinja::value::Kwargs;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, Value};
use regex::Regex;

use crate::origin::{Origin, SourceFile};
use crate::router::Router;

/// A call of `path_for` in a view, as far as it is written out.
#[derive(Debug, Clone)]
pub(crate) struct PathUse {
    pub(crate) name: String,
    /// The names of the values that it gives; `None` if they cannot be told.
    pub(crate) given: Option<Vec<String>>,
    pub(crate) origin: Origin,
}

/// Lets templates make paths of named routes: `{{ path_for("note", id=7) }}`.
/// `app` is the mounted app that they are of; its own names come first.
pub(super) fn add_function(templates: &mut Environment<'static>, router: &Router, app: &str) {
    let (router, app) = (router.downgrade(), app.to_owned());
    let path_for = move |state: &State<'_, '_>, name: &str, values: Kwargs| {
        let mut given: Vec<(&str, Value)> = Vec::new();
        for name in values.args() {
            let value: Value = values.get(name)?;
            if value.is_none() {
                let message = format!("`{name}` is `none`, which makes no path");
                return Err(Error::new(ErrorKind::InvalidOperation, message));
            }
            given.push((name, value));
        }
        let given: Vec<(&str, &dyn Display)> = given
            .iter()
            .map(|(name, value)| (*name, value as &dyn Display))
            .collect();
        let Some(router) = router.upgrade() else {
            let gone = "the routes are gone";
            return Err(Error::new(ErrorKind::InvalidOperation, gone));
        };
        match router.table().names.path_for(&app, name, &given) {
            Ok(path) => Ok(as_value(path, state.auto_escape())),
            Err(message) => Err(Error::new(ErrorKind::InvalidOperation, message)),
        }
    };
    templates.add_function("path_for", path_for);
}

/// A path for a template. Escaping would take its slashes for something dangerous; what HTML minds of
/// what else a path can have is `&` and `'` alone.
fn as_value(path: String, escape: &AutoEscape) -> Value {
    match escape {
        AutoEscape::Html => {
            let escaped = path.replace('&', "&amp;").replace('\'', "&#39;");
            Value::from_safe_string(escaped)
        }
        _ => path.into(),
    }
}

static CALL: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"\bpath_for\(\s*(?:"([^"]*)"|'([^']*)')"#;
    Regex::new(pattern).expect("the pattern is one")
});

/// The calls in a view whose name is written out.
pub(super) fn uses(file: &Arc<SourceFile>) -> Vec<PathUse> {
    let text = &*super::live(file.text());
    let calls = CALL.captures_iter(text).filter_map(|found| {
        let (whole, name) = (found.get(0)?, found.get(1).or(found.get(2))?);
        is_code(&text[..whole.start()]).then(|| PathUse {
            name: name.as_str().to_owned(),
            given: given(&text[whole.end()..]),
            origin: Origin::in_file(file, name.range()),
        })
    });
    calls.collect()
}

/// Whether what follows `before` stands within `{{ … }}` or `{% … %}`.
fn is_code(before: &str) -> bool {
    let last = |marks: [&str; 3]| marks.iter().filter_map(|mark| before.rfind(mark)).max();
    let open = last(["{{", "{%", "{#"]);
    open > last(["}}", "%}", "#}"]) && open.is_some_and(|at| !before[at..].starts_with("{#"))
}

/// The names of the arguments that follow the first, up to the end of the call; `None` if one is
/// not of the form `name=value`.
fn given(rest: &str) -> Option<Vec<String>> {
    let (mut depth, mut quote, mut arguments) = (0_usize, None, vec![String::new()]);
    for c in rest.chars() {
        match (quote, c) {
            (Some(begun), c) if begun == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, ')') if depth == 0 => break,
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                arguments.push(String::new());
                continue;
            }
            (None, _) => {}
        }
        if let Some(last) = arguments.last_mut() {
            last.push(c);
        }
    }
    let mut arguments = arguments.into_iter();
    let behind_name = arguments.next()?;
    let named = arguments.filter(|argument| !argument.trim().is_empty());
    let names = named.map(|argument| {
        let (name, value) = argument.split_once('=')?;
        let is_name = name.trim().chars().all(|c| c.is_alphanumeric() || c == '_');
        (is_name && !value.starts_with('=')).then(|| name.trim().to_owned())
    });
    names
        .collect::<Option<_>>()
        .filter(|_| behind_name.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn found(text: &str) -> Vec<(String, Option<Vec<String>>)> {
        let file = SourceFile::new(Path::new("x.html"), text.to_owned());
        let uses = uses(&file).into_iter();
        uses.map(|one| (one.name, one.given)).collect()
    }

    #[test]
    fn calls_in_code_are_found_with_the_names_of_their_values() {
        let named = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
        for (text, expected) in [
            ("{{ path_for('home') }}", vec![("home", named(&[]))]),
            (
                "{{ path_for(\"note\", id=f(a, b), x = ',') }} {{ path_for('n', id=1) }}",
                vec![("note", named(&["id", "x"])), ("n", named(&["id"]))],
            ),
            ("{% set a = path_for('n', **all) %}", vec![("n", None)]),
            ("{{ path_for('n' ~ x) }}", vec![("n", None)]),
            ("{# path_for('n') #} path_for('m') {{ a }}", vec![]),
            (
                "{# {{ path_for('n') }} é #}{%- raw %}{{ path_for('n') }}{% endraw -%}\
                 {{ path_for('m') }}",
                vec![("m", named(&[]))],
            ),
        ] {
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(name, given)| (name.to_owned(), given))
                .collect();
            assert_eq!(found(text), expected, "{text}");
        }
    }
}
