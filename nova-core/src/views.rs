//! HTML from templates: what a [`view`](crate::view) is rendered with.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use crate::build_error::{BuildError, nearest};
use crate::error::{Error, Result};
use crate::origin::{Origin, SourceFile, shown};

/// The templates of an app, by the names that replies call them by.
pub(crate) struct Views {
    templates: Environment<'static>,
    /// For messages.
    folder: Option<PathBuf>,
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
        templates.set_auto_escape_callback(|name| match name.rsplit_once('.') {
            Some((_, "html" | "htm" | "xml" | "svg")) => AutoEscape::Html,
            _ => AutoEscape::None,
        });
        Views {
            templates,
            folder: None,
        }
    }
}

impl Views {
    /// Reads all files in `folder` and below, and adds what is wrong with them to `errors`.
    pub(crate) fn read(folder: &Path, origin: &Origin, errors: &mut Vec<BuildError>) -> Self {
        let mut views = Views {
            folder: Some(shown(folder)),
            ..Views::default()
        };
        let mut files = Vec::new();
        if let Err((path, source)) = list(folder, &mut files) {
            errors.push(BuildError::Unreadable {
                file: shown(&path),
                origin: origin.clone(),
                source,
            });
        }
        files.sort();
        for file in files {
            views.add(folder, &file, origin, errors);
        }
        views
    }

    fn add(&mut self, folder: &Path, path: &Path, origin: &Origin, errors: &mut Vec<BuildError>) {
        let file = match SourceFile::read(path) {
            Ok((file, true)) => file,
            Ok((file, false)) => {
                let end = file.text().len();
                errors.push(BuildError::Syntax {
                    message: "from here on, the view is not UTF-8".to_owned(),
                    origin: Origin::in_file(&file, end..end),
                });
                return;
            }
            Err(source) => {
                errors.push(BuildError::Unreadable {
                    file: shown(path),
                    origin: origin.clone(),
                    source,
                });
                return;
            }
        };
        let below = path.strip_prefix(folder).unwrap_or(path);
        let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        let text = file.text().to_owned();
        if let Err(error) = self.templates.add_template_owned(parts.join("/"), text) {
            errors.push(mistake(&file, &error));
        }
    }

    /// The view of that name: `login` for `login.html`, and any other file by its whole name.
    ///
    /// # Errors
    /// There is none, or it cannot be rendered with this context.
    pub(crate) fn render(&self, name: &str, context: &Value) -> Result<String> {
        let html = format!("{name}.html");
        let template = self.templates.get_template(&html);
        let template = template.or_else(|_| self.templates.get_template(name));
        let template = template.map_err(|_| Error::internal(self.missing(name)))?;
        Ok(template.render(context)?)
    }

    fn missing(&self, name: &str) -> String {
        let Some(folder) = &self.folder else {
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
            folder.display()
        )
    }
}

/// Gathers the files below `folder`, but hidden ones, which editors leave.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), (PathBuf, std::io::Error)> {
    let failed = |source| (folder.to_path_buf(), source);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        let path = entry.path();
        match path.is_dir() {
            true => list(&path, files)?,
            false => files.push(path),
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
