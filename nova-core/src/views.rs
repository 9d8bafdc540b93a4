//! HTML from templates: what a [`view`](crate::view) is rendered with.

mod paths;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use minijinja::{
    AutoEscape, Environment, ErrorKind, Output, UndefinedBehavior, Value, escape_formatter,
};
use regex::{Captures, Regex};

use crate::build_error::{BuildError, NameKind, nearest};
use crate::error::{Error, Result};
use crate::origin::{Origin, SourceFile, shown};
use crate::router::Router;
pub(crate) use paths::PathUse;

/// The templates of an app, by the names that replies call them by.
pub(crate) struct Views {
    templates: Environment<'static>,
    /// Where they were read from, and where the app names it.
    folder: Option<(PathBuf, Origin)>,
    /// The paths that they ask for.
    uses: Vec<PathUse>,
}

/// What a file among the views is, by the end of its name.
struct Kind {
    escape: AutoEscape,
    content_type: &'static str,
}

impl Kind {
    /// What is not known is taken for HTML, and so escaped.
    fn of(name: &str) -> Self {
        let name = name.to_lowercase();
        let template = name.strip_suffix(".j2").or(name.strip_suffix(".jinja"));
        let end = template.unwrap_or(&name).rsplit_once('.');
        let (escape, content_type) = match end.map(|(_, end)| end) {
            Some("txt" | "md") => (AutoEscape::None, "text/plain; charset=utf-8"),
            Some("css") => (AutoEscape::None, "text/css; charset=utf-8"),
            Some("js" | "mjs") => (AutoEscape::Json, "text/javascript; charset=utf-8"),
            Some("json") => (AutoEscape::Json, "application/json"),
            Some("xml") => (AutoEscape::Html, "application/xml"),
            Some("svg") => (AutoEscape::Html, "image/svg+xml"),
            _ => (AutoEscape::Html, "text/html; charset=utf-8"),
        };
        Kind {
            escape,
            content_type,
        }
    }
}

impl fmt::Debug for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Views({:?})", self.folder)
    }
}

impl Default for Views {
    fn default() -> Self {
        let mut templates = Environment::new();
        // A name that is misspelt in a template is an error, and no empty place in a page.
        templates.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        templates.set_auto_escape_callback(|name| Kind::of(name).escape);
        templates.set_formatter(|out, state, value| match state.auto_escape() {
            AutoEscape::Json if !value.is_safe() => write_json(out, value),
            _ => escape_formatter(out, state, value),
        });
        Views {
            templates,
            folder: None,
            uses: Vec::new(),
        }
    }
}

impl Views {
    /// Reads all files in `folder` and below, and adds what is wrong with them to `errors`.
    pub(crate) fn read(folder: &Path, origin: &Origin, errors: &mut Vec<BuildError>) -> Self {
        let mut views = Views {
            folder: Some((folder.to_path_buf(), origin.clone())),
            ..Views::default()
        };
        let mut files = Vec::new();
        if let Err((path, source)) = list(folder, &mut HashSet::new(), &mut files) {
            errors.push(BuildError::Unreadable {
                file: shown(&path),
                origin: origin.clone(),
                source,
            });
        }
        files.sort();
        let mut sources = Vec::new();
        for file in files {
            sources.extend(views.add(folder, &file, origin, errors));
        }
        for source in sources {
            views.check_names(&source, errors);
            views.uses.extend(paths::uses(&source));
        }
        views
    }

    /// The views as they are now in the same folder.
    pub(crate) fn read_again(&self, errors: &mut Vec<BuildError>) -> Self {
        match &self.folder {
            Some((folder, origin)) => Views::read(folder, origin, errors),
            None => Views::default(),
        }
    }

