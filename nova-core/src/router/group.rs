//! Routes and groups of them, as written in Rust; `router.toml` is read into the same.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::host::Host;
use super::limits::Limits;
use super::registry::Registry;
use super::spec::{GroupSpec, Matches, PathSpec, PluginsSpec, RouteSpec};
use crate::build_error::BuildError;
use crate::config::Environment;
use crate::controller::{Action, ActionFn};
use crate::origin::Origin;
use crate::plugin::{NamedPlugin, Plugin};
use crate::protocol::ProtocolLimits;
use crate::reply::IntoReply;
use crate::static_files::StaticFiles;

/// Routes that share a prefix and plugins: in Rust what a `[[group]]` is in `router.toml`.
///
/// ```
/// use nova_core::{App, Group, Request, methods, status};
///
/// let group = Group::new()
///     .prefix("/internal")
///     .route(("/heartbeat", |_: Request| async { status(200) }, methods(["get"])));
/// let app = App::builder().group(group).build().unwrap();
/// ```
#[derive(Debug)]
pub struct Group {
    prefix: Option<(String, Origin)>,
    host: Option<(String, Origin)>,
    environments: Option<Vec<Environment>>,
    plugins: Option<Vec<GroupPlugin>>,
    plugins_add: Vec<GroupPlugin>,
    security: Option<(String, Origin)>,
    fallback: Option<(String, Origin)>,
    limits: Limits,
    limits_origin: Option<Origin>,
    routes: Vec<(Route, Origin)>,
    apps: Vec<(String, Origin)>,
}

/// A plugin of a group: one that the app has registered, or the group's own.
pub(crate) enum GroupPlugin {
    Registered(String, Origin),
    Own(NamedPlugin),
}

impl fmt::Debug for GroupPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupPlugin::Registered(name, _) => f.write_str(name),
            GroupPlugin::Own(plugin) => f.write_str(&plugin.name),
        }
    }
}

/// One route: a path, who answers, and options. A tuple of these becomes one. With a status in
/// place of the path, it is who answers where an answer with that status has no body.
#[derive(Debug)]
pub struct Route {
    matches: PathOrStatus,
    handler: Handler,
    options: RouteOptions,
}

/// The first part of a route: a path, or the status of answers without a body.
#[derive(Debug, Clone)]
pub enum PathOrStatus {
    /// A path, such as `/notes/{id}`.
    Path(String),
    /// A status from 400 to 599.
    Status(u16),
}

impl From<&str> for PathOrStatus {
    fn from(path: &str) -> Self {
        PathOrStatus::Path(path.to_owned())
    }
}

impl From<String> for PathOrStatus {
    fn from(path: String) -> Self {
        PathOrStatus::Path(path)
    }
}

impl From<u16> for PathOrStatus {
    fn from(status: u16) -> Self {
        PathOrStatus::Status(status)
    }
}

/// Who answers: the name of an action or of a protocol's handler, an action itself, or files.
#[derive(Debug, Clone)]
pub enum Handler {
    /// What `router.toml` would write, such as `notes_api::index`.
    Named(String),
    /// Code that has no name.
    Action(Action),
    /// Static files.
    Files(StaticFiles),
}

/// The options of a route, the third part of the tuple: begin with [`methods`] or [`protocol`], or
/// with the default.
///
/// ```
/// use nova_core::{App, Request, Result, RouteOptions, methods};
///
/// async fn show(request: Request) -> Result<String> {
///     let note = request.path_for("note", &[("id", &request.binding::<i64>("id")?)])?;
///     Ok(format!("{note} in {}", request.extra::<String>()?))
/// }
///
/// let app = App::builder()
///     .route(("/notes/{id}", show, methods(["get"]).name("note").extra("English")))
///     .route(("/notizen/{id}", show, RouteOptions::default().extra("German")))
///     .build()
///     .unwrap();
/// ```
#[derive(Debug, Clone, Default)]
pub struct RouteOptions {
    methods: Option<Vec<String>>,
    protocol: Option<String>,
    name: Option<String>,
    extra: Option<Result<serde_json::Value, String>>,
    limits: Limits,
}

