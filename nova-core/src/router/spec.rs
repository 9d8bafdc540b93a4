//! Groups and routes as they were read, from Rust or from a file, with the place of every part.

use std::sync::Arc;

use super::group::Handler;
use super::host::Host;
use super::limits::Limits;
use crate::build_error::BuildError;
use crate::config::Environment;
use crate::fallback::NamedFallback;
use crate::mounted::Mounted;
use crate::origin::Origin;
use crate::plugin::{Chain, NamedPlugin};
use crate::security::NamedSecurity;

#[derive(Default)]
pub(crate) struct GroupSpec {
    /// `Some(None)` for one that could not be read.
    pub(crate) prefix: Option<Option<PathSpec>>,
    /// `Some(None)` for one that could not be read.
    pub(crate) host: Option<Option<Host>>,
    /// `None` for all.
    pub(crate) environments: Option<Vec<Environment>>,
    pub(crate) plugins: PluginsSpec,
    pub(crate) security: Option<NamedSecurity>,
    pub(crate) fallback: Option<NamedFallback>,
    pub(crate) limits: Limits,
    pub(crate) routes: Vec<RouteSpec>,
    /// The apps that are mounted below the prefix, each with the place that names it.
    pub(crate) apps: Vec<(Arc<Mounted>, Origin)>,
}

/// Which plugins a group has.
#[derive(Default)]
pub(crate) enum PluginsSpec {
    #[default]
    Global,
    /// The global ones, and these behind them.
    GlobalAnd(Vec<NamedPlugin>),
    Own(Chain),
}

impl GroupSpec {
    /// Whether anything is behind the group's plugins; nothing is if it has status pages only.
    pub(super) fn has_paths(&self) -> bool {
        let mut routes = self.routes.iter();
        !self.apps.is_empty() || routes.any(|route| matches!(route.matches, Matches::Path(_)))
    }
}

impl PluginsSpec {
    /// What is wrong with a group's plugins where it has no routes.
    pub(super) fn idle(&self) -> Option<BuildError> {
        let own = match self {
            PluginsSpec::Global => &[][..],
            PluginsSpec::GlobalAnd(more) => more,
            PluginsSpec::Own(own) => own,
        };
        let first = own.first()?;
        Some(BuildError::WrongValue {
            message: format!(
                "the plugin `{}` runs for no route: its group has none",
                first.name
            ),
            origin: first.origin.clone(),
        })
    }

    pub(super) fn chain(&self, global: &Chain) -> Chain {
        match self {
            PluginsSpec::Global => Arc::clone(global),
            PluginsSpec::GlobalAnd(more) => global.iter().chain(more).cloned().collect(),
            PluginsSpec::Own(chain) => Arc::clone(chain),
        }
    }
}

pub(crate) struct PathSpec {
    pub(crate) path: String,
    pub(crate) origin: Origin,
}

/// What a route is for.
pub(crate) enum Matches {
    /// Requests for a path; `None` for one that could not be read.
    Path(Option<PathSpec>),
    /// Answers with this status that have no body.
    Status(u16, Origin),
}

pub(crate) struct RouteSpec {
    pub(crate) matches: Matches,
    pub(crate) handler: Handler,
    pub(crate) handler_origin: Origin,
    pub(crate) methods: Option<Vec<(String, Origin)>>,
    pub(crate) protocol: Option<(String, Origin)>,
    pub(crate) name: Option<(String, Origin)>,
    pub(crate) extra: Option<Arc<serde_json::Value>>,
    pub(crate) limits: Limits,
    pub(crate) origin: Origin,
}
