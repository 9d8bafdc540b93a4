//! The routes of a running app: looked at, added to, and replaced.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

use super::changes::RouteChanges;
use super::compile::compile;
use super::explain::{self, Explanation};
use super::file::{self, RouterFile};
use super::group::Group;
use super::info::RouteInfo;
use super::limits::Limits;
use super::registry::Registry;
use super::spec::GroupSpec;
use super::table::Table;
use crate::build_error::{BuildError, BuildErrors};
use crate::config::Environment;
use crate::error::{Error, Result};
use crate::origin::{Origin, SourceFile};
use crate::plugin::{ListedPlugin, NamedPlugin, PluginFailed, PluginLife, Running};
use crate::views::{PathUse, Views};

/// The routes of an app. [`App::router`](crate::App::router) and
/// [`Head::router`](crate::Head::router) give it; clones are the same.
///
/// Routes can be added and replaced while the app runs. A new table is checked as a whole before
/// any request sees it: with a mistake, nothing changes. Requests that are under way keep the table
/// that they have begun with.
///
/// ```
/// use nova_core::testing::TestClient;
/// use nova_core::{App, Group, Request, text};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let app = App::builder().build().unwrap();
/// let router = app.router().clone();
/// let client = TestClient::new(app);
/// assert_eq!(client.get("/late").await.status(), 404);
///
/// let late = Group::new().route(("/late", |_: Request| async { text("here I am") }));
/// router.add_routes(late).unwrap();
///
/// assert_eq!(client.get("/late").await.text(), "here I am");
/// # }
/// ```
#[derive(Clone)]
pub struct Router(Arc<State>);

struct State {
    table: ArcSwap<Table>,
    registry: Registry,
    environment: Environment,
    /// The router file, and where the app names it.
    router_file: Option<(PathBuf, Origin)>,
    /// What the table was compiled from. A std mutex: it is held while a table is compiled, which
    /// nobody but other changes of the routes waits for.
    sources: Mutex<Sources>,
    /// From when the app is served.
    plugin_life: OnceLock<PluginLife>,
}

/// What a table is compiled from.
#[derive(Clone, Default)]
pub(crate) struct Sources {
    /// Global plugins that the app's code names.
    pub(crate) plugins: Vec<NamedPlugin>,
    /// Limits that the app's code has for all routes.
    pub(crate) limits: Limits,
    /// Groups that the app's code has.
    pub(crate) groups: Vec<Arc<GroupSpec>>,
    pub(crate) file: RouterFile,
    /// The paths that the views ask for by the names of routes.
    pub(crate) uses: Vec<PathUse>,
}

impl Sources {
    /// All groups, those of the file first.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &GroupSpec> {
        let groups = self.file.groups.iter().chain(&self.groups);
        groups.map(|group| &**group)
    }

    /// The limits of all routes; those of the file are stronger.
    pub(super) fn limits(&self) -> Limits {
        self.limits.and(&self.file.limits)
    }

    pub(crate) fn compile(
        &self,
        environment: Environment,
        registry: &Registry,
        errors: &mut Vec<BuildError>,
    ) -> Table {
        let plugins = self.plugins.iter().chain(&self.file.plugins);
        compile(
            self.groups(),
            plugins.cloned().collect(),
            &self.limits(),
            environment,
            registry,
            errors,
        )
    }

    /// Looks for the routes that views name. Only in a table of which nothing is missing: who has a
    /// mistake in a route should not hear of every view that names it.
    pub(crate) fn check_uses(&self, app: &str, table: &Table, errors: &mut Vec<BuildError>) {
        for (mounted, _) in self.groups().flat_map(|group| &group.apps) {
            let name = &mounted.parts.name;
            mounted.sources.check_uses(name, table, errors);
        }
        for PathUse {
            name,
            given,
            origin,
        } in &self.uses
        {
            let given = given.as_ref().map(|given| given.iter().map(String::as_str));
            let checked = match given {
                Some(given) => table.names.check(app, name, given),
                None => table.names.check_name(app, name),
            };
            errors.extend(checked.err().map(|message| BuildError::WrongValue {
                message,
                origin: origin.clone(),
            }));
        }
    }
}

