//! A route of a protocol, as its handler sees it when the table is built.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::limits::{ErasedLimits, ProtocolLimits};
use crate::plugin::Chain;
use crate::router::RouteInfo;

/// What a plugin brings for a protocol: see [`Plugin::extension`](crate::Plugin::extension).
pub type Extension = Arc<dyn Any + Send + Sync>;

/// A route that names a [`ProtocolHandler`](crate::ProtocolHandler), with what concerns it there.
pub struct ProtocolRoute<'a> {
    pub(crate) info: &'a RouteInfo,
    pub(crate) limits: &'a [Arc<dyn ErasedLimits>],
    pub(crate) chain: &'a Chain,
}

impl<'a> ProtocolRoute<'a> {
    /// The route as data: its path, its plugins, and where it stands.
    pub fn info(&self) -> &'a RouteInfo {
        self.info
    }

    /// The limits of this type that concern the route, the weakest first: those of the app, of the
    /// group, of the route, and then those of who mounts the app.
    ///
    /// The routes of a group get one and the same value for it, so that what is counted there is
    /// counted for all.
    pub fn limits<L: ProtocolLimits>(&self) -> impl Iterator<Item = &'a L> {
        let all = self.limits.iter();
        all.filter_map(|limits| limits.as_any().downcast_ref())
    }

    /// What the plugins of the route bring that is an `E`, in the order of their list.
    pub fn extensions<E: Clone + 'static>(&self) -> impl Iterator<Item = E> {
        let plugins = self.chain.iter();
        let extensions = plugins.filter_map(|plugin| plugin.code.extension());
        extensions.filter_map(|extension| extension.downcast_ref::<E>().cloned())
    }
}

impl fmt::Debug for ProtocolRoute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProtocolRoute({})", self.info)
    }
}
