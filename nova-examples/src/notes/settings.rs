//! The app's own settings: the `[app]` table of `notes/nova.toml`.

use nova_core::Secret;
use serde::Deserialize;

/// The `[app]` table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Who may write notes on the HTML pages. **Default:** `admin`.
    pub username: String,
    /// What they log in with; the database gets a hash of it. **Default:** none, and so they cannot
    /// log in.
    pub password: Option<Secret>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            username: "admin".to_owned(),
            password: None,
        }
    }
}
