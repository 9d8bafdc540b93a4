//! The life of plugins: each value is initialised once, and stopped once.
//!
//! A table of routes holds the values that it runs. When a reload has taken one out, it stops with
//! the last request that still holds a table with it; when the app stops, they all do.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nova_pubsub::PubSub;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

use super::NamedPlugin;
use crate::build_error::BuildError;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::origin::Origin;
use crate::panic;

/// What a plugin gets of its app, to [get ready](crate::Plugin::init) with.
#[derive(Debug, Clone)]
pub struct PluginContext {
    config: Config,
    pubsub: PubSub,
}

impl PluginContext {
    pub(crate) fn new(config: &Config, pubsub: &PubSub) -> Self {
        PluginContext {
            config: config.clone(),
            pubsub: pubsub.clone(),
        }
    }

    /// The settings in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The pub/sub of the app, with this plugin as the sender.
    pub fn pubsub(&self) -> PubSub {
        self.pubsub.new_sender()
    }
}

/// A plugin could not get ready, so the app does not serve.
#[derive(Debug)]
pub struct PluginFailed {
    name: Arc<str>,
    origin: Origin,
    source: Error,
}

impl fmt::Display for PluginFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PluginFailed {
            name,
            origin,
            source,
        } = self;
        write!(f, "{origin}: the plugin `{name}` does not start: {source}")
    }
}

impl std::error::Error for PluginFailed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.source()
    }
}

impl From<PluginFailed> for BuildError {
    fn from(failed: PluginFailed) -> Self {
        let PluginFailed {
            name,
            origin,
            source,
        } = failed;
        BuildError::WrongValue {
            message: format!("the plugin `{name}` does not start: {source}"),
            origin,
        }
    }
}

/// What the plugins of a served app live in.
#[derive(Debug, Clone)]
pub(crate) struct PluginLife {
    context: PluginContext,
    /// Where plugins stop that a reload has taken out.
    runtime: Handle,
    /// A stopping app waits for those.
    tasks: TaskTracker,
}

impl PluginLife {
    /// # Panics
    /// Outside a tokio runtime.
    pub(crate) fn new(context: PluginContext, tasks: &TaskTracker) -> Self {
        PluginLife {
            context,
            runtime: Handle::current(),
            tasks: tasks.clone(),
        }
    }

    /// Initialises those of `plugins` that are not among the `running` ones. What was begun stops
    /// again if one fails.
    pub(crate) fn begin<'p>(
        &self,
        plugins: impl IntoIterator<Item = &'p NamedPlugin>,
        running: &[Arc<Running>],
    ) -> Result<Vec<Arc<Running>>, PluginFailed> {
        let mut begun: Vec<Arc<Running>> = Vec::new();
        for plugin in plugins {
            let known = |list: &[Arc<Running>]| {
                let mut list = list.iter();
                list.find(|one| one.plugin.is(plugin)).map(Arc::clone)
            };
            if known(&begun).is_some() {
                continue;
            }
            let one = match known(running) {
                Some(one) => one,
                None => Arc::new(Running::begin(plugin, self)?),
            };
            begun.push(one);
        }
        Ok(begun)
    }
}

/// A plugin that is ready. It stops when nobody holds it any more, if it was not stopped before.
#[derive(Debug)]
pub(crate) struct Running {
    plugin: NamedPlugin,
    life: PluginLife,
    stopped: AtomicBool,
}

impl Running {
    fn begin(plugin: &NamedPlugin, life: &PluginLife) -> Result<Self, PluginFailed> {
        let init = AssertUnwindSafe(|| plugin.code.init(&life.context));
        let begun = catch_unwind(init).unwrap_or_else(|panic| {
            let message = panic::message(&*panic);
            Err(Error::internal(format!("it panicked: {message}")))
        });
        match begun {
            Ok(()) => Ok(Running {
                plugin: plugin.clone(),
                life: life.clone(),
                stopped: AtomicBool::new(false),
            }),
            Err(source) => Err(PluginFailed {
                name: Arc::clone(&plugin.name),
                origin: plugin.origin.clone(),
                source,
            }),
        }
    }

    /// Stops all of them, the last one first. Together they have `limit`.
    pub(crate) async fn stop_all(running: &[Arc<Running>], limit: Duration) {
        let end = Instant::now() + limit;
        for one in running.iter().rev() {
            if !one.stopped.swap(true, Ordering::AcqRel)
                && timeout_at(end, stop(&one.plugin)).await.is_err()
            {
                warn!("the plugin `{}` did not stop in time", one.plugin.name);
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.stopped.swap(true, Ordering::AcqRel) {
            let plugin = self.plugin.clone();
            let stop = async move { stop(&plugin).await };
            self.life.tasks.spawn_on(stop, &self.life.runtime);
        }
    }
}

async fn stop(plugin: &NamedPlugin) {
    // The call itself is inside: it may panic before there is a future.
    if let Err(panic) = panic::catch(async { plugin.code.stop().await }).await {
        error!(
            "the plugin `{}` panicked while it stopped: {panic}",
            plugin.name
        );
    }
}
