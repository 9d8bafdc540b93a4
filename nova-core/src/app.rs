//! The app: everything that a program registers, checked and put together.

mod assembly;
mod builder;

use std::fmt;
use std::sync::Arc;

use nova_pubsub::PubSub;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::forwarded::Proxies;
use crate::layer::Layered;
use crate::mounted::Parts;
use crate::router::Router;
use crate::server::health::Health;
use crate::service::NamedService;
use crate::session::Sessions;

pub(crate) use assembly::variables;
pub use builder::AppBuilder;

/// An app that is complete and correct, ready to be served by [`run`](crate::run).
///
/// ```
/// use nova_core::{App, methods, status};
///
/// let app = App::builder()
///     .action("heartbeat", |_| async { status(200) })
///     .route(("/heartbeat", "heartbeat", methods(["get"])))
///     .build()
///     .unwrap();
/// ```
#[derive(Debug)]
pub struct App {
    pub(crate) core: Arc<Core>,
    pub(crate) services: Vec<NamedService>,
}

/// The name of the service that every app has.
const PUBSUB: &str = "pubsub";

/// What all requests of an app share.
pub(crate) struct Core {
    pub(crate) config: Config,
    /// What is around the app, if anything.
    pub(crate) layers: Option<Layered>,
    pub(crate) parts: Arc<Parts>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) health: Health,
}

/// What every request holds of its app.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) router: Router,
    pub(crate) pubsub: PubSub,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) proxies: Proxies,
    /// Work that goes on when its client has hung up.
    pub(crate) tasks: TaskTracker,
}

impl Shared {
    pub(crate) fn new(config: &Config, router: Router, sessions: Sessions) -> Self {
        Shared {
            router,
            pubsub: PubSub::new(),
            sessions: Arc::new(sessions),
            proxies: Proxies::new(&config.server),
            tasks: TaskTracker::new(),
        }
    }

    /// Runs `work` in a task of its own, and gives what comes of it: that who asks is dropped with a
    /// client does not end it.
    ///
    /// # Panics
    /// If `work` does, with the same message.
    pub(crate) fn complete<T, F>(
        &self,
        work: F,
    ) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let task = self.tasks.spawn(work.in_current_span());
        async {
            match task.await {
                Ok(result) => result,
                Err(stopped) => match stopped.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => Err(Error::internal("the app stopped before the work was done")),
                },
            }
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl App {
    /// Begins an app, with what every app has: the plugins that come with Nova, which lists can
    /// name, the pub/sub, and the default settings.
    pub fn builder() -> AppBuilder {
        AppBuilder::new()
    }

    /// The settings in force.
    pub fn config(&self) -> &Config {
        &self.core.config
    }

    /// The routes, which can be listed, explained and changed.
    pub fn router(&self) -> &Router {
        &self.core.shared.router
    }

    /// The pub/sub. It works from the moment the app is built.
    pub fn pubsub(&self) -> &PubSub {
        &self.core.shared.pubsub
    }
}
