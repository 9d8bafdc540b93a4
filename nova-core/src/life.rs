//! The life of a served app: what runs, and how it comes to an end.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::stopping::Stopping;

/// How long what is cut may take to notice.
const CUTTING: Duration = Duration::from_secs(1);

/// Connections and what they run, and the two words that they obey: finish, and be cut.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    stopping: Stopping,
    cut: Stopping,
    tasks: TaskTracker,
}

impl Life {
    pub(crate) fn new() -> Self {
        Life {
            stopping: Stopping::new(),
            cut: Stopping::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Tells when to finish.
    pub(crate) fn stopping(&self) -> Stopping {
        self.stopping.clone()
    }

    /// Runs `task` in the background, until it ends or is cut.
    pub(crate) fn track(&self, task: impl Future<Output = ()> + Send + 'static) {
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = task => {}
                () = cut.wait() => {}
            }
        });
    }

    /// Tells everything to finish, waits at most `limit` for it, and cuts the rest.
    pub(crate) async fn end(&self, limit: Duration) {
        self.stopping.stop();
        self.tasks.close();
        if timeout(limit, self.tasks.wait()).await.is_err() {
            warn!(
                "{} connections did not finish within {limit:?} and are cut",
                self.tasks.len()
            );
            self.cut.stop();
            // What blocks its thread cannot be cut, and shall not keep the app from ending.
            let _ = timeout(CUTTING, self.tasks.wait()).await;
        }
    }

    /// Tells everything to finish, without waiting.
    pub(crate) fn abandon(&self) {
        self.stopping.stop();
        self.cut.stop();
    }
}
