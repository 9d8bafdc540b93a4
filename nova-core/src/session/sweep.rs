//! The service that removes ended sessions from an app's own store.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, warn};

use super::sessions::Sessions;
use crate::error::Result;
use crate::service::{Service, ServiceContext};

/// How long ended sessions stay in a store, at most. Nobody gets in with one meanwhile.
const PAUSE: Duration = Duration::from_secs(10 * 60);

/// The service `sessions` of an app with a store of its own.
pub(crate) struct Sweep(pub(crate) Arc<Sessions>);

impl Service for Sweep {
    async fn run(&self, context: ServiceContext) -> Result<()> {
        loop {
            match self.0.sweep().await {
                Ok(0) => {}
                Ok(number) => debug!("{number} ended sessions were removed from their store"),
                // The app can go on without, and a database that is away comes back.
                Err(error) => warn!("ended sessions stay in their store: {error}"),
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = context.stopping().wait() => return Ok(()),
            }
        }
    }
}