    /// The folder, if there is one.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_ref().map(|(folder, _)| &**folder)
    }

    /// The names of those whose text differs, and of those that only one of the two has.
    pub(crate) fn differences(&self, old: &Views) -> Vec<String> {
        let texts = |views: &'_ Views| -> BTreeMap<String, String> {
            let all = views.templates.templates();
            all.map(|(name, template)| (name.to_owned(), template.source().to_owned()))
                .collect()
        };
        let (new, old) = (texts(self), texts(old));
        let names: BTreeSet<&String> = new.keys().chain(old.keys()).collect();
        let differing = names.into_iter();
        differing
            .filter(|name| new.get(*name) != old.get(*name))
            .cloned()
            .collect()
    }

    /// The same views, which can make paths of the routes of `router`; `app` is the mounted app that they
    /// are of.
    pub(crate) fn with_paths_of(mut self, router: &Router, app: &str) -> Self {
        paths::add_function(&mut self.templates, router, app);
        self
    }

    /// The paths of named routes that they ask for.
    pub(crate) fn uses(&self) -> &[PathUse] {
        &self.uses
    }

    fn add(
        &mut self,
        folder: &Path,
        path: &Path,
        origin: &Origin,
        errors: &mut Vec<BuildError>,
    ) -> Option<Arc<SourceFile>> {
        let file = match SourceFile::read(path) {
            Ok((file, true)) => file,
            Ok((file, false)) => {
                let end = file.text().len();
                errors.push(BuildError::Syntax {
                    message: "from here on, the view is not UTF-8".to_owned(),
                    origin: Origin::in_file(&file, end..end),
                });
                return None;
            }
            Err(source) => {
                errors.push(BuildError::Unreadable {
                    file: shown(path),
                    origin: origin.clone(),
                    source,
                });
                return None;
            }
        };
        let below = path.strip_prefix(folder).unwrap_or(path);
        let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        let text = file.text().to_owned();
        match self.templates.add_template_owned(parts.join("/"), text) {
            Ok(()) => Some(file),
            Err(error) => {
                errors.push(mistake(&file, &error));
                None
            }
        }
    }

    /// minijinja looks for what a template includes or extends when it is rendered. What is named
    /// there in so many words can be looked for now.
    fn check_names(&self, file: &Arc<SourceFile>, errors: &mut Vec<BuildError>) {
        for found in NAMED.captures_iter(&live(file.text())) {
            let Some(name) = found.get(1).or(found.get(2)) else {
                continue;
            };
            if self.templates.get_template(name.as_str()).is_err() {
                let names = self.templates.templates().map(|(name, _)| name);
                let similar = nearest(name.as_str(), names);
                errors.push(BuildError::UnknownName {
                    kind: NameKind::View,
                    name: name.as_str().to_owned(),
                    origin: Origin::in_file(file, name.range()),
                    help: None,
                    similar,
                });
            }
        }
    }

    /// The view of that name, with its content type: `login` for `login.html`, and any other file
    /// by its whole name.
    ///
    /// # Errors
    /// There is none, or it cannot be rendered with this context.
    pub(crate) fn render(&self, name: &str, context: &Value) -> Result<(String, &'static str)> {
        let html = format!("{name}.html");
        let template = self.templates.get_template(&html);
        let template = template.or_else(|_| self.templates.get_template(name));
        let template = template.map_err(|_| Error::internal(self.missing(name)))?;
        let content_type = Kind::of(template.name()).content_type;
        Ok((template.render(context)?, content_type))
    }

    fn missing(&self, name: &str) -> String {
        let Some((folder, _)) = &self.folder else {
            return format!(
                "there is no view `{name}`, as the app has no views: name their folder with \
                 `.views(…)`, or put them into `views` below `.root(…)`"
            );
        };
        let names = self.templates.templates().map(|(name, _)| name);
        let names: Vec<_> = names
            .map(|known| known.strip_suffix(".html").unwrap_or(known))
            .collect();
        let help = match nearest(name, names.iter().copied()) {
            Some(similar) => format!("a similar one is called `{similar}`"),
            None => format!("it would be `{name}.html`"),
        };
        format!(
            "there is no view `{name}` in `{}`: {help}",
            shown(folder).display()
        )
    }
}

/// JSON that can stand in a `<script>`, where a page may include a `.js` file: no value ends it.
fn write_json(out: &mut Output<'_>, value: &Value) -> Result<(), minijinja::Error> {
    let json = serde_json::to_string(value).map_err(|error| {
        minijinja::Error::new(ErrorKind::BadSerialization, "a value is no JSON").with_source(error)
    })?;
    let json = json
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026");
    out.write_str(&json).map_err(minijinja::Error::from)
}

/// What is no code in a template: comments, and what is shown as it stands.
static DEAD: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?s)\{#.*?#\}|\{%[-+]?\s*raw\s*[-+]?%\}.*?\{%[-+]?\s*endraw\s*[-+]?%\}";
    Regex::new(pattern).expect("the pattern is one")
});

/// A template with spaces in place of what is no code, so that all else keeps its place.
fn live(text: &str) -> Cow<'_, str> {
    DEAD.replace_all(text, |dead: &Captures<'_>| " ".repeat(dead[0].len()))
}

/// What a template includes, extends or imports, unless it says that it may be missing.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"\{%-?\+?\s*(?:include|extends|import|from)\s+(?:"([^"]*)"|'([^']*)')\s*(?:-?%\}|import|as|with)"#;
    Regex::new(pattern).expect("the pattern is one")
});

/// Gathers the files below `folder`, but hidden ones, which editors leave, and what is no file.
fn list(
    folder: &Path,
    visited: &mut HashSet<PathBuf>,
    files: &mut Vec<PathBuf>,
) -> Result<(), (PathBuf, std::io::Error)> {
    let failed = |source| (folder.to_path_buf(), source);
    // Links may lead back.
    if !visited.insert(folder.canonicalize().map_err(failed)?) {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        let path = entry.path();
        let kind = path.metadata().map_err(|source| (path.clone(), source))?;
        if kind.is_dir() {
            list(&path, visited, files)?;
        } else if kind.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

fn mistake(file: &Arc<SourceFile>, error: &minijinja::Error) -> BuildError {
    let line = error.line().unwrap_or(1);
    let start = file
        .text()
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let end = start
        + file.text()[start..]
            .find('\n')
            .unwrap_or(file.text().len() - start);
    let (kind, detail) = (error.kind(), error.detail());
    BuildError::Syntax {
        message: detail.map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}")),
        origin: Origin::in_file(file, error.range().unwrap_or(start..end)),
    }
}