impl RouteOptions {
    /// Names the route, for [`Head::path_for`](crate::Head::path_for). Routes of one path may
    /// share a name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Gives who answers some data, which [`Head::extra`](crate::Head::extra) reads.
    #[must_use]
    pub fn extra<T: Serialize + ?Sized>(mut self, extra: &T) -> Self {
        self.extra = Some(serde_json::to_value(extra).map_err(|error| error.to_string()));
        self
    }
}

impl RouteOptions {
    /// Sets limits of the route's protocol, in place of its group's.
    #[must_use]
    pub fn limits(mut self, limits: impl ProtocolLimits) -> Self {
        self.limits.protocols.push(Arc::new(limits));
        self
    }

    /// Takes bodies up to so many bytes, in place of the group's limit.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.limits.body = Some(bytes);
        self
    }
}

/// Answer these methods only, such as `["get", "post"]`; without it, a route answers them all.
pub fn methods<M: Into<String>>(methods: impl IntoIterator<Item = M>) -> RouteOptions {
    RouteOptions {
        methods: Some(methods.into_iter().map(Into::into).collect()),
        ..RouteOptions::default()
    }
}

/// Answer by this protocol, such as `ws`; without it, a route answers by `http`.
pub fn protocol(protocol: impl Into<String>) -> RouteOptions {
    RouteOptions {
        protocol: Some(protocol.into()),
        ..RouteOptions::default()
    }
}

/// What is wrong with a group that has both.
pub(super) const EITHER_PLUGINS: &str = "`plugins` takes the place of the global plugins, and \
    `plugins_add` adds to them: a group has one of the two";

