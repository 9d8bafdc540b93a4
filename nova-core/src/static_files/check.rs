//! What can be wrong with static files, told when the app is built.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::HeaderValue;
use mediatype::MediaType;

use super::StaticFiles;
use super::answer::{ContentTypes, Served};
use super::folder::Folder;
use super::options::{Types, Written};
use super::wanted::is_servable;
use crate::build_error::{BuildError, NameKind, nearest};
use crate::origin::{Origin, shown};

/// Sent unless another is written: a file is asked about each time, so that none is ever stale.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("no-cache");

const INDEX_FILE: &str = "index.html";

impl StaticFiles {
    /// The same files, ready to be sent. Relative paths are below `base`; `place` is where a key
    /// stands. What is wrong is added to `errors`.
    pub(crate) fn checked(
        mut self,
        base: &Path,
        place: impl Fn(&str) -> Origin,
        errors: &mut Vec<BuildError>,
    ) -> Self {
        let before = errors.len();
        let checks = Checks {
            base,
            place,
            errors,
        };
        let served = checks.served(&self.written);
        self.served = served.filter(|_| errors.len() == before).map(Arc::new);
        self
    }
}

struct Checks<'c, P> {
    base: &'c Path,
    place: P,
    errors: &'c mut Vec<BuildError>,
}

