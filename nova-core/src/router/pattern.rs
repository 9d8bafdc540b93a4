//! Paths of routes: static segments, `{name}` for one segment, `{*name}` for the rest.

use std::fmt;

use crate::bindings::percent_decode;

/// What Nova calls the rest that its `[...]` matches.
const UNNAMED_REST: &str = "pathinfo";

/// More in one path are a mistake.
const MOST_BINDINGS: usize = 25;

/// The path of a route, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    Static(String),
    Binding(String),
    /// Zero or more segments; always the last.
    Rest(String),
}

impl Pattern {
    /// `/`, below which everything stands.
    pub(crate) fn root() -> Self {
        Pattern(Vec::new())
    }

    /// Reads `path`. Repeated slashes and one at the end count for nothing, as in a request.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub(crate) fn parse(path: &str) -> Result<Self, String> {
        if !path.starts_with('/') {
            return Err(format!("it begins with a slash: `/{path}`"));
        }
        let mut segments = Vec::new();
        for text in path.split('/').filter(|text| !text.is_empty()) {
            if let Some(Segment::Rest(_)) = segments.last() {
                return Err("what matches the rest of a path stands at its end".to_owned());
            }
            let segment = Segment::parse(text)?;
            if let Some(name) = segment.name()
                && segments.iter().filter_map(Segment::name).any(|n| n == name)
            {
                return Err(format!("it binds `{name}` twice"));
            }
            segments.push(segment);
        }
        Ok(Pattern(segments))
    }

    /// This path as one that others stand below.
    ///
    /// # Errors
    /// It ends with a rest.
    pub(crate) fn into_prefix(self) -> Result<Self, String> {
        match self.0.last() {
            Some(Segment::Rest(_)) => Err("nothing can stand below the rest of a path".to_owned()),
            _ => Ok(self),
        }
    }

    /// Whether it matches any path that is longer.
    pub(super) fn has_rest(&self) -> bool {
        matches!(self.0.last(), Some(Segment::Rest(_)))
    }

    /// This path below `prefix`.
    ///
    /// # Errors
    /// Both bind the same name, or they bind too many.
    pub(crate) fn below(&self, prefix: &Pattern) -> Result<Self, String> {
        let whole = Pattern(prefix.0.iter().chain(&self.0).cloned().collect());
        if whole.names().count() > MOST_BINDINGS {
            return Err(format!("it binds more than {MOST_BINDINGS} names"));
        }
        match prefix
            .names()
            .find(|name| self.names().any(|own| own == *name))
        {
            Some(name) => Err(format!(
                "with its prefix, `{whole}`, it binds `{name}` twice"
            )),
            None => Ok(whole),
        }
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Whether a path with these segments is this one or stands below it.
    pub(super) fn is_prefix_of(&self, segments: &[&str]) -> bool {
        self.0.len() <= segments.len()
            && self.0.iter().zip(segments).all(|(own, given)| match own {
                Segment::Static(name) => name == given,
                Segment::Binding(_) | Segment::Rest(_) => true,
            })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(Segment::name)
    }

    /// The path without the names that it binds.
    pub(crate) fn shape(&self) -> Shape {
        let step = |segment: &Segment| match segment {
            Segment::Static(text) => Step::Static(text.clone()),
            Segment::Binding(_) => Step::Binding,
            Segment::Rest(_) => Step::Rest,
        };
        Shape(self.0.iter().map(step).collect())
    }
}

/// A path without the names that it binds: two routes with the same shape match the same paths.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Shape(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Static(String),
    Binding,
    Rest,
}

impl Shape {
    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "[...]" {
            return Ok(Segment::Rest(UNNAMED_REST.to_owned()));
        }
        if let Some(name) = text.strip_prefix(':') {
            return Ok(Segment::Binding(binding_name(name)?));
        }
        if let Some(inner) = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
            return Ok(match inner.strip_prefix('*') {
                Some(name) => Segment::Rest(binding_name(name)?),
                None => Segment::Binding(binding_name(inner)?),
            });
        }
        if text.contains(['{', '}', '[', ']']) {
            return Err(format!(
                "a binding is a whole segment, such as `/{{id}}`, and `{text}` is not"
            ));
        }
        if let Some(other) = text.chars().find(|c| !is_path_character(*c)) {
            return Err(format!("a path cannot have {other:?} in it"));
        }
        if text.starts_with('*') {
            return Err(format!(
                "the rest of a path is `{{*rest}}`, and not `{text}`"
            ));
        }
        if [".", ".."].contains(&text) {
            return Err(format!("clients resolve `{text}` before they ask"));
        }
        if percent_decode(text).is_err() {
            return Err(format!(
                "a `%` begins two hexadecimal digits, and not so in `{text}`"
            ));
        }
        Ok(Segment::Static(text.to_owned()))
    }

    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Segment::Static(_) => None,
            Segment::Binding(name) | Segment::Rest(name) => Some(name),
        }
    }
}

/// `pchar` of RFC 3986 §3.3: the only characters that the path of a request can have.
fn is_path_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%".contains(c)
}

fn binding_name(name: &str) -> Result<String, String> {
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !fits {
        return Err(format!(
            "a binding is named by letters, digits and `_`, and `{name}` is not"
        ));
    }
    Ok(name.to_owned())
}

/// In today's notation, also for a path that was written in Nova's.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("/");
        }
        for segment in &self.0 {
            match segment {
                Segment::Static(text) => write!(f, "/{text}")?,
                Segment::Binding(name) => write!(f, "/{{{name}}}")?,
                Segment::Rest(name) => write!(f, "/{{*{name}}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(path: &str) -> Result<String, String> {
        Pattern::parse(path).map(|pattern| pattern.to_string())
    }

    #[test]
    fn novas_notation_means_the_same() {
        assert_eq!(shown("/notes/:id").unwrap(), "/notes/{id}");
        assert_eq!(shown("/assets/[...]").unwrap(), "/assets/{*pathinfo}");
        assert_eq!(shown("//a//{b}/").unwrap(), "/a/{b}");
        assert_eq!(shown("/").unwrap(), "/");
    }

    #[test]
    fn what_is_no_path_says_why() {
        for (path, reason) in [
            ("notes", "it begins with a slash: `/notes`"),
            ("", "it begins with a slash"),
            ("/{*rest}/more", "at its end"),
            ("/{id}/{id}", "binds `id` twice"),
            ("/{id}.json", "a whole segment"),
            ("/{}", "letters, digits and `_`"),
            ("/a b", "' '"),
            ("/a?b=c", "'?'"),
            ("/é", "'é'"),
            ("/a/*", "`{*rest}`"),
            ("/a/../b", "clients resolve `..`"),
            ("/a%zz", "two hexadecimal digits"),
        ] {
            let refused = shown(path).unwrap_err();
            assert!(refused.contains(reason), "{path}: {refused}");
        }
    }

    #[test]
    fn paths_that_differ_in_names_only_have_one_shape() {
        let shape = |path| Pattern::parse(path).unwrap().shape();
        assert_eq!(shape("/a/{x}/b/{*y}"), shape("/a/:z/b/[...]"));
        assert_ne!(shape("/a/{x}"), shape("/a/{*x}"));
    }
}
