//! From route tuples, in Rust or in `router.toml`, to the table that answers requests.

pub(crate) mod file;
mod group;
mod pattern;
mod registry;
mod table;

pub use group::{Group, Handler, IntoRoute, Route, RouteOptions, methods, protocol};
pub(crate) use registry::{Registry, plugin_with_options, plugin_without_options};
pub(crate) use table::{Endpoint, Found, Table, Target};
