//! Who answers where an answer with some status has no body: `[404, "errors::not_found"]`.

use std::sync::Arc;

use http::StatusCode;

use super::host::Host;
use super::info::RouteInfo;
use super::pattern::Pattern;
use crate::controller::Action;
use crate::mounted::Parts;

/// The page for a status, below the prefix of its group.
pub(crate) struct StatusPage {
    pub(crate) status: StatusCode,
    pub(crate) action: Action,
    pub(crate) info: RouteInfo,
    /// The view that has its name from who answers.
    pub(crate) view: Box<str>,
    /// The mounted app that it is of.
    pub(crate) app: Option<Arc<Parts>>,
    pub(super) host: Option<Host>,
    pub(super) prefix: Pattern,
}

impl StatusPage {
    /// Whether it is for requests to this host with this path.
    pub(super) fn is_for(&self, host: Option<&str>, segments: &[&str]) -> bool {
        let of_host = match (&self.host, host) {
            (None, _) => true,
            (Some(own), Some(host)) => own.matches(host),
            (Some(_), None) => false,
        };
        of_host && self.prefix.is_prefix_of(segments)
    }

    /// How particular it is: a host comes before none, a longer prefix before a shorter one, and
    /// what is written out before a binding.
    pub(super) fn rank(&self) -> impl Ord + use<> {
        let segments = self.prefix.segments();
        let bindings: Vec<bool> = segments.iter().map(|one| one.name().is_none()).collect();
        let host = self.host.as_ref().map(Host::rank);
        (host, segments.len(), bindings)
    }
}
