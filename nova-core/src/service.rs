//! Background services: workers that start with the app, are restarted when they fail, and stop
//! with it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use nova_pubsub::PubSub;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{error, info, warn};

use crate::error::Result;
use crate::panic;
use crate::protocol::BoxFuture;
use crate::server::health::Restarting;
use crate::stopping::Stopping;

/// The pause before the first restart; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// More restarts than this within [`WINDOW`] stop the app, as OTP's restart intensity does.
const MOST_RESTARTS: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);

/// A worker in the background of an app.
///
/// Services start in the order in which they are added, after the pub/sub, and stop in reverse
/// order, after the last request. One that fails or panics is started again after a pause of
/// 100 ms, which doubles up to 10 s with each time; more than 5 restarts within 60 s stop the
/// app, and its process ends with an error. One that returns `Ok` has done its work and is not
/// started again.
///
/// A worker that mirrors something joins first, and reads what it mirrors then, so that nothing
/// falls between:
///
/// ```
/// use nova_core::pubsub::Received;
/// use nova_core::{Result, Service, ServiceContext};
///
/// struct Counter;
///
/// impl Service for Counter {
///     async fn run(&self, context: ServiceContext) -> Result<()> {
///         let mut mailbox = context.pubsub().mailbox();
///         mailbox.join("notes");
///         let mut notes = 0; // or: what the database says
///         while let Some(received) = mailbox.recv().await {
///             match received {
///                 Received::Message(message) if message.topic() == "note_created" => notes += 1,
///                 Received::Message(_) => {}
///                 Received::Lagged(_) => notes = 0, // read the database again
///             }
///         }
///         Ok(())
///     }
/// }
/// ```
///
/// # Cancel safety
/// When the app stops, [`ServiceContext::stopping`] tells the service, and its mailboxes give what
/// has arrived and then end, so that a loop over one ends too. Together the services have
/// `server.shutdown_drain_timeout` to return; then they are dropped.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no service",
    label = "a service is a value that implements `nova_core::Service`",
    note = "write `impl Service for` a struct of yours, with `async fn run(&self, context: ServiceContext) -> Result<()>`"
)]
pub trait Service: Send + Sync + 'static {
    /// Works until the app stops, or until there is nothing more to do.
    ///
    /// # Errors
    /// Whatever makes it impossible to go on; it is logged, and the service started again.
    fn run(&self, context: ServiceContext) -> impl Future<Output = Result<()>> + Send;
}

/// What a [`Service`] gets of its app.
#[derive(Debug, Clone)]
pub struct ServiceContext {
    /// Its mailboxes end with the service.
    pubsub: PubSub,
    /// Everybody's.
    whole_pubsub: PubSub,
    stopping: Stopping,
}

impl ServiceContext {
    pub(crate) fn new(pubsub: &PubSub) -> Self {
        ServiceContext {
            pubsub: pubsub.scoped(),
            whole_pubsub: pubsub.clone(),
            stopping: Stopping::new(),
        }
    }

    /// The pub/sub of the app, with this service as the sender. When the service is to stop, its
    /// mailboxes give what has arrived and then `None`.
    pub fn pubsub(&self) -> &PubSub {
        &self.pubsub
    }

    /// Tells when the service should return.
    pub fn stopping(&self) -> &Stopping {
        &self.stopping
    }

    fn stop(&self) {
        self.stopping.stop();
        self.pubsub.close();
    }
}

/// The pub/sub as the first service of every app: the last to stop, and then all mailboxes end.
pub(crate) struct PubSubService;

impl Service for PubSubService {
    async fn run(&self, context: ServiceContext) -> Result<()> {
        context.stopping().wait().await;
        context.whole_pubsub.close();
        Ok(())
    }
}

/// [`Service`] with its future boxed.
pub(crate) trait ErasedService: Send + Sync {
    fn run(&self, context: ServiceContext) -> BoxFuture<'_, Result<()>>;
}

impl<S: Service> ErasedService for S {
    fn run(&self, context: ServiceContext) -> BoxFuture<'_, Result<()>> {
        Box::pin(Service::run(self, context))
    }
}

