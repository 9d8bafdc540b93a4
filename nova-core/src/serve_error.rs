//! Why an app that was built does not serve, or does not go on.

use std::fmt;

use crate::plugin::PluginFailed;
use crate::service::ServiceFailed;

/// Why [`App::serve`](crate::App::serve) has ended without being told to.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// A plugin could not get ready, so no request was taken.
    Plugin(PluginFailed),
    /// A service failed too often.
    Service(ServiceFailed),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServeError::Plugin(failed) => failed.fmt(f),
            ServeError::Service(failed) => failed.fmt(f),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ServeError::Plugin(failed) => failed.source(),
            ServeError::Service(failed) => failed.source(),
        }
    }
}

impl From<PluginFailed> for ServeError {
    fn from(failed: PluginFailed) -> Self {
        ServeError::Plugin(failed)
    }
}

impl From<ServiceFailed> for ServeError {
    fn from(failed: ServiceFailed) -> Self {
        ServeError::Service(failed)
    }
}