impl Group {
    /// A group without a prefix, with the app's global plugins and no routes.
    #[expect(
        clippy::new_without_default,
        reason = "an empty group is a beginning, no default"
    )]
    pub fn new() -> Self {
        Group {
            prefix: None,
            host: None,
            environments: None,
            plugins: None,
            plugins_add: Vec::new(),
            security: None,
            fallback: None,
            limits: Limits::default(),
            limits_origin: None,
            routes: Vec::new(),
            apps: Vec::new(),
        }
    }

    /// Puts all routes of the group below `prefix`.
    #[must_use]
    #[track_caller]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some((prefix.into(), Origin::caller()));
        self
    }

    /// Answers requests for this host only: `example.com`, or `*.example.com` for all below it. For
    /// such a request, the routes of its host come before equal ones of no host.
    #[must_use]
    #[track_caller]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some((host.into(), Origin::caller()));
        self
    }

    /// Has its routes in these environments only. They are checked in all.
    #[must_use]
    pub fn environments(mut self, environments: impl IntoIterator<Item = Environment>) -> Self {
        self.environments = Some(environments.into_iter().collect());
        self
    }

    /// Takes bodies up to so many bytes, in place of `server.body_limit`.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.limits.body = Some(bytes);
        self
    }

    /// Sets limits of a protocol for the routes of the group, in place of the app's: what
    /// `limits = { ws = { … } }` is in `router.toml`.
    #[must_use]
    #[track_caller]
    pub fn limits(mut self, limits: impl ProtocolLimits) -> Self {
        self.limits.protocols.push(Arc::new(limits));
        self.limits_origin = Some(Origin::caller());
        self
    }

    /// Runs these plugins behind the global ones. A group that has [`plugins`](Self::plugins) or a
    /// [`plugin`](Self::plugin) of its own in place of the global ones cannot add to them.
    #[must_use]
    #[track_caller]
    pub fn plugins_add<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let origin = Origin::caller();
        self.plugins_add.extend(registered(names, &origin));
        self
    }

    /// Runs these plugins, registered under these names, in place of the global ones. Those that
    /// take options have their defaults.
    #[must_use]
    #[track_caller]
    pub fn plugins<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let origin = Origin::caller();
        let named = registered(names, &origin);
        self.plugins.get_or_insert_default().extend(named);
        self
    }

    /// Runs a plugin of the group's own, behind those before it and in place of the global ones:
    /// what a tuple with options is in `router.toml`. `name` is for the log.
    ///
    /// ```
    /// use nova_core::{Group, RequestOptions, RequestPlugin};
    ///
    /// let options = RequestOptions {
    ///     decode_json_body: true,
    ///     ..RequestOptions::default()
    /// };
    /// let group = Group::new().plugin("request", RequestPlugin::new(options));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn plugin(mut self, name: &str, plugin: impl Plugin) -> Self {
        let own = NamedPlugin {
            name: name.into(),
            code: Arc::new(plugin),
            written: name.into(),
            origin: Origin::caller(),
        };
        let plugins = self.plugins.get_or_insert_default();
        plugins.push(GroupPlugin::Own(own));
        self
    }

    /// Asks the security function that is registered under this name, before any route of the
    /// group answers.
    #[must_use]
    #[track_caller]
    pub fn security(mut self, name: impl Into<String>) -> Self {
        self.security = Some((name.into(), Origin::caller()));
        self
    }

    /// Asks the [fallback](crate::Fallback) that is registered under this name when an action of
    /// the group does not answer, and the fallback of its controller neither.
    #[must_use]
    #[track_caller]
    pub fn fallback(mut self, name: impl Into<String>) -> Self {
        self.fallback = Some((name.into(), Origin::caller()));
        self
    }

    /// Adds a route: `(path, handler)` or `(path, handler, options)`; or `(404, handler)`, who
    /// answers below the group's prefix where an answer with that status has no body.
    #[must_use]
    #[track_caller]
    pub fn route(mut self, route: impl IntoRoute) -> Self {
        self.routes.push((route.into_route(), Origin::caller()));
        self
    }

    /// Puts the routes of an app that is [mounted](crate::AppBuilder::mount) under this name below the
    /// prefix of the group, behind its plugins and its security function.
    #[must_use]
    #[track_caller]
    pub fn app(mut self, name: impl Into<String>) -> Self {
        self.apps.push((name.into(), Origin::caller()));
        self
    }

    /// Adds routes of one kind of tuple.
    #[must_use]
    #[track_caller]
    pub fn routes<R: IntoRoute>(mut self, routes: impl IntoIterator<Item = R>) -> Self {
        let origin = Origin::caller();
        let routes = routes
            .into_iter()
            .map(|one| (one.into_route(), origin.clone()));
        self.routes.extend(routes);
        self
    }

    /// The group as the table wants it, with what its names stand for.
    pub(crate) fn into_spec(self, registry: &Registry, errors: &mut Vec<BuildError>) -> GroupSpec {
        let security = self
            .security
            .map(|(name, origin)| registry.security(&name, &origin, errors));
        let fallback = self
            .fallback
            .map(|(name, origin)| registry.fallback(&name, &origin, errors));
        let host = self.host.map(|(host, origin)| {
            let read = Host::parse(&host);
            let wrong = |message| BuildError::WrongValue { message, origin };
            read.map_err(|message| errors.push(wrong(message))).ok()
        });
        if let (Some(_), Some(GroupPlugin::Registered(_, origin))) =
            (&self.plugins, self.plugins_add.first())
        {
            errors.push(BuildError::WrongValue {
                message: EITHER_PLUGINS.to_owned(),
                origin: origin.clone(),
            });
        }
        let mut resolve = |plugins: Vec<GroupPlugin>| -> Vec<NamedPlugin> {
            let resolved = plugins.into_iter();
            resolved
                .filter_map(|plugin| registry.group_plugin(plugin, errors))
                .collect()
        };
        let added = resolve(self.plugins_add);
        let plugins = match self.plugins {
            Some(plugins) => PluginsSpec::Own(resolve(plugins).into()),
            None if added.is_empty() => PluginsSpec::Global,
            None => PluginsSpec::GlobalAnd(added),
        };
        let limits = match self.limits_origin {
            Some(origin) => self.limits.checked(&origin, errors),
            None => self.limits,
        };
        let routes = self.routes.into_iter();
        let apps = self.apps.into_iter().filter_map(|(name, origin)| {
            let mounted = registry.app(&name, &origin, errors)?;
            Some((mounted, origin))
        });
        let apps = apps.collect();
        GroupSpec {
            apps,
            security: security.flatten(),
            fallback: fallback.flatten(),
            prefix: self
                .prefix
                .map(|(path, origin)| Some(PathSpec { path, origin })),
            host,
            environments: self.environments,
            plugins,
            limits,
            routes: routes
                .map(|(route, origin)| route.into_spec(origin, registry, errors))
                .collect(),
        }
    }
}