impl<P: Fn(&str) -> Origin> Checks<'_, P> {
    fn served(mut self, written: &Written) -> Option<Served> {
        let content_types = self.content_types(written.mimetype.as_ref());
        let cache_control = self.cache_control(written.cache_control.as_deref());
        let index_files = self.index_files(written.index_files.as_deref());
        let (path, file) = match (&written.dir, &written.file) {
            (Some(dir), None) => (self.folder(dir)?, None),
            (None, Some(file)) => {
                self.only_for_folders(written);
                let (folder, name) = self.file(file)?;
                (folder, Some(name))
            }
            _ => {
                self.wrong(
                    "",
                    "static files are those of a folder, `{ dir = \"priv/assets\" }`, or one file, \
                     `{ file = \"priv/favicon.ico\" }`",
                );
                return None;
            }
        };
        Some(Served {
            folder: Folder {
                path,
                // A file is named by the app, its links included.
                follow_links: file.is_some() || written.follow_links.unwrap_or(false),
            },
            file,
            index_files,
            list_dir: written.list_dir.unwrap_or(false),
            precompressed: written.precompressed.unwrap_or(true),
            content_types,
            cache_control,
        })
    }

    /// The folder that is named, if it is there and can be read.
    fn folder(&mut self, written: &Path) -> Option<PathBuf> {
        let path = self.absolute("dir", written)?;
        match std::fs::metadata(&path) {
            Ok(metadata) if !metadata.is_dir() => {
                let message = format!(
                    "`{}` is no folder: name a single file by `file`",
                    written.display()
                );
                self.wrong("dir", message);
                None
            }
            Ok(_) => self.readable("dir", std::fs::read_dir(&path).map(drop), path),
            Err(error) => self.missing(NameKind::Folder, written, path, error),
        }
    }

    /// The folder and the name of the file that is named, if it is there and can be read.
    fn file(&mut self, written: &Path) -> Option<(PathBuf, PathBuf)> {
        let path = self.absolute("file", written)?;
        let path = match std::fs::metadata(&path) {
            // Before it is opened: opening a pipe would wait for somebody to write into it.
            Ok(metadata) if !metadata.is_file() => {
                let message = match metadata.is_dir() {
                    true => "is a folder: name it by `dir`",
                    false => "is no file",
                };
                self.wrong("file", format!("`{}` {message}", written.display()));
                return None;
            }
            Ok(_) => self.readable("file", std::fs::File::open(&path).map(drop), path)?,
            Err(error) => return self.missing(NameKind::File, written, path, error),
        };
        let name = PathBuf::from(path.file_name()?);
        Some((path.parent()?.to_path_buf(), name))
    }

    fn absolute(&mut self, key: &str, written: &Path) -> Option<PathBuf> {
        let path = self.base.join(written);
        match std::path::absolute(&path) {
            Ok(absolute) => Some(absolute),
            Err(source) => self.readable(key, Err(source), path),
        }
    }

    fn readable(&mut self, key: &str, read: io::Result<()>, path: PathBuf) -> Option<PathBuf> {
        let failed = |source| BuildError::Unreadable {
            file: shown(&path),
            origin: (self.place)(key),
            source,
        };
        match read.map_err(failed) {
            Ok(()) => Some(path),
            Err(error) => {
                self.errors.push(error);
                None
            }
        }
    }

    fn missing<T>(
        &mut self,
        kind: NameKind,
        written: &Path,
        path: PathBuf,
        error: io::Error,
    ) -> Option<T> {
        let key = if kind == NameKind::Folder {
            "dir"
        } else {
            "file"
        };
        if error.kind() != ErrorKind::NotFound {
            self.readable(key, Err(error), path);
            return None;
        }
        let similar = similar(&path, kind).map(|name| {
            let similar = written.with_file_name(name);
            similar.display().to_string()
        });
        self.errors.push(BuildError::UnknownName {
            kind,
            name: written.display().to_string(),
            origin: (self.place)(key),
            help: similar
                .is_none()
                .then(|| format!("it is looked for as `{}`", shown(&path).display())),
            similar,
        });
        None
    }

    fn only_for_folders(&mut self, written: &Written) {
        for (key, is_written) in [
            ("index_files", written.index_files.is_some()),
            ("list_dir", written.list_dir.is_some()),
            ("follow_links", written.follow_links.is_some()),
        ] {
            if is_written {
                self.wrong(
                    key,
                    format!("`{key}` is for a folder, and not for one file"),
                );
            }
        }
    }

    fn index_files(&mut self, written: Option<&[String]>) -> Vec<String> {
        let Some(names) = written else {
            return vec![INDEX_FILE.to_owned()];
        };
        for name in names {
            if !is_servable(name) {
                let message = format!(
                    "`{name}` is no index file: that is a name without slashes, such as \
                     `index.html`, which does not begin with a dot"
                );
                self.wrong("index_files", message);
            }
        }
        names.to_vec()
    }

    fn cache_control(&mut self, written: Option<&str>) -> HeaderValue {
        let Some(written) = written else {
            return CACHE_CONTROL;
        };
        HeaderValue::from_str(written).unwrap_or_else(|_| {
            let message = format!("`{}` can be no header", written.escape_debug());
            self.wrong("cache_control", message);
            CACHE_CONTROL
        })
    }

    fn content_types(&mut self, written: Option<&Types>) -> ContentTypes {
        let Some(written) = written else {
            return ContentTypes::default();
        };
        let mut checked = |written: &str| {
            let header = HeaderValue::from_str(written).ok();
            let header = header.filter(|_| MediaType::parse(written).is_ok());
            if header.is_none() {
                let message = format!(
                    "`{}` is no type of a file, such as `text/markdown; charset=utf-8`",
                    written.escape_debug()
                );
                self.wrong("mimetype", message);
            }
            header
        };
        let all = written.all.as_deref().and_then(&mut checked);
        let by_extension: BTreeMap<_, _> = written
            .by_extension
            .iter()
            .filter_map(|(extension, written)| {
                let extension = extension.trim_start_matches('.').to_lowercase();
                Some((extension, checked(written)?))
            })
            .collect();
        ContentTypes { all, by_extension }
    }

    fn wrong(&mut self, key: &str, message: impl Into<String>) {
        self.errors.push(BuildError::WrongValue {
            message: message.into(),
            origin: (self.place)(key),
        });
    }
}

/// What is beside a missing path and has nearly its name.
fn similar(path: &Path, kind: NameKind) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let beside = std::fs::read_dir(path.parent()?).ok()?;
    let names: Vec<String> = beside
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir() == (kind == NameKind::Folder))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    nearest(name, names.iter().map(String::as_str))
}
