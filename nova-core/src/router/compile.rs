//! From groups of routes to the table, and what is wrong with them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use http::Method;

use super::group::{GroupSpec, Handler, PathSpec, RouteSpec};
use super::path::{Endpoint, Path, Target};
use super::pattern::{Pattern, Shape};
use super::registry::Registry;
use super::table::Table;
use super::tree;
use crate::build_error::{BuildError, NameKind, listed, nearest};
use crate::plugin::Chain;
use crate::security::NamedSecurity;

/// The methods that `router.toml` can name (RFC 9110 §9.3, RFC 5789). `CONNECT` is for proxies.
const METHODS: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
];

/// Compiles `groups`, and adds all that is wrong with them to `errors`.
pub(crate) fn compile(
    groups: Vec<GroupSpec>,
    global: Chain,
    registry: &Registry,
    errors: &mut Vec<BuildError>,
) -> Table {
    let mut compiler = Compiler {
        registry,
        errors,
        paths: Vec::new(),
        shapes: HashMap::new(),
    };
    for group in groups {
        compiler.group(group, &global);
    }
    let tree = tree::grow(&compiler.shapes);
    Table::new(tree, compiler.paths, global)
}

/// Turns groups into paths.
struct Compiler<'c> {
    registry: &'c Registry,
    errors: &'c mut Vec<BuildError>,
    paths: Vec<Path>,
    /// Where the routes of each shape are in `paths`.
    shapes: HashMap<Shape, usize>,
}

impl Compiler<'_> {
    fn group(&mut self, group: GroupSpec, global: &Chain) {
        let chain = group.plugins.as_ref().unwrap_or(global);
        let root = Pattern::parse("/").ok();
        let prefix = match group.prefix {
            None => root,
            Some(prefix) => prefix.and_then(|prefix| {
                let read = Pattern::parse(&prefix.path).and_then(Pattern::into_prefix);
                self.path_or_error(read, &prefix)
            }),
        };
        for mut route in group.routes {
            let path = route.path.take().and_then(|path| {
                let read = Pattern::parse(&path.path);
                let read = self.path_or_error(read, &path)?;
                let below = read.below(prefix.as_ref()?);
                self.path_or_error(below, &path)
            });
            self.route(route, path, chain, group.security.as_ref());
        }
    }

    fn path_or_error(&mut self, read: Result<Pattern, String>, path: &PathSpec) -> Option<Pattern> {
        read.map_err(|reason| {
            self.errors.push(BuildError::BadPath {
                path: path.path.clone(),
                reason,
                origin: path.origin.clone(),
            });
        })
        .ok()
    }

    /// Looks at every part of the route, also when its path is none.
    fn route(
        &mut self,
        route: RouteSpec,
        path: Option<Pattern>,
        chain: &Chain,
        security: Option<&NamedSecurity>,
    ) {
        let methods = self.methods(&route);
        let target = self.target(&route);
        let (Some(path), Some(target)) = (path, target) else {
            return;
        };
        let handler = match &route.handler {
            Handler::Named(name) => name,
            Handler::Action(_) => "a function",
        };
        let endpoint = Arc::new(Endpoint {
            name: format!("{path} ({handler}, {})", route.origin),
            view: handler.split("::").next().unwrap_or(handler).into(),
            chain: Arc::clone(chain),
            security: security.cloned(),
            target,
            names: path.names().map(Box::from).collect(),
            origin: route.origin,
        });
        let at = match self.shapes.entry(path.shape()) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                self.paths.push(Path::default());
                *new.insert(self.paths.len() - 1)
            }
        };
        let origin = endpoint.origin.clone();
        for (requests, first) in self.paths[at].add(endpoint, methods) {
            self.errors.push(BuildError::Conflict {
                requests: format!("{requests} `{path}`"),
                origin: origin.clone(),
                first,
            });
        }
    }

    /// `None` for all methods.
    fn methods(&mut self, route: &RouteSpec) -> Option<Vec<Method>> {
        let named = route.methods.as_ref()?;
        if named.is_empty() {
            self.errors.push(BuildError::WrongValue {
                message: "a route with no methods answers nothing: list some, or leave `methods` \
                          out for all"
                    .to_owned(),
                origin: route.origin.clone(),
            });
        }
        let mut methods = Vec::new();
        for (name, origin) in named {
            match METHODS
                .iter()
                .find(|one| one.as_str().eq_ignore_ascii_case(name))
            {
                Some(method) if !methods.contains(method) => methods.push(method.clone()),
                Some(_) => {}
                None => {
                    let names = METHODS.each_ref().map(|one| one.as_str().to_lowercase());
                    let similar = nearest(name, names.iter().map(String::as_str));
                    self.errors.push(BuildError::UnknownName {
                        kind: NameKind::Method,
                        name: name.clone(),
                        origin: origin.clone(),
                        help: similar
                            .is_none()
                            .then(|| format!("the methods are {}", listed(&names))),
                        similar,
                    });
                }
            }
        }
        Some(methods)
    }

    fn target(&mut self, route: &RouteSpec) -> Option<Target> {
        let protocol = route.protocol.as_ref().filter(|(name, _)| name != "http");
        match (protocol, &route.handler) {
            (None, Handler::Action(action)) => Some(Target::Action(action.clone())),
            (None, Handler::Named(name)) => self
                .registry
                .action(name, &route.handler_origin, self.errors)
                .map(Target::Action),
            (Some((protocol, origin)), Handler::Action(_)) => {
                self.errors.push(BuildError::WrongValue {
                    message: format!(
                        "a function answers by `http`, not by `{protocol}`: name a handler of \
                         that protocol"
                    ),
                    origin: origin.clone(),
                });
                None
            }
            (Some((protocol, origin)), Handler::Named(name)) => {
                if let Some((_, origin)) = route.methods.as_ref().and_then(|named| named.first()) {
                    self.errors.push(BuildError::WrongValue {
                        message: format!(
                            "a route with the protocol `{protocol}` has no `methods`: it answers \
                             upgrades"
                        ),
                        origin: origin.clone(),
                    });
                }
                let handler = (name.as_str(), &route.handler_origin);
                self.registry
                    .handler((protocol, origin), handler, self.errors)
                    .map(Target::Protocol)
            }
        }
    }
}
