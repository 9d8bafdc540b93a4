//! Unix sockets, and the files that they are found by.
//!
//! A file outlives a program that was killed, and then nobody can bind to it. So one on which nobody
//! answers is removed first; one that is no socket, or that somebody has, never is.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixSocket, UnixStream};
use tracing::{debug, info};

use super::error::Problem;
use super::{BACKLOG, Listener};

/// The file of a socket. It is removed when this is dropped, if it is still the same.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Its device and number, which no other file has while it is there.
    identity: (u64, u64),
}

/// Makes the file at `path`, with these permissions, and listens.
pub(super) async fn bind(path: &Path, mode: u32) -> Result<Listener, Problem> {
    let taken = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(system(path, &error)),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(Problem::unix(
                path,
                "there is a file which is no socket".to_owned(),
                "move it away, or choose another path for `listen` in the `[server]` table of `nova.toml`",
            ));
        }
        Ok(_) => true,
    };
    if taken {
        if is_answered(path).await {
            return Err(Problem::unix(
                path,
                "another program listens on it".to_owned(),
                "stop that program, or choose another path for `listen` in the `[server]` table of \
                 `nova.toml`",
            ));
        }
        info!("{} is left over, and removed", path.display());
        fs::remove_file(path).map_err(|error| system(path, &error))?;
    }
    // Before it listens, nobody can connect, whatever the permissions are meanwhile.
    let listening = || {
        let socket = UnixSocket::new_stream()?;
        socket.bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        let file = SocketFile::of(path)?;
        Ok((socket.listen(BACKLOG)?, file))
    };
    let (listener, file) = listening().map_err(|error| system(path, &error))?;
    Ok(Listener::unix(listener, Some(file)))
}

/// Whether a program listens. One that is too busy to take a connection does.
async fn is_answered(path: &Path) -> bool {
    match UnixStream::connect(path).await {
        Ok(_) => true,
        Err(error) => error.kind() != io::ErrorKind::ConnectionRefused,
    }
}

fn system(path: &Path, error: &io::Error) -> Problem {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let help = match error.kind() {
        io::ErrorKind::NotFound => format!("make the folder {} first", folder.display()),
        io::ErrorKind::PermissionDenied => format!(
            "let the app's user write in {}, or choose a path where it may, for `listen` in the \
             `[server]` table of `nova.toml`",
            folder.display()
        ),
        _ => "choose another path for `listen` in the `[server]` table of `nova.toml`".to_owned(),
    };
    Problem::unix(path, error.to_string(), &help)
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let file = fs::symlink_metadata(path)?;
        Ok(SocketFile {
            path: std::path::absolute(path)?,
            identity: (file.dev(), file.ino()),
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|file| (file.dev(), file.ino()) == self.identity);
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            debug!("{} stays: {error}", self.path.display());
        }
    }
}
