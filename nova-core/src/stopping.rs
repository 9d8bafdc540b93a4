//! The word that the app stops.

use tokio_util::sync::CancellationToken;

/// Tells services and connections when the app stops. Clones tell the same.
#[derive(Debug, Clone)]
pub struct Stopping(CancellationToken);

impl Stopping {
    pub(crate) fn new() -> Self {
        Stopping(CancellationToken::new())
    }

    pub(crate) fn stop(&self) {
        self.0.cancel();
    }

    /// Waits until the app stops; returns at once if it does already.
    ///
    /// # Cancel safety
    /// It can be dropped and called again.
    pub async fn wait(&self) {
        self.0.cancelled().await;
    }

    /// Whether the app stops.
    pub fn is_stopping(&self) -> bool {
        self.0.is_cancelled()
    }
}
