//! From route tuples, in Rust or in `router.toml`, to the table that answers requests.

mod compile;
pub(crate) mod file;
mod group;
mod info;
mod path;
mod pattern;
mod registry;
mod table;
mod tree;

pub(crate) use compile::compile;
pub(crate) use group::GroupPlugin;
pub use group::{Group, Handler, IntoHandler, IntoRoute, Route, RouteOptions, methods, protocol};
pub use info::{NearRoute, RouteInfo};
pub(crate) use path::{Endpoint, Target};
pub(crate) use registry::{Registry, plugin_with_options, plugin_without_options};
pub(crate) use table::{Found, Table};
