//! What an app has by itself, and apps that another one mounts below a prefix.
//!
//! A mounted app is compiled into the table of the one that mounts it: its routes stand below the
//! prefix of the group that names it, behind the group's plugins and security. What its requests are
//! answered with, its views, its reply handlers, its fallback, stays its own.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::error_mapping::ErrorMappings;
use crate::fallback::Resolver;
use crate::reply::ReplyHandlers;
use crate::router::{Registry, Router, Sources};
use crate::views::Views;

/// What answers are made with: each app has its own.
pub(crate) struct Parts {
    /// By which names it is mounted, such as `shop::admin`; empty for the app that is served.
    pub(crate) name: String,
    pub(crate) views: ArcSwap<Views>,
    pub(crate) replies: ReplyHandlers,
    pub(crate) error_mappings: ErrorMappings,
    pub(crate) fallback: Option<Resolver>,
}

impl Parts {
    /// Lets the views make paths of these routes.
    pub(crate) fn give_paths(&self, router: &Router) {
        let views = self.views.swap(Arc::default());
        if let Some(views) = Arc::into_inner(views) {
            self.views
                .store(Arc::new(views.with_paths_of(router, &self.name)));
        }
    }
}

/// An app that is mounted, or to be served: put together, and not yet compiled.
pub(crate) struct Mounted {
    pub(crate) parts: Arc<Parts>,
    /// What the names in its routes stand for.
    pub(crate) registry: Registry,
    pub(crate) sources: Sources,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parts({:?})", self.name)
    }
}
