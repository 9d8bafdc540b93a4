//! From groups of routes to the table, and what is wrong with them.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use http::{Method, StatusCode};

use super::group::Handler;
use super::host::Host;
use super::info::RouteInfo;
use super::limits::{Levels, Limits};
use super::names::{self, Names};
use super::path::{Endpoint, Path, Target};
use super::pattern::{Pattern, Shape};
use super::registry::Registry;
use super::spec::{GroupSpec, Matches, PathSpec, PluginsSpec, RouteSpec};
use super::status_page::StatusPage;
use super::table::{Matcher, Table};
use super::tree::Tree;
use crate::build_error::{BuildError, NameKind, listed, nearest};
use crate::config::Environment;
use crate::fallback::NamedFallback;
use crate::mounted::{Mounted, Parts};
use crate::origin::Origin;
use crate::plugin::{Chain, check_order};
use crate::protocol::ProtocolRoute;
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

/// Compiles `groups`, and adds all that is wrong with them to `errors`. Groups that are not for
/// `environment` are checked all the same.
pub(crate) fn compile<'g>(
    groups: impl IntoIterator<Item = &'g GroupSpec>,
    global: Chain,
    limits: &Limits,
    environment: Environment,
    registry: &'g Registry,
    errors: &mut Vec<BuildError>,
) -> Table {
    let mut compiler = Compiler {
        registry,
        errors,
        environment,
        by_host: Vec::new(),
        pages: Vec::new(),
        names: Names::default(),
        routes: Vec::new(),
    };
    check_order(&global, 0, compiler.errors);
    let groups: Vec<_> = groups.into_iter().collect();
    let outermost = Inherited::outermost(limits);
    for group in &groups {
        compiler.group(group, &global, &outermost);
    }
    // What cannot be read may be the routes that they are for.
    if compiler.errors.is_empty() {
        compiler.tell_idle(&groups, &global);
    }
    compiler.table(global)
}

/// Turns groups into paths.
struct Compiler<'g, 'e> {
    /// What names stand for in the app whose routes are compiled.
    registry: &'g Registry,
    errors: &'e mut Vec<BuildError>,
    environment: Environment,
    /// The paths that were declared for a host, or for none.
    by_host: Vec<(Option<Host>, Paths)>,
    pages: Vec<StatusPage>,
    names: Names,
    routes: Vec<Arc<Endpoint>>,
}

/// Paths by their shape.
#[derive(Default)]
struct Paths {
    paths: Vec<Path>,
    /// Where the routes of each shape are in `paths`.
    shapes: HashMap<Shape, usize>,
}

/// What the routes of a group have from it, and a mounted app from the group that has it.
#[derive(Clone)]
struct Inherited<'g> {
    prefix: Option<Pattern>,
    host: Option<Host>,
    chain: Chain,
    /// The outermost first: each has to agree.
    security: Vec<&'g NamedSecurity>,
    fallback: Option<&'g NamedFallback>,
    limits: Levels,
    /// Whether the group is for this environment.
    counts: bool,
    /// The mounted app that the routes are of.
    app: Option<Arc<Parts>>,
}

impl Inherited<'_> {
    /// What the groups of the app that is served have from nobody.
    fn outermost(limits: &Limits) -> Self {
        Inherited {
            prefix: Some(Pattern::root()),
            host: None,
            chain: Chain::default(),
            security: Vec::new(),
            fallback: None,
            limits: Levels::default().inside(limits),
            counts: true,
            app: None,
        }
    }
}

impl Paths {
    fn of(&mut self, shape: Shape) -> &mut Path {
        let at = *self.shapes.entry(shape).or_insert_with(|| {
            self.paths.push(Path::default());
            self.paths.len() - 1
        });
        &mut self.paths[at]
    }

    /// Adds the routes of `others` where none here answers.
    fn add_below(&mut self, others: &Paths) {
        for (shape, &at) in &others.shapes {
            self.of(shape.clone()).add_below(&others.paths[at]);
        }
    }

