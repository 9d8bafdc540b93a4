//! The `timeout` plugin: how long an answer may take to begin.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use super::{Flow, Plugin, PluginInfo};
use crate::config::some_time;
use crate::error::{Error, Result};
use crate::request::{Head, Request};

/// Answers 503 when a request takes too long.
///
/// It is registered as `timeout`. In the router file:
///
/// ```toml
/// plugins = [["timeout", { after = "10s" }]]
/// ```
///
/// The time counts from this plugin on, and for what comes behind it: the plugins before the
/// controller, the security function, the controller and the rendering of its reply; for a socket,
/// up to the switch of protocols. What is late is dropped, as it is when a client hangs up;
/// [`Head::complete`](crate::Head::complete) goes on. A body that has begun to stream, and an open
/// socket, are never cut. Of several of these plugins, the one that is due first counts.
///
/// 503 (RFC 9110 §15.6.4), and not 504, which is a gateway's word for the server behind it.
#[derive(Debug)]
pub struct TimeoutPlugin {
    options: TimeoutOptions,
}

/// The options of the `timeout` plugin.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutOptions {
    /// How long a request may take. **Default:** `"30s"`.
    #[serde(deserialize_with = "some_time")]
    pub after: Duration,
}

impl Default for TimeoutOptions {
    fn default() -> Self {
        TimeoutOptions {
            after: Duration::from_secs(30),
        }
    }
}

impl TimeoutPlugin {
    /// The plugin with these options, for [`Group::plugin`](crate::Group::plugin).
    pub fn new(options: TimeoutOptions) -> Self {
        TimeoutPlugin { options }
    }
}

impl Plugin for TimeoutPlugin {
    async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
        let due = Instant::now() + self.options.after;
        let due = Deadline::of(request).map_or(due, |Deadline(first)| first.min(due));
        request.extensions_mut().insert(Deadline(due));
        Ok(Flow::Continue)
    }

    fn info(&self) -> PluginInfo {
        let description = "answers 503 when a request takes too long";
        PluginInfo::built_in("Timeout", description, &self.options)
    }
}

/// When a request has to be answered, among its extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// `None` where no `timeout` runs, which costs nothing.
    pub(crate) fn of(head: &Head) -> Option<Self> {
        head.extensions().get().copied()
    }

    /// Does `work`, until it is too late.
    pub(crate) async fn within<T, E: From<Error>>(
        self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match timeout_at(self.0, work).await {
            Ok(done) => done,
            Err(_) => Err(Error::new(503, "the answer took too long").into()),
        }
    }
}