/// A service with the name that messages call it by.
pub(crate) struct NamedService {
    pub(crate) name: String,
    pub(crate) service: Arc<dyn ErasedService>,
}

impl fmt::Debug for NamedService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamedService({})", self.name)
    }
}

/// The services of a running app.
#[derive(Debug)]
pub(crate) struct Supervisor {
    running: Vec<Running>,
    failures: mpsc::Receiver<ServiceFailed>,
}

#[derive(Debug)]
struct Running {
    name: String,
    context: ServiceContext,
    task: JoinHandle<()>,
}

/// A service failed too often, so the app cannot go on.
#[derive(Debug)]
pub struct ServiceFailed {
    name: String,
    last: String,
}

impl fmt::Display for ServiceFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the service `{}` failed more than {MOST_RESTARTS} times within {} s, at last because: {}",
            self.name,
            WINDOW.as_secs(),
            self.last
        )
    }
}

impl std::error::Error for ServiceFailed {}

impl Supervisor {
    /// Starts `services` in their order, each in a task of its own.
    pub(crate) fn start(
        services: Vec<NamedService>,
        pubsub: &PubSub,
        restarting: &Arc<Restarting>,
    ) -> Self {
        let (failed, failures) = mpsc::channel(1);
        let running = services
            .into_iter()
            .map(|service| {
                let context = ServiceContext::new(pubsub);
                Running {
                    name: service.name.clone(),
                    context: context.clone(),
                    task: tokio::spawn(supervise(
                        service,
                        context,
                        Arc::clone(restarting),
                        failed.clone(),
                    )),
                }
            })
            .collect();
        Supervisor { running, failures }
    }

    /// Waits until a service has failed for good; for ever if none does.
    pub(crate) async fn failure(&mut self) -> ServiceFailed {
        match self.failures.recv().await {
            Some(failed) => failed,
            None => std::future::pending().await,
        }
    }

    /// Stops the services, the last started first; together they have `limit` to return. One that
    /// takes its time has its share of that to itself, and the rest together with the others.
    pub(crate) async fn stop(&mut self, limit: Duration) {
        let end = Instant::now() + limit;
        let mut slow = Vec::new();
        while let Some(mut service) = self.running.pop() {
            service.context.stop();
            let left = end.saturating_duration_since(Instant::now());
            let waiting = u32::try_from(self.running.len() + 1).unwrap_or(u32::MAX);
            if timeout(left / waiting, &mut service.task).await.is_err() {
                slow.push(service);
            }
        }
        for Running { name, mut task, .. } in slow {
            if timeout_at(end, &mut task).await.is_err() {
                warn!("the service `{name}` did not stop in time and is dropped");
                task.abort();
            }
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        for service in &self.running {
            service.context.stop();
        }
    }
}

async fn supervise(
    service: NamedService,
    context: ServiceContext,
    restarting: Arc<Restarting>,
    failed: mpsc::Sender<ServiceFailed>,
) {
    let NamedService { name, service } = service;
    let mut restarts: Vec<Instant> = Vec::new();
    let mut pause = FIRST_PAUSE;
    loop {
        // The call itself is inside: it may panic before there is a future.
        let run = async { service.run(context.clone()).await };
        let reason = match panic::catch(run).await {
            Ok(Ok(())) => {
                if !context.stopping.is_stopping() {
                    info!("the service `{name}` has done its work");
                }
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(panic) => format!("it panicked: {panic}"),
        };
        if context.stopping.is_stopping() {
            warn!("the service `{name}` failed while it stopped: {reason}");
            return;
        }
        let now = Instant::now();
        restarts.retain(|restart| now.duration_since(*restart) < WINDOW);
        if restarts.is_empty() {
            pause = FIRST_PAUSE;
        }
        if restarts.len() == MOST_RESTARTS {
            error!("the service `{name}` failed: {reason}");
            let _ = failed.try_send(ServiceFailed { name, last: reason }); // the first one counts
            return;
        }
        restarts.push(now);
        warn!("the service `{name}` failed and starts again in {pause:?}: {reason}");
        let _waiting = restarting.begin(&name);
        tokio::select! {
            () = sleep(pause) => {}
            () = context.stopping.wait() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
