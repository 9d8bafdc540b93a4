//! What a program says of its app: every call of the builder.

use std::any::{Any, TypeId};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use tower_layer::Layer;
use tracing::info;

use super::PUBSUB;
use super::assembly::variables;
use crate::body::ArrivingBody;
use crate::build_error::{BuildError, NameKind};
use crate::command::Command;
use crate::config::{self, Config, Environment};
use crate::controller::{Action, ActionFn, Controller};
use crate::error::{Error, Result};
use crate::error_mapping::ErrorMappings;
use crate::fallback::{Fallback, Resolver};
use crate::layer::Layered;
use crate::origin::{Origin, SourceFile};
use crate::plugin::{self, Plugin};
use crate::protocol::{ProtocolHandler, ProtocolLimits};
use crate::reply::{IntoReply, ReplyHandlers};
use crate::request::Head;
use crate::router::{self, Group, GroupPlugin, IntoRoute, Limits, Registry};
use crate::security::Security;
use crate::server::health::Check;
use crate::service::{NamedService, PubSubService, Service};
use crate::session::{ErasedStore, SessionStore, Sessions};

/// The app's own settings, read before the others.
pub(super) struct AppSettings {
    pub(super) value: Arc<dyn Any + Send + Sync>,
    /// The texts of the secrets in it.
    pub(super) secrets: Vec<String>,
    pub(super) type_name: &'static str,
    /// The file that they were read from.
    pub(super) file: Option<PathBuf>,
    pub(super) errors: Vec<BuildError>,
    pub(super) origin: Origin,
}

/// The settings of an app that is mounted, read before the others.
pub(super) struct MountedSettings {
    pub(super) name: String,
    /// The texts of the secrets in them.
    pub(super) secrets: Vec<String>,
    pub(super) errors: Vec<BuildError>,
}

/// An app that is to be mounted.
pub(super) struct Mount {
    pub(super) name: String,
    pub(super) make: Box<dyn FnOnce() -> AppBuilder>,
    /// What `make` is, to notice an app that mounts itself.
    pub(super) made_by: TypeId,
    pub(super) origin: Origin,
}

/// Collects the parts of an [`App`](crate::App), and checks them together in [`build`](Self::build).
///
/// No call fails by itself: what is wrong is told by `build`, all at once, with the line of the
/// call.
pub struct AppBuilder {
    pub(super) environment: Option<Environment>,
    pub(super) config_file: Option<(PathBuf, Origin)>,
    pub(super) router_file: Option<(PathBuf, Origin)>,
    pub(super) views: Option<(PathBuf, Origin)>,
    pub(super) app_settings: Option<AppSettings>,
    pub(super) mounted_settings: Vec<MountedSettings>,
    pub(super) mounts: Vec<Mount>,
    pub(super) registry: Registry,
    pub(super) global_plugins: Vec<GroupPlugin>,
    pub(super) limits: Limits,
    pub(super) groups: Vec<Group>,
    pub(super) services: Vec<(NamedService, Origin)>,
    pub(super) checks: Vec<(Check, Origin)>,
    pub(super) session_store: Option<(Arc<dyn ErasedStore>, Origin)>,
    pub(super) replies: ReplyHandlers,
    pub(super) layers: Option<Layered>,
    pub(super) error_mappings: ErrorMappings,
    pub(super) fallback: Option<(Resolver, Origin)>,
    pub(super) errors: Vec<BuildError>,
}

impl fmt::Debug for AppBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppBuilder")
            .field("config_file", &self.config_file)
            .field("router_file", &self.router_file)
            .finish_non_exhaustive()
    }
}

impl AppBuilder {
    pub(super) fn new() -> Self {
        let builder = AppBuilder {
            environment: None,
            config_file: None,
            router_file: None,
            views: None,
            app_settings: None,
            mounted_settings: Vec::new(),
            mounts: Vec::new(),
            registry: Registry::default(),
            global_plugins: Vec::new(),
            limits: Limits::default(),
            groups: Vec::new(),
            services: Vec::new(),
            checks: Vec::new(),
            session_store: None,
            replies: ReplyHandlers::default(),
            layers: None,
            error_mappings: ErrorMappings::default(),
            fallback: None,
            errors: Vec::new(),
        };
        let builder = plugin::register_built_in(builder).service(PUBSUB, PubSubService);
        builder.registry.plugins_are_built_in();
        builder
    }

