//! From route tuples, in Rust or in `router.toml`, to the table that answers requests.

mod changes;
mod compile;
mod explain;
pub(crate) mod file;
mod group;
mod handle;
mod host;
mod info;
mod limits;
mod names;
mod path;
mod pattern;
mod registry;
mod spec;
mod status_page;
mod table;
mod tree;

pub use changes::RouteChanges;
pub use explain::{Explanation, Outcome};
pub(crate) use group::GroupPlugin;
pub use group::{
    Group, Handler, IntoHandler, IntoRoute, PathOrStatus, Route, RouteOptions, methods, protocol,
};
pub use handle::Router;
pub(crate) use handle::Sources;
pub use info::{NearRoute, RouteInfo};
pub(crate) use limits::Limits;
pub(crate) use path::{Endpoint, Target};
pub(crate) use registry::{Registry, plugin_with_options, plugin_without_options};
pub(crate) use status_page::StatusPage;
pub(crate) use table::{Found, Table};
