//! `/health/live` and `/health/ready`: whether the process answers, and whether it should get requests.
//!
//! They are for what watches over the app, which asks every few seconds: a supervisor, a load balancer.
//! So they are answered before plugins, sessions and the log, and say which of the app's parts is not
//! ready, but not why, outside `dev`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use http::{HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use crate::config::{Config, Environment};
use crate::error::Result;
use crate::life::Life;
use crate::panic;
use crate::protocol::BoxFuture;
use crate::response::{self, Response};

/// How long the results of checks count: however many ask, the database is asked once a second.
const RECENT: Duration = Duration::from_secs(1);

/// What one of the two paths asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    Live,
    Ready,
}

impl Probe {
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path.strip_prefix("/health/")? {
            "live" => Some(Probe::Live),
            "ready" => Some(Probe::Ready),
            _ => None,
        }
    }
}

/// Something that has to be well before the app is ready.
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) run: Box<dyn Fn() -> BoxFuture<'static, Result<()>> + Send + Sync>,
}

/// The services that wait to start again. A std mutex: no guard lives across an `.await`.
#[derive(Debug, Default)]
pub(crate) struct Restarting(Mutex<BTreeSet<String>>);

/// What an app knows of whether it is well.
#[derive(Debug)]
pub(crate) struct Health {
    checks: Vec<Check>,
    limit: Duration,
    environment: Environment,
    pub(crate) restarting: Arc<Restarting>,
    /// A tokio mutex: it is held while checks run, so that they run once for all who ask.
    checked: tokio::sync::Mutex<Checked>,
}

/// What the checks have said last.
#[derive(Debug, Default)]
struct Checked {
    at: Option<Instant>,
    failures: Vec<CheckFailed>,
}

#[derive(Debug)]
struct CheckFailed {
    name: String,
    why: String,
}

/// Why an app should get no requests.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Reason {
    Stopping,
    Service {
        name: String,
    },
    Check {
        name: String,
        /// In `dev` only: it may tell of addresses and passwords.
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
}

#[derive(Serialize)]
struct Status {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<Reason>,
}

impl Health {
    pub(crate) fn new(checks: Vec<Check>, config: &Config) -> Self {
        Health {
            checks,
            limit: config.server.health_timeout,
            environment: config.environment,
            restarting: Arc::default(),
            checked: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) async fn answer(&self, probe: Probe, method: &Method, life: &Life) -> Response {
        if method != Method::GET && method != Method::HEAD {
            let mut response = response::empty(StatusCode::METHOD_NOT_ALLOWED);
            let allow = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(header::ALLOW, allow);
            return response;
        }
        let reasons = match probe {
            Probe::Live => Vec::new(),
            Probe::Ready => self.reasons(life).await,
        };
        let (code, status) = match (probe, reasons.is_empty()) {
            (Probe::Live, _) => (StatusCode::OK, "live"),
            (Probe::Ready, true) => (StatusCode::OK, "ready"),
            (Probe::Ready, false) => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
        };
        let json = serde_json::to_vec(&Status { status, reasons });
        let mut response = response::empty(code);
        if method == Method::GET {
            *response.body_mut() = json.expect("text serialises").into();
        }
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        let no_store = HeaderValue::from_static("no-store");
        headers.insert(header::CACHE_CONTROL, no_store);
        response
    }

    async fn reasons(&self, life: &Life) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if life.is_leaving() {
            reasons.push(Reason::Stopping);
        }
        let restarting = self.restarting.names().into_iter();
        reasons.extend(restarting.map(|name| Reason::Service { name }));
        if self.checks.is_empty() {
            return reasons;
        }
        let mut checked = self.checked.lock().await;
        if checked.at.is_none_or(|at| at.elapsed() >= RECENT) {
            let failures = self.failures().await;
            checked.renew(failures);
        }
        reasons.extend(checked.failures.iter().map(|failed| Reason::Check {
            name: failed.name.clone(),
            detail: (self.environment == Environment::Dev).then(|| failed.why.clone()),
        }));
        reasons
    }

    /// Runs all checks at once.
    async fn failures(&self) -> Vec<CheckFailed> {
        let results = self.checks.iter().map(|check| async {
            let run = panic::catch(async { (check.run)().await });
            let why = match timeout(self.limit, run).await {
                Ok(Ok(Ok(()))) => return None,
                Ok(Ok(Err(error))) => error.to_string(),
                Ok(Err(panic)) => format!("it panicked: {panic}"),
                Err(_) => format!("it has taken longer than {:?}", self.limit),
            };
            let name = check.name.clone();
            Some(CheckFailed { name, why })
        });
        join_all(results).await.into_iter().flatten().collect()
    }
}

impl Checked {
    /// Takes what the checks say now, and logs what is new in it: not each time that somebody asks.
    fn renew(&mut self, failures: Vec<CheckFailed>) {
        let has = |failures: &[CheckFailed], name: &str| {
            let mut names = failures.iter().map(|failed| &failed.name);
            names.any(|failed| failed == name)
        };
        for CheckFailed { name, why } in &failures {
            if !has(&self.failures, name) {
                warn!("the app is not ready, for the check `{name}` fails: {why}");
            }
        }
        for CheckFailed { name, .. } in &self.failures {
            if !has(&failures, name) {
                info!("the check `{name}` fails no more");
            }
        }
        self.failures = failures;
        self.at = Some(Instant::now());
    }
}

impl Restarting {
    /// A service waits to start again, until what is returned is dropped.
    pub(crate) fn begin<'r>(&'r self, name: &'r str) -> impl Drop + Send + use<'r> {
        self.change(|names| names.insert(name.to_owned()));
        Waiting(self, name)
    }

    fn names(&self) -> Vec<String> {
        self.change(|names| names.iter().cloned().collect())
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeSet<String>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Waiting<'r>(&'r Restarting, &'r str);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.change(|names| names.remove(self.1));
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Check({})", self.name)
    }
}