    fn into_matcher(self) -> Matcher {
        Matcher::new(Tree::of(&self.shapes), self.paths)
    }
}

impl<'g> Compiler<'g, '_> {
    fn table(mut self, global: Chain) -> Table {
        let of_hosts = self.by_host.iter().filter_map(|(host, _)| host.as_ref());
        let mut hosts: Vec<Host> = of_hosts.cloned().collect();
        hosts.sort_by_key(|host| std::cmp::Reverse(host.rank()));
        let hosts = hosts.iter().map(|host| {
            let mut paths = Paths::default();
            let wider = hosts.iter().filter(|other| other.contains(host)).map(Some);
            for other in wider.chain([None]) {
                let found = self.by_host.iter().find(|(own, _)| own.as_ref() == other);
                if let Some((_, more)) = found {
                    paths.add_below(more);
                }
            }
            (host.clone(), paths.into_matcher())
        });
        let hosts = hosts.collect();
        let anywhere = self.by_host.into_iter().find(|(host, _)| host.is_none());
        self.pages
            .sort_by_cached_key(|page| std::cmp::Reverse(page.rank()));
        Table {
            hosts,
            anywhere: anywhere
                .map(|(_, paths)| paths.into_matcher())
                .unwrap_or_default(),
            pages: self.pages,
            names: self.names,
            routes: self.routes,
            global,
            running: OnceLock::new(),
        }
    }

    /// `global` are the plugins of the app whose group it is, `outer` is what surrounds that app.
    fn group(&mut self, group: &'g GroupSpec, global: &Chain, outer: &Inherited<'g>) {
        let prefix = match &group.prefix {
            None => outer.prefix.clone(),
            Some(prefix) => prefix.as_ref().and_then(|prefix| {
                let read = Pattern::parse(&prefix.path).and_then(Pattern::into_prefix);
                let read = self.path_or_error(read, prefix)?;
                let below = read.below(outer.prefix.as_ref()?);
                self.path_or_error(below, prefix)
            }),
        };
        let wanted = group.environments.as_ref();
        let inherited = Inherited {
            prefix,
            host: group.host.clone().flatten().or(outer.host.clone()),
            chain: self.chain(group, global, &outer.chain),
            security: outer
                .security
                .iter()
                .copied()
                .chain(&group.security)
                .collect(),
            fallback: group.fallback.as_ref().or(outer.fallback),
            limits: outer.limits.inside(&group.limits),
            counts: outer.counts
                && wanted.is_none_or(|wanted| wanted.contains(&self.environment))
                // A host that could not be read is not all hosts.
                && group.host != Some(None),
            app: outer.app.clone(),
        };
        for (app, origin) in &group.apps {
            self.mounted(app, origin, &inherited);
        }
        for route in &group.routes {
            match &route.matches {
                Matches::Path(path) => {
                    let path = path.as_ref().and_then(|path| {
                        let read = Pattern::parse(&path.path);
                        let read = self.path_or_error(read, path)?;
                        let below = read.below(inherited.prefix.as_ref()?);
                        self.path_or_error(below, path)
                    });
                    self.route(route, path, &inherited);
                }
                Matches::Status(status, origin) => {
                    self.status_page(route, *status, origin, &inherited);
                }
            }
        }
    }

    /// The groups of an app below the prefix of the group that has it.
    fn mounted(&mut self, app: &'g Mounted, origin: &Origin, outer: &Inherited<'g>) {
        let inherited = Inherited {
            app: Some(Arc::clone(&app.parts)),
            limits: outer.limits.of_mounted().inside(&app.sources.limits()),
            ..outer.clone()
        };
        let global = app.sources.plugins.iter().chain(&app.sources.file.plugins);
        let global: Chain = global.cloned().collect();
        let surrounded = behind(&outer.chain, Arc::clone(&global));
        check_order(&surrounded, outer.chain.len(), self.errors);
        let of_outer_app = std::mem::replace(&mut self.registry, &app.registry);
        for group in app.sources.groups() {
            if let (Some(outer), Some(Some(own))) = (&outer.host, &group.host)
                && outer != own
                && !outer.contains(own)
            {
                self.errors.push(BuildError::WrongValue {
                    message: format!(
                        "the app `{}` has routes for the host `{own}`, which is not within \
                         `{outer}`, the host of this group",
                        app.parts.name
                    ),
                    origin: origin.clone(),
                });
            }
            self.group(group, &global, &inherited);
        }
        self.registry = of_outer_app;
        if self.errors.is_empty() {
            let groups: Vec<_> = app.sources.groups().collect();
            self.tell_idle(&groups, &global);
        }
    }

    /// The plugins of a group's routes, behind those that surround its app. A group checks its part of
    /// the list; the global part has been checked.
    fn chain(&mut self, group: &GroupSpec, global: &Chain, outer: &Chain) -> Chain {
        let own = group.plugins.chain(global);
        let checked = match &group.plugins {
            PluginsSpec::Own(_) => 0,
            PluginsSpec::Global | PluginsSpec::GlobalAnd(_) => global.len(),
        };
        let chain = behind(outer, own);
        check_order(&chain, outer.len() + checked, self.errors);
        chain
    }

    /// Tells of plugins that run for no route: those of a group that has none, and those of the
    /// global list where every group has one of its own. If one of those names a plugin too, the
    /// global list has it for the requests that no route answers.
    fn tell_idle(&mut self, groups: &[&GroupSpec], global: &Chain) {
        let (with_routes, without): (Vec<&GroupSpec>, Vec<&GroupSpec>) =
            groups.iter().partition(|group| group.has_paths());
        let idle = without.iter().filter_map(|group| group.plugins.idle());
        self.errors.extend(idle);
        let own = with_routes.iter().map(|group| match &group.plugins {
            PluginsSpec::Own(own) => Some(own),
            PluginsSpec::Global | PluginsSpec::GlobalAnd(_) => None,
        });
        let Some(own) = own
            .collect::<Option<Vec<_>>>()
            .filter(|own| !own.is_empty())
        else {
            return;
        };
        let named = |name: &str| {
            let mut plugins = own.iter().flat_map(|list| list.iter());
            plugins.any(|plugin| &*plugin.name == name)
        };
        let idle = global.iter().filter(|plugin| !named(&plugin.name));
        self.errors
            .extend(idle.map(|plugin| BuildError::WrongValue {
                message: format!(
                    "the plugin `{}` runs for no route: every group has `plugins` in place of the \
                 global ones, and none names it; name it there, or let groups have `plugins_add`",
                    plugin.name
                ),
                origin: plugin.origin.clone(),
            }));
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
    fn route(&mut self, route: &RouteSpec, path: Option<Pattern>, group: &Inherited<'g>) {
        let methods = self.methods(route);
        let target = self.target(route);
        self.check_limits(route);
        if let (Some(path), Handler::Files(files)) = (&path, &route.handler)
            && files.is_folder()
            && !path.has_rest()
        {
            self.errors.push(BuildError::WrongValue {
                message: format!(
                    "the route of a folder ends with the rest of a path, which names a file in \
                     it: `{}/{{*path}}`",
                    path.to_string().trim_end_matches('/')
                ),
                origin: route.origin.clone(),
            });
        }
        let (Some(path), Some(target)) = (path, target) else {
            return;
        };
        if !group.counts {
            return;
        }
        let info = RouteInfo {
            methods: listed_methods(methods.as_deref()),
            path: path.to_string(),
            protocol: protocol_of(route).to_owned(),
            name: route.name.as_ref().map(|(name, _)| name.clone()),
            ..info(route, group)
        };
        let limits = group.limits.inside(&route.limits).in_force();
        let Some(target) = self.target_of_route(target, &info, &limits, group) else {
            return;
        };
        let endpoint = Arc::new(Endpoint {
            info,
            view: view(&route.handler),
            files: match &route.handler {
                Handler::Files(files) => Some(files.clone()),
                Handler::Named(_) | Handler::Action(_) => None,
            },
            chain: Arc::clone(&group.chain),
            security: group.security.iter().copied().cloned().collect(),
            fallback: group.fallback.cloned(),
            limits,
            app: group.app.clone(),
            extra: route.extra.clone(),
            target,
            names: path.names().map(Box::from).collect(),
            pattern: path,
        });
        let path = &endpoint.pattern;
        if let Some((name, origin)) = &route.name {
            let within = group.app.as_ref().map_or("", |app| &app.name);
            self.names
                .add(&names::of_app(within, name), path, origin, self.errors);
        }
        let at = self
            .by_host
            .iter()
            .position(|(host, _)| *host == group.host);
        let at = at.unwrap_or_else(|| {
            self.by_host.push((group.host.clone(), Paths::default()));
            self.by_host.len() - 1
        });
        let paths = &mut self.by_host[at].1;
        for (requests, first) in paths.of(path.shape()).add(&endpoint, methods.as_deref()) {
            self.errors.push(BuildError::Conflict {
                requests: format!("{requests} `{path}`"),
                origin: route.origin.clone(),
                first,
            });
        }
        self.routes.push(endpoint);
    }

    /// `[404, "errors::not_found"]`.
    fn status_page(
        &mut self,
        route: &RouteSpec,
        status: u16,
        origin: &Origin,
        group: &Inherited<'_>,
    ) {
        let code = StatusCode::from_u16(status).ok();
        let code = code.filter(|code| code.is_client_error() || code.is_server_error());
        if code.is_none() {
            self.errors.push(BuildError::WrongValue {
                message: format!(
                    "a status page is for a status from 400 to 599, and not for {status}"
                ),
                origin: origin.clone(),
            });
        }
        let options = [
            route.methods.as_ref().and_then(|named| named.first()),
            route.protocol.as_ref(),
            route.name.as_ref(),
        ];
        let option = options.into_iter().flatten().next();
        let option = option.map(|(_, origin)| origin);
        let has_more = route.extra.is_some() || route.limits != Limits::default();
        if let Some(origin) = option.or(has_more.then_some(&route.origin)) {
            self.errors.push(BuildError::WrongValue {
                message: "a status page has no options: it answers whatever the request was"
                    .to_owned(),
                origin: origin.clone(),
            });
            return;
        }
        if matches!(&route.handler, Handler::Files(files) if files.is_folder()) {
            self.errors.push(BuildError::WrongValue {
                message: "a status page is one file, such as `{ file = \"priv/404.html\" }`, and \
                          no folder"
                    .to_owned(),
                origin: route.handler_origin.clone(),
            });
        }
        let target = self.target(route);
        let (Some(status), Some(Target::Action(action)), Some(prefix)) =
            (code, target, group.prefix.clone())
        else {
            return;
        };
        if !group.counts {
            return;
        }
        let first = self.pages.iter().find(|page| {
            page.status == status
                && page.host == group.host
                && page.prefix.shape() == prefix.shape()
        });
        if let Some(first) = first {
            self.errors.push(BuildError::Conflict {
                requests: format!("{} below `{prefix}`", status.as_u16()),
                origin: route.origin.clone(),
                first: first.info.origin.clone(),
            });
            return;
        }
        self.pages.push(StatusPage {
            status,
            action,
            info: RouteInfo {
                status: Some(status.as_u16()),
                path: prefix.to_string(),
                // They are those of the request, whatever it was.
                security: None,
                plugins: Vec::new(),
                ..info(route, group)
            },
            view: view(&route.handler),
            app: group.app.clone(),
            host: group.host.clone(),
            prefix,
        });
    }

    /// `None` for all methods.
    fn methods(&mut self, route: &RouteSpec) -> Option<Vec<Method>> {
        if let Handler::Files(_) = route.handler {
            if let Some((_, origin)) = route.methods.as_ref().and_then(|named| named.first()) {
                self.errors.push(BuildError::WrongValue {
                    message: "static files answer `GET` and `HEAD`: leave `methods` out".to_owned(),
                    origin: origin.clone(),
                });
            }
            return Some(vec![Method::GET]);
        }
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

    /// The handler of a protocol may have one of its own for each route.
    fn target_of_route(
        &mut self,
        target: Target,
        info: &RouteInfo,
        limits: &Limits,
        group: &Inherited<'_>,
    ) -> Option<Target> {
        let Target::Protocol(handler) = target else {
            return Some(target);
        };
        let route = ProtocolRoute {
            info,
            limits: &limits.protocols,
            chain: &group.chain,
        };
        match handler.for_route(&route) {
            Ok(own) => Some(Target::Protocol(own.unwrap_or(handler))),
            Err(message) => {
                let origin = info.origin.clone();
                self.errors.push(BuildError::WrongValue { message, origin });
                None
            }
        }
    }

    /// The limits of another protocol do nothing for a route.
    fn check_limits(&mut self, route: &RouteSpec) {
        let own = protocol_of(route);
        for limits in &route.limits.protocols {
            let of = limits.protocol();
            if of != own {
                self.errors.push(BuildError::WrongValue {
                    message: format!(
                        "the limits of `{of}` are for routes with `protocol = \"{of}\"`, and this \
                         one answers by `{own}`"
                    ),
                    origin: route.origin.clone(),
                });
            }
        }
    }

    fn target(&mut self, route: &RouteSpec) -> Option<Target> {
        let protocol = route.protocol.as_ref().filter(|(name, _)| name != "http");
        match (protocol, &route.handler) {
            (None, Handler::Action(action)) => Some(Target::Action(action.clone())),
            (None, Handler::Named(name)) => self
                .registry
                .action(name, &route.handler_origin, self.errors)
                .map(Target::Action),
            (None, Handler::Files(files)) => files.action().map(Target::Action),
            (Some((protocol, origin)), Handler::Files(_)) => {
                self.errors.push(BuildError::WrongValue {
                    message: format!(
                        "static files are sent by `http`, not by `{protocol}`: leave `protocol` out"
                    ),
                    origin: origin.clone(),
                });
                None
            }
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
                            "a route with the protocol `{protocol}` has no `methods`: the protocol \
                             says which it answers"
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

/// These plugins behind those of `outer`.
fn behind(outer: &Chain, own: Chain) -> Chain {
    match outer.is_empty() {
        true => own,
        false => outer.iter().chain(&*own).cloned().collect(),
    }
}

/// What all routes of a group have in common, as data.
fn info(route: &RouteSpec, group: &Inherited<'_>) -> RouteInfo {
    RouteInfo {
        status: None,
        methods: Vec::new(),
        host: group.host.as_ref().map(ToString::to_string),
        path: String::new(),
        protocol: "http".to_owned(),
        handler: match &route.handler {
            Handler::Named(name) => name.clone(),
            Handler::Action(_) => "a function".to_owned(),
            Handler::Files(files) => files.to_string(),
        },
        name: None,
        app: group.app.as_ref().map(|app| app.name.clone()),
        security: match &*group.security {
            [] => None,
            all => {
                let names: Vec<&str> = all.iter().map(|security| &*security.name).collect();
                Some(names.join(", "))
            }
        },
        plugins: group
            .chain
            .iter()
            .map(|plugin| plugin.name.to_string())
            .collect(),
        origin: route.origin.clone(),
    }
}

fn listed_methods(methods: Option<&[Method]>) -> Vec<String> {
    let methods = methods.unwrap_or_default().iter();
    methods.map(ToString::to_string).collect()
}

fn protocol_of(route: &RouteSpec) -> &str {
    let protocol = route.protocol.as_ref();
    protocol.map_or("http", |(protocol, _)| protocol)
}

/// The view that has its name from who answers.
fn view(handler: &Handler) -> Box<str> {
    match handler {
        Handler::Named(name) => name.split("::").next().unwrap_or(name).into(),
        Handler::Action(_) | Handler::Files(_) => "a function".into(),
    }
}
