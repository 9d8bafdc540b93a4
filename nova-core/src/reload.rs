//! Routes and views that are read again while the app runs: on `SIGHUP`, and in `dev` on save.
//!
//! Both are read and checked together, so that a new route and the view that names it can be saved
//! in any order. With a mistake, nothing changes.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use notify::event::EventKind;
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{error, warn};

use crate::app::Core;
use crate::build_error::BuildErrors;
use crate::config::Environment;
use crate::log::Log;
use crate::router::RouteChanges;
use crate::server::Tls;

/// Editors save in several steps: so long after the first, the file is whole.
const SETTLED: Duration = Duration::from_millis(30);

/// What a reload has changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    routes: RouteChanges,
    /// The views whose text is another one, or which are new or gone.
    views: Vec<String>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.views.is_empty()
    }
}

/// The first line counts, the next ones name routes and views.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.views.is_empty(), self.routes.is_empty()) {
            (true, _) => write!(f, "{}", self.routes),
            (false, true) => write!(f, "views changed: {}", self.views.join(", ")),
            (false, false) => {
                write!(
                    f,
                    "{}\nviews changed: {}",
                    self.routes,
                    self.views.join(", ")
                )
            }
        }
    }
}

impl Core {
    /// Reads the router file and the views again. It blocks for as long as that takes.
    ///
    /// # Errors
    /// All that is wrong with them; nothing has changed then.
    pub(crate) fn reload(&self) -> Result<Changes, BuildErrors> {
        let router = &self.shared.router;
        let old = self.parts.views.load();
        let (routes, views) = router.reload_with(|errors| old.read_again(errors))?;
        let changed = views.differences(&old);
        if !changed.is_empty() {
            self.parts
                .views
                .store(Arc::new(views.with_paths_of(router, "")));
        }
        Ok(Changes {
            routes,
            views: changed,
        })
    }
}

/// What reloads an app. It notices what is saved from the moment it is made.
pub(crate) struct Reloading {
    core: Arc<Core>,
    saves: mpsc::Receiver<()>,
    tls: Option<Arc<Tls>>,
    /// `None` where nothing tells of saves.
    _watcher: Option<RecommendedWatcher>,
}

impl Reloading {
    /// Watches the files of the app, in `dev`. Where there is a certificate, it is read again, too, when
    /// somebody asks.
    pub(crate) fn of(core: &Arc<Core>, tls: Option<&Arc<Tls>>) -> Self {
        let (saved, saves) = mpsc::channel(1);
        Reloading {
            core: Arc::clone(core),
            saves,
            tls: tls.cloned(),
            _watcher: match core.config.environment {
                Environment::Dev => watch(core, saved),
                Environment::Prod => None,
            },
        }
    }

    /// Reloads whenever `asked` says so, and when a file is saved. It never ends.
    pub(crate) async fn run(mut self, log: &Log, mut asked: mpsc::Receiver<()>) {
        let mut failed_before = false;
        loop {
            let asked = tokio::select! {
                Some(()) = asked.recv() => true,
                Some(()) = self.saves.recv() => {
                    sleep(SETTLED).await;
                    let _ = self.saves.try_recv();
                    false
                }
                else => return std::future::pending().await,
            };
            let reloaded = {
                let core = Arc::clone(&self.core);
                spawn_blocking(move || core.reload()).await
            };
            match reloaded {
                Ok(Ok(changes)) => {
                    if asked || failed_before || !changes.is_empty() {
                        log.tell(&format!("reloaded: {changes}"));
                    }
                    failed_before = false;
                }
                Ok(Err(mistakes)) => {
                    log.say_error(&format!("nothing is reloaded\n\n{mistakes}"));
                    failed_before = true;
                }
                Err(panicked) => error!("a reload panicked: {panicked}"),
            }
            if asked && let Some(tls) = &self.tls {
                let tls = Arc::clone(tls);
                match spawn_blocking(move || tls.reload()).await {
                    Ok(Ok(Some(until))) => {
                        log.tell(&format!(
                            "the certificate is renewed, and good until {until}"
                        ));
                    }
                    Ok(Ok(None)) => log.tell("the certificate is the same"),
                    Ok(Err(wrong)) => {
                        log.say_error(&format!("the certificate stays as it was: {wrong}"));
                    }
                    Err(panicked) => error!("to read the certificate panicked: {panicked}"),
                }
            }
        }
    }
}

/// Tells `saved` of changes in the folders of the router file and the views; `None` if nothing
/// tells of them.
fn watch(core: &Core, saved: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let router_file = core.shared.router.file().map(absolute);
    let views = core.parts.views.load().folder().map(absolute);
    let folder = router_file.as_ref().and_then(|file| file.parent());
    let folder = folder.map(|folder| (folder.to_path_buf(), RecursiveMode::NonRecursive));
    let below_views = views.clone().map(|views| (views, RecursiveMode::Recursive));
    let folders: Vec<_> = folder.into_iter().chain(below_views).collect();
    if folders.is_empty() {
        return None;
    }
    let is_ours = move |event: &Event| {
        let ours = |path: &PathBuf| {
            router_file.as_ref() == Some(path)
                || views.as_ref().is_some_and(|views| path.starts_with(views))
        };
        !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(ours)
    };
    let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| is_ours(&event)) {
            // When one word waits already, it stands for this one too.
            let _ = saved.try_send(());
        }
    });
    let watching = watcher.and_then(|mut watcher| {
        for (folder, mode) in &folders {
            watcher.watch(folder, *mode)?;
        }
        Ok(watcher)
    });
    watching
        .inspect_err(|error| warn!("changes of routes and views are not noticed: {error}"))
        .ok()
}

/// As the events have their paths.
fn absolute(path: &std::path::Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}
