//! Files that clients have sent, on the disk.
//!
//! Every call to the file system runs on the threads for blocking work, the deletion included.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::error::{Error, Result};

/// What is gathered before it is written.
const BUFFER: usize = 64 * 1024;

/// A file that a client has sent, from [`Part::save`](crate::Part::save). It is temporary: it is
/// deleted when this is dropped, unless [`persist`](Self::persist) keeps it.
///
/// It stands in the folder for temporary files of the operating system, which `TMPDIR` names on
/// Unix, and only the user whom the app runs as can read it.
#[derive(Debug)]
pub struct UploadedFile {
    file: Temporary,
    size: u64,
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct Upload {
    file: Temporary,
    writer: BufWriter<tokio::fs::File>,
    size: u64,
}

/// A file that is deleted when this is dropped; `None` once it was kept.
#[derive(Debug)]
struct Temporary(Option<TempPath>);

impl UploadedFile {
    /// Where it is for now.
    pub fn path(&self) -> &Path {
        match &self.file.0 {
            Some(path) => path,
            None => Path::new(""),
        }
    }

    /// How long it is, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Keeps the file as `path`, in place of what is there. Nobody ever sees half of it there.
    ///
    /// Do not make the path of what the client has sent: name the file yourself.
    ///
    /// # Errors
    /// The folder does not exist, or the file system refuses. The file is deleted then.
    ///
    /// # Cancel safety
    /// It happens, or the file is deleted, also when the future is dropped.
    pub async fn persist(mut self, path: impl Into<PathBuf>) -> Result<()> {
        let path = path.into();
        let Some(file) = self.file.0.take() else {
            return Ok(());
        };
        blocking(move || keep(file, &path)).await
    }
}

impl Upload {
    pub(crate) async fn begin() -> Result<Self> {
        let (file, path) = blocking(|| {
            let file = tempfile::Builder::new().prefix("nova-upload-").tempfile()?;
            Ok(file.into_parts())
        })
        .await?;
        Ok(Upload {
            file: Temporary(Some(path)),
            writer: BufWriter::with_capacity(BUFFER, tokio::fs::File::from_std(file)),
            size: 0,
        })
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_all(bytes).await?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    pub(crate) async fn end(mut self) -> Result<UploadedFile> {
        self.writer.flush().await?;
        Ok(UploadedFile {
            file: self.file,
            size: self.size,
        })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn_blocking(|| drop(path));
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    match spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Error::internal(
            "the app stopped before the file was written",
        )),
    }
}

fn keep(file: TempPath, path: &Path) -> io::Result<()> {
    match file.persist(path) {
        Ok(()) => Ok(()),
        Err(refused) if refused.error.kind() == io::ErrorKind::CrossesDevices => {
            copy(&refused.path, path)
        }
        Err(refused) => Err(refused.error),
    }
}

/// From one disk to another: beside its place first, so that half a file never has its name.
fn copy(file: &Path, path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let mut beside = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    io::copy(&mut fs::File::open(file)?, &mut beside)?;
    beside.persist(path).map_err(|refused| refused.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn upload(bytes: &[u8]) -> Upload {
        let mut upload = Upload::begin().await.unwrap();
        upload.write(bytes).await.unwrap();
        upload
    }

    /// Waits for the threads that delete.
    async fn is_gone(path: &Path) -> bool {
        for _ in 0..1_000 {
            if !path.exists() {
                return true;
            }
            spawn_blocking(|| ()).await.unwrap();
        }
        false
    }

    #[tokio::test]
    async fn a_file_is_deleted_with_its_value_half_written_or_whole() {
        let half = upload(b"milk").await;
        let path = half.file.0.as_ref().unwrap().to_path_buf();
        assert!(path.exists());
        drop(half);
        assert!(is_gone(&path).await);

        let whole = upload(b"milk").await.end().await.unwrap();
        let path = whole.path().to_path_buf();
        assert_eq!(
            (fs::read(&path).unwrap(), whole.size()),
            (b"milk".into(), 4)
        );
        drop(whole);
        assert!(is_gone(&path).await);
    }

    #[tokio::test]
    async fn a_kept_file_takes_its_place_and_leaves_none_behind() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("kept");
        fs::write(&place, "older").unwrap();
        let file = upload(b"milk").await.end().await.unwrap();
        let before = file.path().to_path_buf();

        file.persist(&place).await.unwrap();

        assert_eq!(fs::read(&place).unwrap(), b"milk");
        assert!(!before.exists());
        let file = upload(b"milk").await.end().await.unwrap();
        let before = file.path().to_path_buf();
        let nowhere = folder.path().join("missing").join("kept");
        assert!(file.persist(nowhere).await.is_err());
        assert!(is_gone(&before).await);
    }

    #[tokio::test]
    async fn a_file_is_copied_to_another_disk() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("kept");
        let file = upload(b"milk").await.end().await.unwrap();

        copy(file.path(), &place).unwrap();

        assert_eq!(fs::read(&place).unwrap(), b"milk");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
