//! Named routes, and the paths that are made by their names.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::pattern::{Pattern, Segment};
use crate::build_error::{BuildError, NameKind, listed, nearest};
use crate::origin::Origin;

/// What stands in a segment as it is: `unreserved` of RFC 3986 §2.3.
const ENCODED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The names of an app's routes.
#[derive(Default)]
pub(crate) struct Names(BTreeMap<String, (Pattern, Origin)>);

/// What the name of a route of a mounted app is in the table.
pub(super) fn of_app(app: &str, name: &str) -> String {
    match app {
        "" => name.to_owned(),
        app => format!("{app}::{name}"),
    }
}

impl Names {
    /// What `name` is called in the table when a part of `app` says it: the app's own route, or else one
    /// of the whole app.
    fn known<'n>(&self, app: &str, name: &'n str) -> Cow<'n, str> {
        let own = of_app(app, name);
        match !app.is_empty() && self.0.contains_key(&own) {
            true => own.into(),
            false => name.into(),
        }
    }

    /// Names a path. Several routes of one path may share a name.
    pub(super) fn add(
        &mut self,
        name: &str,
        pattern: &Pattern,
        origin: &Origin,
        errors: &mut Vec<BuildError>,
    ) {
        match self.0.get(name) {
            Some((known, first)) if known != pattern => errors.push(BuildError::DuplicateName {
                kind: NameKind::Route,
                name: name.to_owned(),
                origin: origin.clone(),
                first: first.clone(),
            }),
            Some(_) => {}
            None => {
                let named = (pattern.clone(), origin.clone());
                self.0.insert(name.to_owned(), named);
            }
        }
    }

    /// The path of the route `name` with these values for its bindings, encoded.
    ///
    /// # Errors
    /// What is missing, or too much, in one sentence.
    pub(crate) fn path_for(
        &self,
        app: &str,
        name: &str,
        values: &[(&str, &dyn Display)],
    ) -> Result<String, String> {
        self.check(app, name, values.iter().map(|(name, _)| *name))?;
        let name = &*self.known(app, name);
        let Some((pattern, _)) = self.0.get(name) else {
            return Err(self.unknown(name));
        };
        let mut path = String::new();
        for segment in pattern.segments() {
            let value = |name: &str| {
                let given = values.iter().find(|(given, _)| *given == name);
                given.map_or_else(String::new, |(_, value)| value.to_string())
            };
            match segment {
                Segment::Static(text) => path += &format!("/{text}"),
                Segment::Binding(binding) => {
                    path += "/";
                    path += &encoded(name, binding, &value(binding))?;
                }
                Segment::Rest(binding) => {
                    let rest = value(binding);
                    for part in rest.split('/').filter(|part| !part.is_empty()) {
                        path += "/";
                        path += &encoded(name, binding, part)?;
                    }
                }
            }
        }
        Ok(if path.is_empty() { "/".into() } else { path })
    }

    /// Whether there is a route `name`.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn check_name(&self, app: &str, name: &str) -> Result<(), String> {
        let name = &*self.known(app, name);
        match self.0.contains_key(name) {
            true => Ok(()),
            false => Err(self.unknown(name)),
        }
    }

    /// Whether there is a route `name`, and it has just these bindings. A rest may be left out.
    ///
    /// # Errors
    /// What is missing, or too much, in one sentence.
    pub(crate) fn check<'n>(
        &self,
        app: &str,
        name: &str,
        given: impl Iterator<Item = &'n str> + Clone,
    ) -> Result<(), String> {
        let name = &*self.known(app, name);
        let Some((pattern, _)) = self.0.get(name) else {
            return Err(self.unknown(name));
        };
        let unknown = given
            .clone()
            .find(|given| !pattern.names().any(|own| own == *given));
        if let Some(unknown) = unknown {
            let bound = listed(pattern.names());
            return Err(format!(
                "the route `{name}`, `{pattern}`, has no `{unknown}`: it binds {bound}"
            ));
        }
        let missing = pattern.segments().iter().find_map(|segment| match segment {
            Segment::Binding(own) => {
                let is_missing = !given.clone().any(|given| given == own);
                is_missing.then_some(own)
            }
            _ => None,
        });
        match missing {
            Some(missing) => Err(format!(
                "the path of the route `{name}`, `{pattern}`, needs a value for `{missing}`"
            )),
            None => Ok(()),
        }
    }

    fn unknown(&self, name: &str) -> String {
        let names = self.0.keys().map(String::as_str);
        match nearest(name, names) {
            Some(similar) => {
                format!("no route is called `{name}`; a similar name is `{similar}`")
            }
            None => format!(
                "no route is called `{name}`: name one with `{{ name = \"{name}\" }}` in its options"
            ),
        }
    }
}

/// A value as a segment of a path.
fn encoded(route: &str, binding: &str, value: &str) -> Result<String, String> {
    // An empty segment counts for nothing, and dots are resolved by clients, encoded or not.
    match value {
        "" | "." | ".." => Err(format!(
            "in the path of the route `{route}`, `{binding}` cannot be `{value}`"
        )),
        _ => Ok(utf8_percent_encode(value, &ENCODED).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let mut names = Names::default();
        for (name, path) in [
            ("home", "/"),
            ("note", "/api/notes/{id}"),
            ("file", "/files/{*rest}"),
        ] {
            let pattern = Pattern::parse(path).unwrap();
            names.add(name, &pattern, &Origin::caller(), &mut Vec::new());
        }
        names
    }

    #[test]
    fn a_path_has_its_values_encoded() {
        let path = |name, values: &[(&str, &dyn Display)]| names().path_for("", name, values);
        assert_eq!(path("home", &[]).unwrap(), "/");
        assert_eq!(path("note", &[("id", &7)]).unwrap(), "/api/notes/7");
        assert_eq!(
            path("note", &[("id", &"a/b c?é")]).unwrap(),
            "/api/notes/a%2Fb%20c%3F%C3%A9"
        );
        assert_eq!(
            path("file", &[("rest", &"a b/c.txt")]).unwrap(),
            "/files/a%20b/c.txt"
        );
        assert_eq!(path("file", &[]).unwrap(), "/files");
    }

    #[test]
    fn what_makes_no_path_is_told() {
        for (name, values, said) in [
            ("nots", vec![], "a similar name is `note`"),
            ("zzz", vec![], "name one with `{ name = \"zzz\" }`"),
            ("note", vec![], "needs a value for `id`"),
            (
                "note",
                vec![("id", "7"), ("x", "1")],
                "has no `x`: it binds `id`",
            ),
            ("note", vec![("id", "")], "`id` cannot be ``"),
            ("note", vec![("id", "..")], "`id` cannot be `..`"),
        ] {
            let values: Vec<(&str, &dyn Display)> = values
                .iter()
                .map(|(name, value)| (*name, value as &dyn Display))
                .collect();
            let refused = names().path_for("", name, &values).unwrap_err();
            assert!(refused.contains(said), "{name}: {refused}");
        }
    }
}