    /// Where the app runs, whatever `NOVA_ENV` says: for tests of what happens in `prod`. Call it
    /// before [`settings`](Self::settings). **Default:** as [`Environment`] says.
    ///
    /// ```
    /// use nova_core::testing::TestClient;
    /// use nova_core::{App, Environment, Error, Reply, Result};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let app = App::builder()
    ///     .environment(Environment::Prod)
    ///     .action("fail", |_| async {
    ///         let full = std::io::Error::other("the disk is full");
    ///         Result::<Reply>::Err(Error::from(full))
    ///     })
    ///     .route(("/", "fail"));
    /// let client = TestClient::new(app.build().unwrap());
    ///
    /// assert!(!client.get("/").await.text().contains("disk"));
    /// # }
    /// ```
    #[must_use]
    #[track_caller]
    pub fn environment(mut self, environment: Environment) -> Self {
        if self.app_settings.is_some() {
            self.errors.push(BuildError::WrongValue {
                message: "the settings are read before their environment is named: call \
                          `.settings()` after `.environment(…)`"
                    .to_owned(),
                origin: Origin::caller(),
            });
        }
        self.environment = Some(environment);
        self
    }

    /// The folder of the app, usually `env!("CARGO_MANIFEST_DIR")`: `nova.toml` and `router.toml`
    /// in it are read, and both must be there; an empty `nova.toml` leaves all settings at their
    /// defaults. So are the [views](Self::views) in its folder `views`, if it has one. The
    /// paths of static [`files`](crate::files) in Rust are relative to it. A relative folder is one
    /// below the working directory.
    #[must_use]
    #[track_caller]
    pub fn root(mut self, folder: impl AsRef<Path>) -> Self {
        let folder = folder.as_ref();
        self.registry.root = folder.to_path_buf();
        let views = folder.join("views");
        let app = self
            .config_file(folder.join("nova.toml"))
            .router_file(folder.join("router.toml"));
        if views.is_dir() {
            app.views(views)
        } else {
            app
        }
    }

    /// The folder with the templates of [`view`](crate::view) replies. All files in it and below
    /// are read, hidden ones excepted. **Default:** none.
    #[must_use]
    #[track_caller]
    pub fn views(mut self, folder: impl Into<PathBuf>) -> Self {
        self.views = Some((folder.into(), Origin::caller()));
        self
    }

