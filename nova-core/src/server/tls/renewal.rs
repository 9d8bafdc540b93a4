//! Certificates live for weeks. When their files change, they are read again.

use std::fmt;
use std::path::{Path, PathBuf};
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
        let mut folders: Vec<PathBuf> = Vec::new();
        for file in [&files.certificate, &files.key].into_iter().flatten() {
            let folder = match file.parent() {
                Some(folder) if folder != Path::new("") => folder.to_path_buf(),
                _ => PathBuf::from("."),
            };
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| !matches!(event.kind, EventKind::Access(_))) {
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
            while let Ok(Some(())) = timeout(SETTLED, changes.recv()).await {}
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

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewal")
    }
}