fn registered<N: Into<String>>(
    names: impl IntoIterator<Item = N>,
    origin: &Origin,
) -> impl Iterator<Item = GroupPlugin> {
    let named = names.into_iter();
    named.map(|name| GroupPlugin::Registered(name.into(), origin.clone()))
}

impl Route {
    /// The same route, whose handler is an action of this controller unless it names another.
    pub(crate) fn of_controller(mut self, controller: &str) -> Self {
        if let Handler::Named(name) = &mut self.handler
            && !name.contains("::")
        {
            *name = format!("{controller}::{name}");
        }
        self
    }

    fn into_spec(
        self,
        origin: Origin,
        registry: &Registry,
        errors: &mut Vec<BuildError>,
    ) -> RouteSpec {
        let place = |name: String| (name, origin.clone());
        let options = self.options;
        let extra = options.extra.and_then(|extra| {
            let wrong = |error| BuildError::WrongValue {
                message: format!("the extra data of the route is no JSON: {error}"),
                origin: origin.clone(),
            };
            extra.map_err(|error| errors.push(wrong(error))).ok()
        });
        RouteSpec {
            matches: match self.matches {
                PathOrStatus::Status(status) => Matches::Status(status, origin.clone()),
                PathOrStatus::Path(path) => Matches::Path(Some(PathSpec {
                    path,
                    origin: origin.clone(),
                })),
            },
            handler: match self.handler {
                Handler::Files(files) => {
                    let place = |_: &str| origin.clone();
                    Handler::Files(files.checked(&registry.root, place, errors))
                }
                other => other,
            },
            handler_origin: origin.clone(),
            methods: options
                .methods
                .map(|methods| methods.into_iter().map(place).collect()),
            protocol: options.protocol.map(place),
            name: options.name.map(place),
            extra: extra.map(Arc::new),
            limits: options.limits.checked(&origin, errors),
            origin: origin.clone(),
        }
    }
}

/// A route is one already.
impl IntoRoute for Route {
    fn into_route(self) -> Route {
        self
    }
}

/// What is a route: a tuple `(path, handler)` or `(path, handler, options)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no route",
    note = "a route is `(\"/path\", \"controller::action\")` or `(\"/path\", action, methods([\"get\"]))`"
)]
pub trait IntoRoute {
    /// The route.
    fn into_route(self) -> Route;
}

impl<P: Into<PathOrStatus>, H: IntoHandler> IntoRoute for (P, H) {
    fn into_route(self) -> Route {
        (self.0, self.1, RouteOptions::default()).into_route()
    }
}

impl<P: Into<PathOrStatus>, H: IntoHandler> IntoRoute for (P, H, RouteOptions) {
    fn into_route(self) -> Route {
        Route {
            matches: self.0.into(),
            handler: self.1.into_handler(),
            options: self.2,
        }
    }
}

/// Who answers a route: a name, or an `async fn(Request) -> impl IntoReply`, or such a closure, or
/// static [`files`](crate::files).
#[diagnostic::on_unimplemented(
    message = "`{Self}` answers no route",
    note = "name an action, such as `\"notes_api::index\"`, or write an `async fn` that takes a `Request` and returns a reply"
)]
pub trait IntoHandler {
    /// The handler.
    fn into_handler(self) -> Handler;
}

impl IntoHandler for &str {
    fn into_handler(self) -> Handler {
        Handler::Named(self.to_owned())
    }
}

impl IntoHandler for StaticFiles {
    fn into_handler(self) -> Handler {
        Handler::Files(self)
    }
}

impl IntoHandler for Action {
    fn into_handler(self) -> Handler {
        Handler::Action(self)
    }
}

impl<F> IntoHandler for F
where
    F: ActionFn + Send + Sync + 'static,
    F::Future: Future<Output: IntoReply> + Send + 'static,
{
    fn into_handler(self) -> Handler {
        Handler::Action(Action::new(self))
    }
}