    /// The file with the settings, as [`Config`] describes them. **Default:** none, and so the
    /// default settings.
    #[must_use]
    #[track_caller]
    pub fn config_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.config_file = Some((file.into(), Origin::caller()));
        self
    }

    /// Reads the app's own settings: the `[app]` table of `nova.toml`, `[dev.app]` or `[prod.app]`
    /// over it, and variables such as `NOVA_APP__PAGE_SIZE` over both.
    ///
    /// `T` is a struct that derives `Deserialize`, with `#[serde(deny_unknown_fields)]`, and
    /// `#[serde(default)]` unless all of its fields have to be set. What is secret in it is a
    /// [`Secret`](crate::Secret). It is read at once, for the code that makes the app; later,
    /// [`Config::app`] has it.
    ///
    /// ```
    /// use nova_core::{App, Secret};
    ///
    /// #[derive(Clone, Default, serde::Deserialize)]
    /// #[serde(deny_unknown_fields, default)]
    /// struct Settings {
    ///     page_size: Option<u32>,
    ///     mail_password: Secret,
    /// }
    ///
    /// let mut app = App::builder().root("my_app");
    /// let settings: Settings = app.settings();
    /// ```
    ///
    /// Call it after [`root`](Self::root). If anything is wrong with the settings, this gives the
    /// default, and [`build`](Self::build) tells what.
    #[track_caller]
    pub fn settings<T>(&mut self) -> T
    where
        T: DeserializeOwned + Default + Clone + Send + Sync + 'static,
    {
        let (origin, type_name) = (Origin::caller(), std::any::type_name::<T>());
        if let Some(read) = &self.app_settings {
            if let Some(settings) = read.value.downcast_ref::<T>() {
                return settings.clone();
            }
            let first = format!("`{}` at {}", read.type_name, read.origin);
            self.errors.push(BuildError::WrongValue {
                message: format!("the settings are read as `{type_name}`, and before as {first}"),
                origin,
            });
            return T::default();
        }
        // What is wrong with the file and the other tables is told when those are read.
        let told_later = &mut Vec::new();
        let variables = self.variables(told_later);
        let file = SourceFile::read_named(self.config_file.as_ref(), told_later);
        let mut errors = Vec::new();
        let (settings, secrets) = config::read_app::<T>(file.as_ref(), &variables, &mut errors);
        let settings = settings.unwrap_or_default();
        self.app_settings = Some(AppSettings {
            value: Arc::new(settings.clone()),
            secrets,
            type_name,
            file: self.config_file.as_ref().map(|(file, _)| file.clone()),
            errors,
            origin,
        });
        settings
    }

    /// Reads the settings of an app that is [mounted](Self::mount) as `name`, from `[apps.admin]` for
    /// `admin`, and from `[dev.apps.admin]` and variables such as `NOVA_APPS__ADMIN__PAGE_SIZE` over it.
    ///
    /// `T` is as in [`settings`](Self::settings). Call it after [`root`](Self::root); if anything is
    /// wrong with the settings, this gives the default, and [`build`](Self::build) tells what.
    #[track_caller]
    pub fn settings_of<T>(&mut self, name: &str) -> T
    where
        T: DeserializeOwned + Default,
    {
        // What is wrong with the file and the other tables is told when those are read.
        let told_later = &mut Vec::new();
        let variables = self.variables(told_later);
        let file = SourceFile::read_named(self.config_file.as_ref(), told_later);
        let mut errors = Vec::new();
        let (settings, secrets) =
            config::read_mounted::<T>(name, file.as_ref(), &variables, &mut errors);
        self.mounted_settings.push(MountedSettings {
            name: name.to_owned(),
            secrets,
            errors,
        });
        settings.unwrap_or_default()
    }

    /// Mounts the app that `make` makes, under a name: a group of routes that has the name in `apps`
    /// has the app's routes below its prefix.
    ///
    /// The app is written like any other, usually in a crate of its own. It brings its routes (in Rust
    /// or in a router file), controllers, plugins, security functions, views, files, services, reply
    /// handlers, error mappings and its fallback. Its routes run behind the plugins and the security
    /// function of the group that has it, within its host and its limits, and answer nothing outside its
    /// prefix. Its services start behind those of this app, as `name::service`. Names of its routes are
    /// its own: [`path_for`](crate::Head::path_for) finds them first, and the others as `admin::index`.
    /// Settings of the server, and its `nova.toml`, if it has one, count for an app that is served and
    /// not for one that is mounted; [`settings_of`](Self::settings_of) reads what it needs.
    ///
    /// ```
    /// use nova_core::{App, Group};
    ///
    /// mod admin {
    ///     use nova_core::{App, AppBuilder, text};
    ///
    ///     pub fn app(title: &str) -> AppBuilder {
    ///         let title = title.to_owned();
    ///         App::builder()
    ///             .action("index", move |_| {
    ///                 let title = title.clone();
    ///                 async { text(title) }
    ///             })
    ///             .route(("/", "index"))
    ///     }
    /// }
    ///
    /// let app = App::builder()
    ///     .mount("admin", || admin::app("Back office"))
    ///     .group(Group::new().prefix("/admin").app("admin"))
    ///     .build()
    ///     .unwrap();
    /// assert_eq!(app.router().routes()[0].path, "/admin");
    /// ```
    ///
    /// `make` is called by [`build`](Self::build). An app that mounts itself, directly or through others, is
    /// a mistake.
    #[must_use]
    #[track_caller]
    pub fn mount<F>(mut self, name: &str, make: F) -> Self
    where
        F: FnOnce() -> AppBuilder + 'static,
    {
        self.mounts.push(Mount {
            name: name.to_owned(),
            make: Box::new(make),
            made_by: TypeId::of::<F>(),
            origin: Origin::caller(),
        });
        self
    }

    /// The file with the routes. **Default:** none, and so only those of
    /// [`route`](Self::route) and [`group`](Self::group).
    ///
    /// ```toml
    /// # Plugins of all groups that list none of their own, and of requests without a route:
    /// # a name, or a name with options.
    /// plugins = ["audit"]
    ///
    /// [[group]]
    /// prefix  = "/api"
    /// # In place of the global list:
    /// plugins = [["request", { decode_json_body = true }]]
    /// # Who decides who may pass; left out or `false`, everybody may:
    /// security = "auth::session"
    /// routes = [
    ///     # [path, who answers, options]
    ///     ["/notes",         "notes_api::index", { methods = ["get"] }],
    ///     ["/notes/{id}",    "notes_api::show",  { methods = ["get"] }],
    ///     ["/files/{*rest}", "files::show"],
    ///     ["/notifications", "notifications",    { protocol = "ws" }],
    /// ]
    /// ```
    ///
    /// - **Who answers** is an action of a [`controller`](Self::controller), a function registered
    ///   as an [`action`](Self::action), or, with a `protocol`, a handler of that protocol; or static
    ///   files: `{ dir = "priv/assets" }`, `{ file = "priv/favicon.ico" }` (see [`files`](crate::files)).
    /// - **Paths**: `{id}` binds one segment, `{*rest}` at the end binds zero or more; Nova's `:id`
    ///   and `[...]` mean the same, and the rest of `[...]` is called `pathinfo`. Segment by
    ///   segment, a static one comes before a binding and a binding before a rest, in whatever
    ///   order the routes stand. Values are percent-decoded; bad encoding is a 400. One slash at
    ///   the end and repeated slashes count for nothing; two at the end are a 404.
    /// - **Methods** left out means all. `HEAD` is answered by a `GET` route, `OPTIONS` and the 405
    ///   by the methods of the path. A `ws` route may share its path with others.
    ///
    /// Two routes for the same requests are a mistake. [`build`](Self::build) tells of all of them.
    #[must_use]
    #[track_caller]
    pub fn router_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.router_file = Some((file.into(), Origin::caller()));
        self
    }

    /// Registers a controller; routes name its actions as `controller::action`. Those that it
    /// brings itself are added.
    #[must_use]
    #[track_caller]
    pub fn controller<C: Controller>(mut self, controller: C) -> Self {
        let origin = Origin::caller();
        let controller = Arc::new(controller);
        let fallback = controller.fallback();
        let own = controller.routes().into_iter();
        let own: Vec<_> = own.map(|route| route.of_controller(C::NAME)).collect();
        if !own.is_empty() {
            self.groups.push(Group::new().routes(own));
        }
        for (action, mut code) in controller.actions() {
            code.fallback.clone_from(&fallback);
            let name = format!("{}::{action}", C::NAME);
            self.registry
                .add_action(name, code, origin.clone(), &mut self.errors);
        }
        self
    }

    /// Registers an `async fn(Request) -> impl IntoReply`, or such a closure, under a name of its
    /// own.
    #[must_use]
    #[track_caller]
    pub fn action<F>(mut self, name: &str, action: F) -> Self
    where
        F: ActionFn + Send + Sync + 'static,
        F::Future: Future<Output: IntoReply> + Send + 'static,
    {
        let origin = Origin::caller();
        let action = Action::new(action);
        self.registry
            .add_action(name.to_owned(), action, origin, &mut self.errors);
        self
    }

    /// Registers a plugin that takes no options.
    #[must_use]
    #[track_caller]
    pub fn plugin(mut self, name: &str, plugin: impl Plugin) -> Self {
        let origin = Origin::caller();
        let plugin = router::plugin_without_options(plugin);
        self.registry
            .add_plugin(name.to_owned(), plugin, origin, &mut self.errors);
        self
    }

    /// Registers a plugin that is made of its options: `["name", { option = … }]` in the router
    /// file.
    ///
    /// `O` is a struct that derives `Deserialize`, with `#[serde(default)]` and
    /// `#[serde(deny_unknown_fields)]`; wrong options are told with their place.
    #[must_use]
    #[track_caller]
    pub fn plugin_with<O, P>(
        mut self,
        name: &str,
        make: impl Fn(O) -> P + Send + Sync + 'static,
    ) -> Self
    where
        O: DeserializeOwned,
        P: Plugin,
    {
        let origin = Origin::caller();
        let plugin = router::plugin_with_options(make);
        self.registry
            .add_plugin(name.to_owned(), plugin, origin, &mut self.errors);
        self
    }

    /// Runs these plugins for every group that lists none of its own, before those that the
    /// router file lists globally, and for requests that no route answers.
    #[must_use]
    #[track_caller]
    pub fn global_plugins<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let origin = Origin::caller();
        let named = names
            .into_iter()
            .map(|name| GroupPlugin::Registered(name.into(), origin.clone()));
        self.global_plugins.extend(named);
        self
    }

    /// Registers a security function, which groups name in `security`.
    #[must_use]
    #[track_caller]
    pub fn security(mut self, name: &str, security: impl Security) -> Self {
        let origin = Origin::caller();
        self.registry
            .add_security(name, Arc::new(security), origin, &mut self.errors);
        self
    }

    /// Registers what answers the routes of a protocol that name it.
    ///
    /// This is the door for crates that bring a protocol; nova-ws wraps it as
    /// `.websocket(name, handler)`.
    #[must_use]
    #[track_caller]
    pub fn protocol_handler(
        mut self,
        protocol: &str,
        name: &str,
        handler: impl ProtocolHandler,
    ) -> Self {
        let (origin, handler) = (Origin::caller(), Arc::new(handler));
        self.registry
            .add_handler(protocol, name.to_owned(), handler, origin, &mut self.errors);
        self
    }

    /// Lets the `limits` of `router.toml` have those of a protocol. Crates that bring a protocol do it
    /// together with [`protocol_handler`](Self::protocol_handler); twice is once.
    #[must_use]
    pub fn protocol_limits<L: ProtocolLimits>(mut self) -> Self {
        self.registry.add_limits::<L>();
        self
    }

    /// Sets limits of a protocol for all routes, in place of its defaults: what `limits` at the top of
    /// `router.toml` does.
    #[must_use]
    #[track_caller]
    pub fn limits(mut self, limits: impl ProtocolLimits) -> Self {
        let limits = Limits {
            protocols: vec![Arc::new(limits)],
            ..Limits::default()
        };
        let limits = limits.checked(&Origin::caller(), &mut self.errors);
        self.limits = self.limits.and(&limits);
        self
    }

    /// Registers what renders the values of a type of the app's own, which controllers give to
    /// [`value`](crate::value).
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use nova_core::{App, Head, Reply, Request, bytes, value};
    ///
    /// struct Xml(String);
    ///
    /// async fn xml(xml: Xml, _head: Arc<Head>) -> Reply {
    ///     bytes(xml.0).content_type("application/xml")
    /// }
    ///
    /// let app = App::builder()
    ///     .reply_handler(xml)
    ///     .route(("/feed", |_: Request| async { value(Xml("<feed/>".into())) }))
    ///     .build()
    ///     .unwrap();
    /// ```
    ///
    /// A handler answers with any reply but a value again. An error or a panic in it is the
    /// controller's.
    #[must_use]
    #[track_caller]
    pub fn reply_handler<T, F, Fut>(mut self, handler: F) -> Self
    where
        T: Send + Sync + 'static,
        F: Fn(T, Arc<Head>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoReply> + Send + 'static,
    {
        let origin = Origin::caller();
        self.replies.add(handler, origin, &mut self.errors);
        self
    }

    /// Says what an error of a type means to a client, wherever it comes from by `?`.
    ///
    /// ```
    /// use nova_core::testing::TestClient;
    /// use nova_core::{App, Error, Request, Result};
    ///
    /// #[derive(Debug)]
    /// struct NoSuchNote(i64);
    ///
    /// impl std::fmt::Display for NoSuchNote {
    ///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    ///         write!(f, "the table `notes` has no row {}", self.0)
    ///     }
    /// }
    ///
    /// impl std::error::Error for NoSuchNote {}
    ///
    /// async fn show(_request: Request) -> Result<()> {
    ///     Err(NoSuchNote(7))?
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let app = App::builder()
    ///     .error(|error: &NoSuchNote| Error::new(404, format!("there is no note {}", error.0)))
    ///     .route(("/", show))
    ///     .build()
    ///     .unwrap();
    /// assert_eq!(TestClient::new(app).get("/").await.status(), 404);
    /// # }
    /// ```
    ///
    /// It is for an [`Error`](crate::Error) that wraps an `E`, not one that has it among its further
    /// causes, and that has no status of its own: `.status(409)?` at the place stays. What was
    /// wrapped is still there, for the log and for a [`Fallback`](crate::Fallback), which sees the
    /// mapped error. A panic in it is a 500.
    #[must_use]
    #[track_caller]
    pub fn error<E: std::error::Error + 'static>(
        mut self,
        map: impl Fn(&E) -> Error + Send + Sync + 'static,
    ) -> Self {
        let origin = Origin::caller();
        self.error_mappings.add(map, origin, &mut self.errors);
        self
    }

    /// Answers what no action and no other fallback of a route answers: see
    /// [`Fallback`](crate::Fallback).
    #[must_use]
    #[track_caller]
    pub fn fallback(mut self, fallback: impl Fallback) -> Self {
        let origin = Origin::caller();
        if let Some((_, first)) = &self.fallback {
            self.errors.push(BuildError::WrongValue {
                message: format!(
                    "the app has a fallback already, at {first}: groups can have others, with \
                     `.named_fallback(…)`"
                ),
                origin,
            });
            return self;
        }
        self.fallback = Some((Resolver::new(fallback), origin));
        self
    }

    /// Registers a [`Fallback`](crate::Fallback), which groups name in `fallback`.
    #[must_use]
    #[track_caller]
    pub fn named_fallback(mut self, name: &str, fallback: impl Fallback) -> Self {
        let (origin, fallback) = (Origin::caller(), Resolver::new(fallback));
        self.registry
            .add_fallback(name, fallback, origin, &mut self.errors);
        self
    }

    /// Adds a route in a group of its own.
    #[must_use]
    #[track_caller]
    pub fn route(self, route: impl IntoRoute) -> Self {
        self.group(Group::new().route(route))
    }

    /// Adds a group of routes.
    #[must_use]
    pub fn group(mut self, group: Group) -> Self {
        self.groups.push(group);
        self
    }

    /// Wraps the whole app in a [tower](https://docs.rs/tower) layer, around those that were added
    /// before: each request passes the last one first.
    ///
    /// ```
    /// use nova_core::testing::TestClient;
    /// use nova_core::{App, Request, text};
    /// use tower_layer::layer_fn;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let app = App::builder()
    ///     .route(("/", |_: Request| async { text("hello") }))
    ///     .layer(layer_fn(|app| app)); // it changes nothing; tower-http has others
    ///
    /// let client = TestClient::new(app.build().unwrap());
    /// assert_eq!(client.get("/").await.text(), "hello");
    /// # }
    /// ```
    ///
    /// A layer sees requests before the router does, and answers as they leave. It is for what is
    /// there for tower already; what wants to know the route, or to answer as controllers do, is a
    /// [plugin](Self::plugin). Among the extensions of a request is the `std::net::SocketAddr` of the
    /// other end of the connection. A layer that fails or panics is an empty 500, and logged.
    ///
    /// An app without layers pays nothing for it; each layer costs an allocation or two for a request.
    #[must_use]
    pub fn layer<L, B>(mut self, layer: L) -> Self
    where
        L: Layer<Layered>,
        L::Service: tower_service::Service<http::Request<ArrivingBody>, Response = http::Response<B>>
            + Clone
            + Send
            + Sync
            + 'static,
        <L::Service as tower_service::Service<http::Request<ArrivingBody>>>::Error:
            Into<Box<dyn std::error::Error + Send + Sync>>,
        <L::Service as tower_service::Service<http::Request<ArrivingBody>>>::Future: Send,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let inner = self.layers.take().unwrap_or_else(Layered::app);
        self.layers = Some(inner.wrapped(layer));
        self
    }

    /// Adds a background service. They start in this order.
    #[must_use]
    #[track_caller]
    pub fn service(mut self, name: &str, service: impl Service) -> Self {
        let origin = Origin::caller();
        let named = NamedService {
            name: name.to_owned(),
            service: Arc::new(service),
        };
        match self.services.iter().find(|(known, _)| known.name == name) {
            Some((_, first)) => self.errors.push(BuildError::DuplicateName {
                kind: NameKind::Service,
                name: name.to_owned(),
                origin,
                first: first.clone(),
            }),
            None => self.services.push((named, origin)),
        }
        self
    }

    /// Adds what has to be well before the app should get requests: `check` is asked when
    /// `/health/ready` is, which answers 503 with `name` if it fails, panics or takes longer than
    /// `server.health_timeout`. All checks run at once, and what they say counts for a second, however
    /// many ask. They are asked only where [`health`](crate::ServerConfig::health) is on.
    ///
    /// ```
    /// use nova_core::testing::TestClient;
    /// use nova_core::{App, Error};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let file = folder.path().join("nova.toml");
    /// # std::fs::write(&file, "[server]\nhealth = true").unwrap();
    /// let app = App::builder()
    ///     .config_file(file) // has `health = true` in `[server]`
    ///     .ready("database", || async { Err(Error::new(503, "it is not reached")) });
    /// let client = TestClient::new(app.build().unwrap());
    ///
    /// assert_eq!(client.get("/health/live").await.status(), 200);
    /// assert_eq!(client.get("/health/ready").await.status(), 503);
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// The future of `check` is dropped when it takes too long, and when who asks hangs up.
    #[must_use]
    #[track_caller]
    pub fn ready<F, Fut>(mut self, name: &str, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let origin = Origin::caller();
        if let Some((_, first)) = self.checks.iter().find(|(known, _)| known.name == name) {
            self.errors.push(BuildError::DuplicateName {
                kind: NameKind::Check,
                name: name.to_owned(),
                origin,
                first: first.clone(),
            });
            return self;
        }
        let check = Check {
            name: name.to_owned(),
            run: Box::new(move || Box::pin(check())),
        };
        self.checks.push((check, origin));
        self
    }

    /// Keeps the sessions in this store, so that they outlive the app. **Default:** in memory.
    ///
    /// The cookies are signed with `secret` in `[session]`; in `prod`, it has to be set then. A service
    /// named `sessions` removes what has ended from the store, every ten minutes.
    #[must_use]
    #[track_caller]
    pub fn session_store(mut self, store: impl SessionStore) -> Self {
        let origin = Origin::caller();
        if let Some((_, first)) = &self.session_store {
            self.errors.push(BuildError::WrongValue {
                message: format!("the app has a store for its sessions already, at {first}"),
                origin,
            });
            return self;
        }
        self.session_store = Some((Arc::new(store), origin));
        self
    }

    /// The sessions, in the store that was named.
    pub(super) fn sessions(
        store: Option<&(Arc<dyn ErasedStore>, Origin)>,
        config: &Config,
        errors: &mut Vec<BuildError>,
    ) -> Sessions {
        let Some((store, origin)) = store else {
            return Sessions::in_memory(&config.session);
        };
        if config.session.secret.is_empty() {
            let told = "set `secret` in the `[session]` table of `nova.toml`, or \
                        NOVA_SESSION__SECRET, to at least 32 characters, such as `openssl rand \
                        -base64 32` gives";
            // Who asks for the routes of `prod` need not have its secrets.
            let is_asked = !matches!(Command::asked(), Ok(None | Some(Command::Check)));
            match config.environment {
                _ if is_asked => {}
                Environment::Prod => errors.push(BuildError::WrongValue {
                    message: format!(
                        "sessions that outlive the app need a secret that does so, too: {told}"
                    ),
                    origin: origin.clone(),
                }),
                Environment::Dev => {
                    info!("the sessions in the store count until the app stops: {told}");
                }
            }
        }
        Sessions::new(&config.session, Arc::clone(store))
    }

    /// The environment variables of ours, with what the code says in place of `NOVA_ENV`.
    pub(super) fn variables(&self, errors: &mut Vec<BuildError>) -> Vec<(String, String)> {
        let mut variables = variables(errors);
        if let Some(environment) = self.environment {
            variables.retain(|(name, _)| name != "NOVA_ENV");
            variables.push(("NOVA_ENV".to_owned(), environment.name().to_owned()));
        }
        variables
    }
}
