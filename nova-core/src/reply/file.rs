//! A file as a reply: opened when the reply is rendered, and read while it is sent.

use std::io::{self, ErrorKind, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use http::HeaderValue;
use tokio::io::AsyncReadExt;

use crate::error::{Error, Result};
use crate::response::ResponseBody;

/// How much of a file is in memory at once.
const CHUNK: u64 = 64 * 1024;

#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) offset: u64,
    /// `None` for all the rest.
    pub(super) length: Option<u64>,
}

impl File {
    pub(super) fn new(path: PathBuf) -> Self {
        File {
            path,
            offset: 0,
            length: None,
        }
    }

    pub(super) fn content_type(&self) -> HeaderValue {
        content_type(&self.path)
    }

    /// Opens the file. Nothing is read yet; a `HEAD` never does.
    ///
    /// # Errors
    /// 404 if there is none of this name, and 500 if it is no file or cannot be read.
    pub(super) async fn open(self) -> Result<ResponseBody> {
        let File {
            path,
            offset,
            length,
        } = self;
        let opening = tokio::task::spawn_blocking(move || {
            let opened = open(&path, offset, length);
            (path, opened)
        });
        let (path, opened) = opening.await?;
        let (file, length) = opened.map_err(|error| failed(&path, &error))?;
        let file = tokio::fs::File::from_std(file);
        Ok(ResponseBody::of_length(chunks(file, length, path), length))
    }
}

/// The type of a file, by the end of its name; what is text is taken for UTF-8.
pub(crate) fn content_type(path: &Path) -> HeaderValue {
    let kind = mime_guess::from_path(path).first_raw();
    let kind = kind.unwrap_or("application/octet-stream");
    let named = match kind.starts_with("text/") {
        true => HeaderValue::try_from(format!("{kind}; charset=utf-8")),
        false => Ok(HeaderValue::from_static(kind)),
    };
    named.expect("the types of the list are header values")
}

/// The file, at the place where reading begins, and how many bytes to read.
fn open(path: &Path, offset: u64, length: Option<u64>) -> io::Result<(std::fs::File, u64)> {
    // Before it is opened: opening a pipe would wait for somebody to write into it.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut file = std::fs::File::open(path)?;
    let rest = file.metadata()?.len().saturating_sub(offset);
    if offset > 0 && rest > 0 {
        file.seek(SeekFrom::Start(offset))?;
    }
    Ok((file, length.unwrap_or(rest).min(rest)))
}

fn failed(path: &Path, error: &io::Error) -> Error {
    let failed = Error::internal(format!("`{}` cannot be sent: {error}", path.display()));
    match error.kind() {
        // The last two: a name that no file can have, as one with a NUL in it.
        ErrorKind::NotFound
        | ErrorKind::NotADirectory
        | ErrorKind::InvalidInput
        | ErrorKind::InvalidFilename => failed.with_status(404),
        _ => failed,
    }
}

/// The next `length` bytes of a file, a piece at a time.
pub(crate) fn chunks(
    file: tokio::fs::File,
    length: u64,
    path: PathBuf,
) -> impl Stream<Item = Result<Bytes>> + Send {
    stream::try_unfold((file, length, path), |(mut file, left, path)| async move {
        if left == 0 {
            return Ok(None);
        }
        let chunk = next_chunk(&mut file, left, &path).await?;
        let left = left - chunk.len() as u64;
        Ok(Some((chunk, (file, left, path))))
    })
}

/// The next piece of a file, of which `left` bytes are to come.
///
/// # Errors
/// 500 if there are none, or if it cannot be read.
pub(crate) async fn next_chunk(
    file: &mut tokio::fs::File,
    left: u64,
    path: &Path,
) -> Result<Bytes> {
    let most = left.min(CHUNK);
    let mut chunk = BytesMut::with_capacity(most as usize);
    if file.take(most).read_buf(&mut chunk).await? == 0 {
        return Err(has_become_shorter(path));
    }
    Ok(chunk.freeze())
}

pub(crate) fn has_become_shorter(path: &Path) -> Error {
    let path = path.display();
    Error::internal(format!("`{path}` has become shorter while it was sent"))
}