impl Router {
    pub(crate) fn new(
        table: Table,
        sources: Sources,
        registry: Registry,
        environment: Environment,
        router_file: Option<(PathBuf, Origin)>,
    ) -> Self {
        Router(Arc::new(State {
            table: ArcSwap::from_pointee(table),
            registry,
            environment,
            router_file,
            sources: Mutex::new(sources),
            plugin_life: OnceLock::new(),
        }))
    }

    /// Routes of nothing, for requests that are made by hand.
    pub(crate) fn empty() -> Self {
        let (table, sources) = (Table::default(), Sources::default());
        Router::new(
            table,
            sources,
            Registry::default(),
            Environment::default(),
            None,
        )
    }

    /// The table of this moment. No count goes up, which all cores would have to share.
    pub(crate) fn table(&self) -> Guard<Arc<Table>> {
        self.0.table.load()
    }

    /// All routes in their order: those of the router file, those of the app's code, and then the
    /// status pages.
    pub fn routes(&self) -> Vec<RouteInfo> {
        let table = self.table();
        let routes = table.routes.iter().map(|route| &route.info);
        let pages = table.pages.iter().map(|page| &page.info);
        routes.chain(pages).cloned().collect()
    }

    /// All plugins that some list has, in the order in which they are initialised: those of the
    /// global list, and then those of the groups.
    pub fn plugins(&self) -> Vec<ListedPlugin> {
        let table = self.table();
        let mut distinct: Vec<&NamedPlugin> = Vec::new();
        for plugin in table.plugins() {
            if !distinct.iter().any(|known| known.is(plugin)) {
                distinct.push(plugin);
            }
        }
        distinct.into_iter().map(NamedPlugin::listed).collect()
    }

    /// Initialises the plugins, now and with every change of the routes.
    ///
    /// # Errors
    /// One of them fails. Those before it stop in the background.
    pub(crate) fn begin_plugins(&self, life: PluginLife) -> Result<(), PluginFailed> {
        let state = &*self.0;
        // A change of the routes waits, and finds the life set.
        let _sources = state.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let table = self.table();
        table.begin_plugins(&life, &[])?;
        state.plugin_life.get_or_init(|| life);
        Ok(())
    }

    /// Stops the plugins, the last one first. Together they have `limit`.
    pub(crate) async fn stop_plugins(&self, limit: Duration) {
        // Not `table()`: a guard is for a moment.
        let table = self.0.table.load_full();
        Running::stop_all(table.running(), limit).await;
    }

    /// Says which route answers a request, or why none does.
    ///
    /// `target` is a path, or a URL where the host matters or a WebSocket is meant:
    /// `ws://example.com/notifications`.
    ///
    /// ```
    /// use nova_core::{App, methods, text};
    ///
    /// let app = App::builder()
    ///     .action("notes", |_| async { text("notes") })
    ///     .route(("/notes", "notes", methods(["get"])))
    ///     .build()
    ///     .unwrap();
    ///
    /// let explanation = app.router().explain("GET", "/nots");
    /// assert!(explanation.to_string().contains("`notes`, and here `nots`"));
    /// ```
    pub fn explain(&self, method: &str, target: &str) -> Explanation {
        explain::explain(&self.table(), method, target)
    }

    /// The path of the route that is named `name`, with these values for what it binds.
    ///
    /// # Errors
    /// 500 if there is no such route, or if it binds other names.
    pub fn path_for(&self, name: &str, values: &[(&str, &dyn Display)]) -> Result<String> {
        self.path_within("", name, values)
    }

    /// The same for a part of a mounted app, whose own names come first.
    pub(crate) fn path_within(
        &self,
        app: &str,
        name: &str,
        values: &[(&str, &dyn Display)],
    ) -> Result<String> {
        let path = self.table().names.path_for(app, name, values);
        path.map_err(Error::internal)
    }

