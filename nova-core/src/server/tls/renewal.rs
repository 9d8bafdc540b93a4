//! Certificates live for weeks. When their files change, they are read again.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::EventKind;
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{Mutex, mpsc};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{error, info, warn};

use super::certificate::Certificate;
use crate::config::TlsConfig;

/// Two files change, one after the other: so long after the last, both are whole.
const SETTLED: Duration = Duration::from_secs(1);

/// For a folder in which there is always something new, this is long enough.
const SETTLED_AT_LAST: Duration = Duration::from_secs(10);
/// More links than this, one to another, the system does not follow either.
const MOST_LINKS: usize = 40;

/// What notices that the files change, from the moment it is made.
pub(super) struct Renewal {
    /// A tokio mutex: the one who renews holds it.
    changes: Mutex<mpsc::Receiver<()>>,
    /// `None` where nothing tells of changes.
    _watcher: Option<RecommendedWatcher>,
}

impl Renewal {
    /// Watches the folders of these files, for the files may be links that are set anew.
    pub(super) fn of(files: &TlsConfig) -> Self {
        let (changed, changes) = mpsc::channel(1);
        let files = [&files.certificate, &files.key].into_iter().flatten();
        let files: Vec<PathBuf> = files.cloned().collect();
        let mut folders: Vec<PathBuf> = Vec::new();
        for file in &files {
            let folder = folder(file).to_path_buf();
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| is_about(&event, &files)) {
                // When one word waits already, it stands for this one too.
                let _ = changed.try_send(());
            }
        });
        let watching = watcher.and_then(|mut watcher| {
            for folder in folders.iter().filter(|folder| folder.is_dir()) {
                watcher.watch(folder, RecursiveMode::NonRecursive)?;
            }
            Ok(watcher)
        });
        let watcher = watching.inspect_err(|error| {
            warn!("a renewed certificate is not noticed, but read on SIGHUP: {error}");
        });
        Renewal {
            changes: Mutex::new(changes),
            _watcher: watcher.ok(),
        }
    }

    /// As [`Tls::renew`](super::Tls::renew).
    pub(super) async fn run(&self, certificate: &Arc<Certificate>) {
        let mut changes = self.changes.lock().await;
        while changes.recv().await.is_some() {
            settle(&mut changes).await;
            let certificate = Arc::clone(certificate);
            match spawn_blocking(move || certificate.reload()).await {
                Ok(Ok(Some(until))) => info!("the certificate is renewed, and good until {until}"),
                Ok(Ok(None)) => {}
                Ok(Err(wrong)) => error!("the certificate stays as it was: {wrong}"),
                Err(panicked) => error!("to read the certificate panicked: {panicked}"),
            }
        }
        std::future::pending().await
    }
}

/// Waits until nothing has changed for a while, but not for ever.
async fn settle(changes: &mut mpsc::Receiver<()>) {
    let settled = async { while let Ok(Some(())) = timeout(SETTLED, changes.recv()).await {} };
    let _ = timeout(SETTLED_AT_LAST, settled).await; // it has settled, or it never does
}

fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Whether one of these files may be another now. Others come and go beside them: logs, challenges, temporary files.
fn is_about(event: &Event, files: &[PathBuf]) -> bool {
    if matches!(event.kind, EventKind::Access(_)) {
        return false;
    }
    // Of what was missed, no path is known.
    event.paths.is_empty()
        || files.iter().any(|file| {
            let names = names(file);
            let mut changed = event.paths.iter().filter_map(|path| path.file_name());
            changed.any(|changed| names.iter().any(|name| name == changed))
        })
}

/// What decides in the folder of a file which one it is: its name, and those that it leads to as a link, such as
/// the `..data` of Kubernetes.
fn names(file: &Path) -> Vec<OsString> {
    let folder = folder(file);
    let mut names: Vec<OsString> = file.file_name().map(OsString::from).into_iter().collect();
    let mut at = file.to_path_buf();
    while names.len() <= MOST_LINKS
        && let Ok(target) = fs::read_link(&at)
    {
        let target = folder.join(target);
        let Some(Component::Normal(name)) = target
            .strip_prefix(folder)
            .ok()
            .and_then(|inside| inside.components().next())
        else {
            break; // it leads elsewhere
        };
        names.push(name.to_os_string());
        at = folder.join(name);
    }
    names
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewal")
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn changes_without_end_do_not_put_a_renewal_off_for_ever() {
        let (changed, mut changes) = mpsc::channel(1);
        tokio::spawn(async move {
            while changed.send(()).await.is_ok() {
                sleep(Duration::from_millis(500)).await;
            }
        });
        let begun = Instant::now();
        settle(&mut changes).await;

        assert_eq!(begun.elapsed(), SETTLED_AT_LAST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_waits_until_both_files_are_there() {
        let (changed, mut changes) = mpsc::channel(1);
        tokio::spawn(async move {
            sleep(Duration::from_millis(700)).await;
            changed.send(()).await.unwrap();
            std::future::pending::<()>().await;
        });
        let begun = Instant::now();
        settle(&mut changes).await;

        assert_eq!(begun.elapsed(), Duration::from_millis(1700));
    }

    #[test]
    fn only_the_files_themselves_count() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tls.crt");
        fs::write(&file, "").unwrap();
        let of = |name: &str| Event::default().add_path(folder.path().join(name));
        let files = [file.clone()];

        assert!(is_about(&of("tls.crt"), &files));
        assert!(!is_about(&of("access.log"), &files));
        assert!(!is_about(&of("..data"), &files));
        assert!(is_about(&Event::default(), &files));
    }

    #[cfg(unix)]
    #[test]
    fn the_links_that_a_file_is_found_by_count_as_well() {
        use std::os::unix::fs::symlink;

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tls.crt");
        // As Kubernetes mounts a secret.
        symlink("..data/tls.crt", &file).unwrap();
        symlink("..2026_11_24", folder.path().join("..data")).unwrap();

        assert_eq!(names(&file), ["tls.crt", "..data", "..2026_11_24"]);

        let round = folder.path().join("round");
        symlink("round", &round).unwrap();
        assert_eq!(names(&round).len(), MOST_LINKS + 1);
        let outside = folder.path().join("outside");
        symlink("../elsewhere/cert.pem", &outside).unwrap();
        assert_eq!(names(&outside).first(), Some(&"outside".into()));
    }
}
