//! The settings of an app: `nova.toml`, the environment's part of it, and variables over both.
//! [`Config`] says which has the last word.

mod file;
mod server;
pub(crate) mod settings;

use std::fmt;

pub(crate) use file::read;
pub use server::ServerConfig;

/// All settings, with their defaults filled in.
///
/// A setting is looked up in three layers; the first that has it wins:
/// 1. an environment variable, such as `NOVA_SERVER__LISTEN` for `listen` in `[server]`; only
///    names that begin with `NOVA_` and have two underscores are settings,
/// 2. the table of the environment that runs in `nova.toml`, such as `[dev.server]`,
/// 3. the table for all environments, such as `[server]`.
///
/// Every layer is checked, also that of the environment that does not run.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Config {
    /// Where the app runs: it decides which tables count.
    pub environment: Environment,
    /// The `[server]` table.
    pub server: ServerConfig,
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