    /// The same routes, for what they own themselves.
    pub(crate) fn downgrade(&self) -> WeakRouter {
        WeakRouter(Arc::downgrade(&self.0))
    }

    /// Adds a group of routes.
    ///
    /// # Errors
    /// All that is wrong with it; nothing has changed then. Routes that answer what others answer
    /// already are a mistake: [`replace_routes`](Self::replace_routes) takes away as well.
    pub fn add_routes(&self, group: Group) -> Result<RouteChanges, BuildErrors> {
        self.change(|sources, state, errors| {
            let group = group.into_spec(&state.registry, errors);
            sources.groups.push(Arc::new(group));
        })
        .map(|(changes, ())| changes)
    }

    /// Puts these groups in the place of all routes, those of the router file included, until that
    /// is reloaded.
    ///
    /// # Errors
    /// All that is wrong with them; nothing has changed then.
    pub fn replace_routes(
        &self,
        groups: impl IntoIterator<Item = Group>,
    ) -> Result<RouteChanges, BuildErrors> {
        self.change(|sources, state, errors| {
            let groups = groups.into_iter();
            sources.file.groups.clear();
            sources.groups = groups
                .map(|group| Arc::new(group.into_spec(&state.registry, errors)))
                .collect();
        })
        .map(|(changes, ())| changes)
    }

    /// Reads the router file again. It blocks for as long as that takes.
    ///
    /// # Errors
    /// All that is wrong with it; nothing has changed then.
    pub fn reload(&self) -> Result<RouteChanges, BuildErrors> {
        self.change(|sources, state, errors| state.read_file(sources, errors))
            .map(|(changes, ())| changes)
    }

    /// Reads the router file and, by `read_views`, the views again, and takes over both or neither.
    ///
    /// # Errors
    /// All that is wrong with them; nothing has changed then.
    pub(crate) fn reload_with(
        &self,
        read_views: impl FnOnce(&mut Vec<BuildError>) -> Views,
    ) -> Result<(RouteChanges, Views), BuildErrors> {
        self.change(|sources, state, errors| {
            state.read_file(sources, errors);
            let views = read_views(errors);
            sources.uses = views.uses().to_vec();
            views
        })
    }

    /// The router file, if the app has one.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.0.router_file.as_ref().map(|(file, _)| &**file)
    }

    /// Changes a copy of the sources, and takes the table that they make if nothing is wrong.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Sources, &State, &mut Vec<BuildError>) -> T,
    ) -> Result<(RouteChanges, T), BuildErrors> {
        let state = &*self.0;
        // Nothing is half done when a change panics: it works on a copy.
        let mut sources = state.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut changed, mut errors) = (sources.clone(), Vec::new());
        let result = change(&mut changed, state, &mut errors);
        let table = changed.compile(state.environment, &state.registry, &mut errors);
        if errors.is_empty() {
            changed.check_uses("", &table, &mut errors);
        }
        if !errors.is_empty() {
            return Err(BuildErrors::new(errors));
        }
        let old = state.table.load_full();
        if let Some(life) = state.plugin_life.get() {
            let begun = table.begin_plugins(life, old.running());
            begun.map_err(|failed| BuildErrors::new(vec![failed.into()]))?;
        }
        let changes = RouteChanges::between(&old, &table);
        state.table.store(Arc::new(table));
        *sources = changed;
        Ok((changes, result))
    }
}

impl State {
    fn read_file(&self, sources: &mut Sources, errors: &mut Vec<BuildError>) {
        if let Some(file) = SourceFile::read_named(self.router_file.as_ref(), errors) {
            sources.file = file::read(&file, &self.registry, errors);
        }
    }
}

/// The routes, as long as somebody else has them.
#[derive(Clone)]
pub(crate) struct WeakRouter(Weak<State>);

impl WeakRouter {
    pub(crate) fn upgrade(&self) -> Option<Router> {
        self.0.upgrade().map(Router)
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("routes", &self.table().routes.len())
            .finish_non_exhaustive()
    }
}
