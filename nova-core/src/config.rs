//! The settings of an app: `nova.toml`, the environment's part of it, and variables over both.
//! [`Config`] says which has the last word.

mod file;
mod listen;
mod log;
mod proxies;
pub(crate) mod secret;
mod server;
mod session;
pub(crate) mod settings;
mod tls;
mod values;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub(crate) use file::{read, read_app, read_mounted};
pub use listen::ListenAddress;
pub use log::{LogConfig, LogFormat};
pub use proxies::TrustedProxy;
pub use secret::Secret;
pub use server::{ForwardedHeader, ServerConfig};
pub use session::{SecureCookie, SessionConfig};
#[cfg(not(feature = "tls"))]
pub(crate) use tls::NEEDS_TLS;
pub use tls::TlsConfig;
pub(crate) use values::{bytes_or_none, duration, some_time};

use crate::origin::Origin;

/// All settings, with their defaults filled in.
///
/// A setting is looked up in four layers; the first that has it wins:
/// 1. an environment variable, such as `NOVA_SERVER__LISTEN` for `listen` in `[server]`; only
///    names that begin with `NOVA_` and have two underscores are settings,
/// 2. the table of the environment that runs in `nova.toml`, such as `[dev.server]`,
/// 3. the table for all environments, such as `[server]`,
/// 4. the default.
///
/// Every layer is checked, also that of the environment that does not run. The tables are
/// `[server]`, `[log]`, `[session]`, and `[app]` for the app's own settings. This is all of Nova's,
/// with the defaults:
///
/// ```toml
#[doc = include_str!("config/default.toml")]
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where the app runs: it decides which tables count.
    pub environment: Environment,
    /// The `[server]` table.
    pub server: ServerConfig,
    /// The `[log]` table.
    pub log: LogConfig,
    /// The `[session]` table.
    pub session: SessionConfig,
    /// The `[app]` table, as the type that the app reads it as.
    pub(crate) app: Option<Arc<dyn Any + Send + Sync>>,
    in_force: Arc<BTreeMap<String, InForce>>,
}

/// One setting, as a message may show it.
#[derive(Debug)]
struct InForce {
    value: String,
    origin: Origin,
}

impl Config {
    /// The app's own settings, as the builder's [`settings`](crate::AppBuilder::settings) has read
    /// them; `None` if it has read none, or as another type.
    pub fn app<T: 'static>(&self) -> Option<&T> {
        self.app.as_deref()?.downcast_ref()
    }

    /// Where a setting, such as `server.listen`, was set; `None` for one that there is not.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        Some(&self.in_force.get(key)?.origin)
    }

    /// All settings that have a value: the key, the value as it was written, and where. Secrets
    /// are shown as `***`.
    ///
    /// ```
    /// let config = nova_core::Config::default();
    /// let (_, value, origin) = config.in_force().find(|(key, ..)| *key == "server.listen").unwrap();
    /// assert_eq!((value, origin.is_default()), (r#""127.0.0.1:8080""#, true));
    /// ```
    pub fn in_force(&self) -> impl Iterator<Item = (&str, &str, &Origin)> {
        let settings = self.in_force.iter();
        settings.map(|(key, setting)| (&**key, &*setting.value, &setting.origin))
    }
}

/// The defaults, for the [default environment](Environment).
impl Default for Config {
    fn default() -> Self {
        Config::defaults(Environment::default())
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("environment", &self.environment)
            .field("server", &self.server)
            .field("log", &self.log)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// Where an app runs. **Default:** [`Dev`](Self::Dev) in debug builds and
/// [`Prod`](Self::Prod) in release builds; `NOVA_ENV` (`dev` or `prod`) decides otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// On a developer's machine.
    Dev,
    /// In front of users.
    Prod,
}

impl Environment {
    /// All of them, for messages.
    pub(crate) const ALL: [Environment; 2] = [Environment::Dev, Environment::Prod];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The name in `NOVA_ENV` and in `nova.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Environment::Dev => "dev",
            Environment::Prod => "prod",
        }
    }
}

impl Default for Environment {
    fn default() -> Self {
        if cfg!(debug_assertions) {
            Environment::Dev
        } else {
            Environment::Prod
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
