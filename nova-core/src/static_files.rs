//! Static files: a folder, or one file, as who answers a route.
//!
//! All that a request needs of the disk is done in one piece on a thread that may block: the file is
//! found, opened, described and compared with what the client has. Nothing that a client sends is
//! ever a path: it is a list of names, and each file is opened below the folder.

mod answer;
mod check;
mod conditions;
mod content;
mod encoding;
mod folder;
mod listing;
mod options;
mod ranges;
mod tag;
mod wanted;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::controller::Action;
use answer::Served;
use options::Written;

/// Files that answer a route: made by [`files`] and [`file()`].
///
/// A route with files answers `GET` and `HEAD`, and no other method. What it sends has a strong
/// `ETag`, `Last-Modified`, a type by the end of the name and `nosniff`. Conditions, ranges and
/// precompressed files are understood (RFC 9110 §13, §14 and §12.5.3).
#[derive(Debug, Clone)]
pub struct StaticFiles {
    written: Written,
    /// `None` until it is checked, or if something is wrong with it.
    served: Option<Arc<Served>>,
}

/// The files in a folder, and in those below it.
///
/// ```
/// use nova_core::{App, files};
/// # let folder = tempfile::tempdir().unwrap();
/// # let folder = folder.path();
/// # std::fs::create_dir_all(folder.join("priv/assets")).unwrap();
/// # std::fs::write(folder.join("nova.toml"), "").unwrap();
/// # std::fs::write(folder.join("router.toml"), "[[group]]\nroutes = []").unwrap();
///
/// let app = App::builder()
///     .root(folder)
///     .route(("/assets/{*path}", files("priv/assets").cache_control("max-age=3600")))
///     .build()
///     .unwrap();
/// ```
///
/// A relative folder is one below [`AppBuilder::root`](crate::AppBuilder::root), or below the working
/// directory of an app without one; in `router.toml`, `["/assets/{*path}", { dir = "priv/assets" }]`, it
/// is relative to that file. [`build`](crate::AppBuilder::build) tells if it is not there. The path
/// of the route ends with a rest, `{*path}` or `[...]`, which names the file.
///
/// What lies outside the folder is a 404, whatever the path says and wherever links lead; one with an
/// absolute path leads outside. So is
/// everything whose name begins with a dot, on the way or at the end, and everything that is no regular
/// file. `/.well-known` can be a route to a folder of its own.
///
/// For a folder, its [index file](StaticFiles::index_files) is sent; without one, it is
/// [listed](StaticFiles::list_dir) or a 403. A path that leads to either and has no slash at its end is
/// redirected to the one with a slash, so that relative links work.
pub fn files(folder: impl Into<PathBuf>) -> StaticFiles {
    StaticFiles::of(Written {
        dir: Some(folder.into()),
        ..Written::default()
    })
}

/// One file.
///
/// ```
/// use nova_core::{App, file};
/// # let folder = tempfile::tempdir().unwrap();
/// # let icon = folder.path().join("favicon.ico");
/// # std::fs::write(&icon, "").unwrap();
///
/// let app = App::builder()
///     .route(("/favicon.ico", file(icon).cache_control("max-age=86400")))
///     .build()
///     .unwrap();
/// ```
///
/// In `router.toml` it is `["/favicon.ico", { file = "priv/favicon.ico" }]`. The path is relative as that
/// of [`files`] is; links in it are followed. One file can also be a status page:
/// `[404, { file = "priv/404.html" }]`.
pub fn file(path: impl Into<PathBuf>) -> StaticFiles {
    StaticFiles::of(Written {
        file: Some(path.into()),
        ..Written::default()
    })
}

impl StaticFiles {
    pub(crate) fn of(written: Written) -> Self {
        StaticFiles {
            written,
            served: None,
        }
    }

    /// The files that stand for the folder they are in: the first that is there is sent.
    /// **Default:** `index.html`.
    #[must_use]
    pub fn index_files<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.written.index_files = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Whether a folder without an index file is listed: as a page, or as JSON for who asks for that
    /// by `accept`. The list has what can be fetched, folders first, and at most 10,000 entries.
    /// **Default:** `false`, which makes it a 403.
    #[must_use]
    pub fn list_dir(mut self, list: bool) -> Self {
        self.written.list_dir = Some(list);
        self
    }

    /// Whether links may lead out of the folder. Relative ones that stay in it are followed anyway.
    /// **Default:** `false`.
    #[must_use]
    pub fn follow_links(mut self, follow: bool) -> Self {
        self.written.follow_links = Some(follow);
        self
    }

    /// Whether `app.js.br`, `app.js.zst` or `app.js.gz` is sent in place of the `app.js` beside it, to
    /// clients that take it (`accept-encoding`). They are for the build to make: nobody looks whether
    /// they are older. **Default:** `true`.
    #[must_use]
    pub fn precompressed(mut self, precompressed: bool) -> Self {
        self.written.precompressed = Some(precompressed);
        self
    }

    /// The type of files with this extension, such as `"md"` and `"text/markdown; charset=utf-8"`.
    /// **Default:** a list of the known ones, with `charset=utf-8` for text, and
    /// `application/octet-stream`.
    #[must_use]
    pub fn mimetype(
        mut self,
        extension: impl Into<String>,
        content_type: impl Into<String>,
    ) -> Self {
        let types = self.written.mimetype.get_or_insert_default();
        types
            .by_extension
            .insert(extension.into(), content_type.into());
        self
    }

    /// The type of all the files, whatever their names. **Default:** it goes by the extension.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        let types = self.written.mimetype.get_or_insert_default();
        types.all = Some(content_type.into());
        self
    }

    /// The header `cache-control` of all the files. **Default:** `no-cache`: they are kept, and asked
    /// about each time, which is a 304 if nothing has changed.
    #[must_use]
    pub fn cache_control(mut self, value: impl Into<String>) -> Self {
        self.written.cache_control = Some(value.into());
        self
    }

    /// Whether they are those of a folder.
    pub(crate) fn is_folder(&self) -> bool {
        self.written.dir.is_some()
    }

    /// What answers a request; `None` if they are wrong, which was told.
    pub(crate) fn action(&self) -> Option<Action> {
        self.served.as_ref().map(answer::action)
    }
}

/// `files in priv/assets`, `the file priv/favicon.ico`.
impl fmt::Display for StaticFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.written.dir, &self.written.file) {
            (Some(folder), _) => write!(f, "files in {}", folder.display()),
            (None, Some(file)) => write!(f, "the file {}", file.display()),
            (None, None) => f.write_str("no files"),
        }
    }
}
