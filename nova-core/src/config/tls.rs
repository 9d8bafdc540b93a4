//! The `[server.tls]` table.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::Deserializer;

/// What to do where `https://` stands and the code for it does not.
pub(crate) const NEEDS_TLS: &str = "an `https://` address needs the feature `tls`: write \
                                    `nova-core = { …, features = [\"tls\"] }` in `Cargo.toml`";

/// The `[server.tls]` table of `nova.toml`: what the `https://` addresses of
/// [`listen`](crate::ServerConfig::listen) are served with. Both files are read again when they change, and
/// on SIGHUP; what is wrong with them then changes nothing and is logged.
///
/// ```toml
/// [server]
/// listen = ["http://127.0.0.1:8080", "https://0.0.0.0:8443"]
///
/// [server.tls]
/// certificate = "/etc/letsencrypt/live/example.com/fullchain.pem"
/// key = "/etc/letsencrypt/live/example.com/privkey.pem"
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TlsConfig {
    /// The PEM file with the server's certificate, and behind it those that vouch for it. A path in
    /// `nova.toml` is relative to that file. **Default:** none.
    #[serde(deserialize_with = "path")]
    pub certificate: Option<PathBuf>,
    /// The PEM file with the key of the certificate. **Default:** none.
    #[serde(deserialize_with = "path")]
    pub key: Option<PathBuf>,
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    Ok((!path.as_os_str().is_empty()).then_some(path))
}

/// A path that stands in a file in `folder`.
pub(super) fn below(path: &mut Option<PathBuf>, folder: &Path) {
    if let Some(path) = path {
        *path = folder.join(&path);
    }
}
