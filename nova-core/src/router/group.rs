//! Routes and groups of them, as written in Rust; `router.toml` is read into the same.

use std::fmt;
use std::sync::Arc;

use super::registry::Registry;
use crate::build_error::BuildError;
use crate::controller::{Action, ActionFn};
use crate::origin::Origin;
use crate::plugin::{Chain, NamedPlugin, Plugin};
use crate::reply::IntoReply;
use crate::security::NamedSecurity;

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
    plugins: Option<Vec<GroupPlugin>>,
    security: Option<(String, Origin)>,
    routes: Vec<(Route, Origin)>,
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

/// One route: a path, who answers, and options. A tuple of these becomes one.
#[derive(Debug)]
pub struct Route {
    path: String,
    handler: Handler,
    options: RouteOptions,
}

/// Who answers: the name of an action or of a protocol's handler, or an action itself.
#[derive(Debug, Clone)]
pub enum Handler {
    /// What `router.toml` would write, such as `notes_api::index`.
    Named(String),
    /// Code that has no name.
    Action(Action),
}

/// The options of a route, the third part of the tuple: see [`methods`] and [`protocol`].
#[derive(Debug, Clone, Default)]
pub struct RouteOptions {
    methods: Option<Vec<String>>,
    protocol: Option<String>,
}

/// Answer these methods only, such as `["get", "post"]`; without it, a route answers them all.
pub fn methods<M: Into<String>>(methods: impl IntoIterator<Item = M>) -> RouteOptions {
    RouteOptions {
        methods: Some(methods.into_iter().map(Into::into).collect()),
        protocol: None,
    }
}

/// Answer by this protocol, such as `ws`; without it, a route answers by `http`.
pub fn protocol(protocol: impl Into<String>) -> RouteOptions {
    RouteOptions {
        methods: None,
        protocol: Some(protocol.into()),
    }
}

impl Group {
    /// A group without a prefix, with the app's global plugins and no routes.
    #[expect(
        clippy::new_without_default,
        reason = "an empty group is a beginning, no default"
    )]
    pub fn new() -> Self {
        Group {
            prefix: None,
            plugins: None,
            security: None,
            routes: Vec::new(),
        }
    }

    /// Puts all routes of the group below `prefix`.
    #[must_use]
    #[track_caller]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some((prefix.into(), Origin::caller()));
        self
    }

    /// Runs these plugins, registered under these names, in place of the global ones. Those that
    /// take options have their defaults.
    #[must_use]
    #[track_caller]
    pub fn plugins<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let origin = Origin::caller();
        let named = names
            .into_iter()
            .map(|name| GroupPlugin::Registered(name.into(), origin.clone()));
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
    pub fn plugin(mut self, name: &str, plugin: impl Plugin) -> Self {
        let own = NamedPlugin {
            name: name.into(),
            code: Arc::new(plugin),
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

    /// Adds a route: `(path, handler)` or `(path, handler, options)`.
    #[must_use]
    #[track_caller]
    pub fn route(mut self, route: impl IntoRoute) -> Self {
        self.routes.push((route.into_route(), Origin::caller()));
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
        let resolve = |plugin| registry.group_plugin(plugin, errors);
        GroupSpec {
            security: security.flatten(),
            prefix: self
                .prefix
                .map(|(path, origin)| Some(PathSpec { path, origin })),
            plugins: self
                .plugins
                .map(|plugins| plugins.into_iter().filter_map(resolve).collect()),
            routes: self
                .routes
                .into_iter()
                .map(|(route, origin)| route.into_spec(origin))
                .collect(),
        }
    }
}

impl Route {
    fn into_spec(self, origin: Origin) -> RouteSpec {
        let place = |name: String| (name, origin.clone());
        RouteSpec {
            path: Some(PathSpec {
                path: self.path,
                origin: origin.clone(),
            }),
            handler: self.handler,
            handler_origin: origin.clone(),
            methods: self
                .options
                .methods
                .map(|methods| methods.into_iter().map(place).collect()),
            protocol: self.options.protocol.map(place),
            origin: origin.clone(),
        }
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

impl<P: Into<String>, H: IntoHandler> IntoRoute for (P, H) {
    fn into_route(self) -> Route {
        (self.0, self.1, RouteOptions::default()).into_route()
    }
}

impl<P: Into<String>, H: IntoHandler> IntoRoute for (P, H, RouteOptions) {
    fn into_route(self) -> Route {
        Route {
            path: self.0.into(),
            handler: self.1.into_handler(),
            options: self.2,
        }
    }
}

/// Who answers a route: a name, or an `async fn(Request) -> impl IntoReply`, or such a closure.
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

/// A group as it was read, from Rust or from a file, with the place of every part.
#[derive(Default)]
pub(crate) struct GroupSpec {
    /// `Some(None)` for one that could not be read.
    pub(crate) prefix: Option<Option<PathSpec>>,
    /// `None` for the global ones.
    pub(crate) plugins: Option<Chain>,
    pub(crate) security: Option<NamedSecurity>,
    pub(crate) routes: Vec<RouteSpec>,
}

pub(crate) struct PathSpec {
    pub(crate) path: String,
    pub(crate) origin: Origin,
}

pub(crate) struct RouteSpec {
    /// `None` for one that could not be read.
    pub(crate) path: Option<PathSpec>,
    pub(crate) handler: Handler,
    pub(crate) handler_origin: Origin,
    pub(crate) methods: Option<Vec<(String, Origin)>>,
    pub(crate) protocol: Option<(String, Origin)>,
    pub(crate) origin: Origin,
}
