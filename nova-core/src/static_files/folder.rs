//! Opens what is below a folder, and nothing else.
//!
//! The folder is opened anew for each request, for a build may replace it, and everything is opened
//! relative to that handle: a link that somebody swaps in at the wrong moment leads nowhere.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use cap_fs_ext::{
    FollowSymlinks, OpenOptionsFollowExt, OpenOptionsMaybeDirExt, OpenOptionsSyncExt,
};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};

use crate::error::Error;

#[derive(Debug)]
pub(super) struct Folder {
    /// Absolute.
    pub(super) path: PathBuf,
    /// Whether links may lead out of it.
    pub(super) follow_links: bool,
}

/// A folder that is open.
pub(super) struct Root<'f> {
    path: &'f Path,
    /// What everything is opened below; `None` if links may lead anywhere.
    closed: Option<Dir>,
}

/// What a path leads to.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart where it is found"
)]
pub(super) enum Found {
    File(Opened),
    Folder,
}

/// A regular file, opened for reading.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) metadata: Metadata,
    /// Where it is, for the log.
    pub(super) path: PathBuf,
}

impl Folder {
    pub(super) fn open(&self) -> io::Result<Root<'_>> {
        let closed = match self.follow_links {
            true => None,
            false => Some(Dir::open_ambient_dir(&self.path, ambient_authority())?),
        };
        Ok(Root {
            path: &self.path,
            closed,
        })
    }
}

impl Root<'_> {
    /// What is at `path`, which has plain names only.
    ///
    /// # Errors
    /// `NotFound` also for what is neither a file nor a folder, and for what a link hides.
    pub(super) fn find(&self, path: &Path) -> io::Result<Found> {
        let (file, path) = match &self.closed {
            Some(folder) => {
                let real = real(folder, path)?;
                (open_below(folder, &real)?, self.path.join(real))
            }
            None => {
                let path = self.path.join(path);
                (open_anywhere(&path)?, path)
            }
        };
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Ok(Found::Folder);
        }
        if !metadata.is_file() {
            return Err(no_file());
        }
        Ok(Found::File(Opened {
            file,
            metadata,
            path,
        }))
    }

    /// The names of what is in the folder at `path`, at most `most` of them; and whether these are
    /// all.
    pub(super) fn names(&self, path: &Path, most: usize) -> io::Result<(Vec<String>, bool)> {
        let names: Box<dyn Iterator<Item = io::Result<OsString>>> = match &self.closed {
            Some(folder) => {
                let entries = folder.read_dir(real(folder, path)?)?;
                Box::new(entries.map(|entry| Ok(entry?.file_name())))
            }
            None => {
                let entries = std::fs::read_dir(self.path.join(path))?;
                Box::new(entries.map(|entry| Ok(entry?.file_name())))
            }
        };
        let mut listed = Vec::new();
        for name in names {
            // A name that is no UTF-8 cannot be asked for.
            let Ok(name) = name?.into_string() else {
                continue;
            };
            if listed.len() == most {
                return Ok((listed, false));
            }
            listed.push(name);
        }
        Ok((listed, true))
    }
}

/// The path without links. A link may not show what could not be asked for by its own name.
fn real(folder: &Dir, path: &Path) -> io::Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Ok(PathBuf::from("."));
    }
    let real = folder.canonicalize(path)?;
    let is_hidden = real.components().any(|part| match part {
        Component::Normal(name) => name.as_encoded_bytes().starts_with(b"."),
        _ => false,
    });
    match is_hidden {
        true => Err(no_file()),
        false => Ok(real),
    }
}

fn open_below(folder: &Dir, path: &Path) -> io::Result<File> {
    let metadata = folder.symlink_metadata(path)?;
    if !metadata.is_dir() && !metadata.is_file() {
        return Err(no_file());
    }
    let mut options = options();
    options.follow(FollowSymlinks::No);
    Ok(folder.open_with(path, &options)?.into_std())
}

fn open_anywhere(path: &Path) -> io::Result<File> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_dir() && !metadata.is_file() {
        return Err(no_file());
    }
    let file = cap_std::fs::File::open_ambient_with(path, &options(), ambient_authority())?;
    Ok(file.into_std())
}

/// Should a file become a pipe before it is opened, nobody waits for its writer.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).nonblock(true).maybe_dir(true);
    options
}

fn no_file() -> io::Error {
    io::Error::new(
        ErrorKind::NotFound,
        "it is no file and no folder to be sent",
    )
}

/// The answer for what cannot be opened: a 404 for what is not there, or not for this client.
pub(super) fn failed(path: &Path, error: io::Error) -> Error {
    let is_absent = match error.kind() {
        ErrorKind::NotFound
        | ErrorKind::NotADirectory
        // Also: a link leads out of the folder.
        | ErrorKind::PermissionDenied
        // A name that no file can have.
        | ErrorKind::InvalidInput
        | ErrorKind::InvalidFilename => true,
        _ => is_loop(&error),
    };
    let failed = Error::internal(format!("`{}` cannot be sent: {error}", path.display()));
    match is_absent {
        true => failed.with_status(404),
        false => failed,
    }
}

#[cfg(unix)]
fn is_loop(error: &io::Error) -> bool {
    rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::LOOP)
}

#[cfg(not(unix))]
fn is_loop(_error: &io::Error) -> bool {
    false
}

impl Opened {
    /// When it was changed, in whole seconds, as headers have it; `None` for a time that no header can
    /// have, or that has not come yet (RFC 9110 §8.8.2.1).
    pub(super) fn modified(&self) -> Option<SystemTime> {
        let modified = self.metadata.modified().ok()?;
        let since = modified.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let is_past = modified <= SystemTime::now();
        is_past.then(|| SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs()))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn opening_a_pipe_does_not_wait_for_its_writer() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());

        // As if it had been a file when it was looked at.
        let opened = cap_std::fs::File::open_ambient_with(&pipe, &options(), ambient_authority());
        assert!(!opened.unwrap().metadata().unwrap().is_file());
    }
}
