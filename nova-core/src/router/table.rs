//! The compiled routes: which of them answers a request, and with what.
//!
//! Everything that a request needs is resolved here, once: a matched route holds its plugins and
//! its action. matchit finds the path; it wants to be helped with the rest of a path (`{*rest}`),
//! which it neither matches empty nor allows beside a binding at the same place. Such routes are
//! unfolded: `/p/{*rest}` beside `/p/{x}/q` becomes `/p`, `/p/{0}` and `/p/{0}/{*rest}`, as far
//! as nobody else has those paths.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, Method};
use smallvec::SmallVec;

use super::group::{GroupSpec, Handler, PathSpec, RouteSpec};
use super::pattern::{Pattern, Shape};
use super::registry::Registry;
use crate::bindings::Bindings;
use crate::build_error::{BuildError, NameKind, listed, nearest};
use crate::controller::Action;
use crate::origin::Origin;
use crate::plugin::Chain;
use crate::protocol::ProtocolHandler;
use crate::request::Head;

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

/// All routes of an app.
pub(crate) struct Table {
    router: matchit::Router<Leaf>,
    paths: Vec<Path>,
    /// The plugins of requests that no route answers.
    pub(crate) global: Chain,
}

/// Where the routes of a matched path are, and how its values are read.
#[derive(Clone, Copy)]
struct Leaf {
    path: usize,
    /// How many values stand before the rest, for a path that has one.
    rest_after: Option<usize>,
}

/// The routes of one path.
#[derive(Default)]
struct Path {
    /// Few: a list is quicker than a map.
    http: Vec<(Method, Arc<Endpoint>)>,
    /// The route without `methods`.
    any: Option<Arc<Endpoint>>,
    protocol: Option<Arc<Endpoint>>,
    allow: Option<HeaderValue>,
}

/// One route, with all that a request to it needs.
pub(crate) struct Endpoint {
    /// For the log: what was matched and who answers.
    pub(crate) name: String,
    pub(crate) chain: Chain,
    pub(crate) target: Target,
    names: Arc<[Box<str>]>,
    origin: Origin,
}

/// Who answers.
pub(crate) enum Target {
    Action(Action),
    Protocol(Arc<dyn ProtocolHandler>),
}

/// What the table says of a request.
pub(crate) enum Found<'t> {
    Endpoint(&'t Arc<Endpoint>, Bindings),
    /// An `OPTIONS` that no route answers itself: it gets the methods, through these plugins.
    Options(&'t HeaderValue, &'t Chain),
    /// The path has routes, for these methods only.
    MethodNotAllowed(&'t HeaderValue),
    Nothing,
    /// A value in the path is badly encoded.
    BadEncoding,
}

impl Table {
    /// Compiles `groups`, and adds all that is wrong with them to `errors`.
    pub(crate) fn compile(
        groups: Vec<GroupSpec>,
        global: Chain,
        registry: &Registry,
        errors: &mut Vec<BuildError>,
    ) -> Self {
        let mut compiler = Compiler {
            registry,
            errors,
            paths: Vec::new(),
            shapes: HashMap::new(),
        };
        for group in groups {
            compiler.group(group, &global);
        }
        let router = compiler.router();
        let mut paths = compiler.paths;
        for path in &mut paths {
            path.allow = path.allowed();
        }
        Table {
            router,
            paths,
            global,
        }
    }

    pub(crate) fn find(&self, head: &Head) -> Found<'_> {
        let Some(path) = normalized(head.path()) else {
            return Found::Nothing;
        };
        let Ok(matched) = self.router.at(&path) else {
            return Found::Nothing;
        };
        let leaf = *matched.value;
        let found = &self.paths[leaf.path];
        let endpoint = match found.endpoint(head) {
            Ok(endpoint) => endpoint,
            Err(not_found) => return not_found,
        };
        let mut values: SmallVec<[&str; 4]> =
            matched.params.iter().map(|(_, value)| value).collect();
        if let Some(before) = leaf.rest_after {
            // An unfolded rest begins with the value behind those before it.
            let rest = match values.get(before) {
                Some(first) => &path[first.as_ptr() as usize - path.as_ptr() as usize..],
                None => "",
            };
            values.truncate(before);
            values.push(rest);
        }
        match Bindings::decode(&endpoint.names, values) {
            Ok(bindings) => Found::Endpoint(endpoint, bindings),
            Err(_) => Found::BadEncoding,
        }
    }
}

/// A path without what counts for nothing, as in Nova: repeated slashes, and one at the end. A
/// double slash at the end makes it a path that nobody has.
fn normalized(path: &str) -> Option<Cow<'_, str>> {
    if path.len() > 1 && path.ends_with("//") {
        return None;
    }
    let path = match path.strip_suffix('/') {
        Some(shorter) if !shorter.is_empty() => shorter,
        _ => path,
    };
    if !path.contains("//") {
        return Some(Cow::Borrowed(path));
    }
    let mut shorter = String::with_capacity(path.len());
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        shorter.push('/');
        shorter.push_str(segment);
    }
    Some(Cow::Owned(shorter))
}

impl Path {
    /// Adds a route. Gives what other routes answer already, and where those stand.
    fn add(
        &mut self,
        endpoint: Arc<Endpoint>,
        methods: Option<Vec<Method>>,
    ) -> Vec<(String, Origin)> {
        let known = |requests: &str, of: &Endpoint| (requests.to_owned(), of.origin.clone());
        match (&endpoint.target, methods) {
            (Target::Protocol(_), _) => match &self.protocol {
                Some(first) => return vec![known("upgrades of", first)],
                None => self.protocol = Some(endpoint),
            },
            (Target::Action(_), None) => {
                let named = self.http.first().map(|(_, endpoint)| endpoint);
                match self.any.as_ref().or(named) {
                    Some(first) => return vec![known("some methods of", first)],
                    None => self.any = Some(endpoint),
                }
            }
            (Target::Action(_), Some(methods)) => {
                let mut conflicts = Vec::new();
                for wanted in methods {
                    let named = self.http.iter().find(|(method, _)| *method == wanted);
                    match named.map(|(_, first)| first).or(self.any.as_ref()) {
                        Some(first) => conflicts.push(known(wanted.as_str(), first)),
                        None => self.http.push((wanted, Arc::clone(&endpoint))),
                    }
                }
                return conflicts;
            }
        }
        Vec::new()
    }

    fn endpoint(&self, head: &Head) -> Result<&Arc<Endpoint>, Found<'_>> {
        let method = head.method();
        if let Some(endpoint) = &self.protocol
            && method == Method::GET
            && let Target::Protocol(handler) = &endpoint.target
            && (handler.claims(head) || self.has_no_get())
        {
            return Ok(endpoint);
        }
        let named = |wanted: &Method| {
            let found = self.http.iter().find(|(method, _)| method == wanted);
            found.map(|(_, endpoint)| endpoint)
        };
        let endpoint = named(method)
            .or_else(|| named(&Method::GET).filter(|_| method == Method::HEAD))
            .or(self.any.as_ref());
        match (endpoint, &self.allow) {
            (Some(endpoint), _) => Ok(endpoint),
            (None, Some(allow)) if method == Method::OPTIONS => {
                Err(Found::Options(allow, &self.first().chain))
            }
            (None, Some(allow)) => Err(Found::MethodNotAllowed(allow)),
            (None, None) => Err(Found::Nothing),
        }
    }

    fn has_no_get(&self) -> bool {
        self.any.is_none() && !self.http.iter().any(|(method, _)| method == Method::GET)
    }

    fn first(&self) -> &Endpoint {
        let mut all = self.http.iter().map(|(_, endpoint)| endpoint);
        all.next()
            .or(self.any.as_ref())
            .or(self.protocol.as_ref())
            .expect("a path has a route")
    }

    /// What `allow` lists (RFC 9110 §10.2.1): the methods of the routes, `HEAD` beside `GET`, and
    /// `OPTIONS`. Nothing for a route that answers all.
    fn allowed(&self) -> Option<HeaderValue> {
        if self.any.is_some() {
            return None;
        }
        let mut methods: Vec<&Method> = self.http.iter().map(|(method, _)| method).collect();
        if self.protocol.is_some() && self.has_no_get() {
            methods.insert(0, &Method::GET);
        } else if let Some(get) = methods.iter().position(|method| **method == Method::GET)
            && !methods.contains(&&Method::HEAD)
        {
            methods.insert(get + 1, &Method::HEAD);
        }
        if !methods.contains(&&Method::OPTIONS) {
            methods.push(&Method::OPTIONS);
        }
        let names: Vec<&str> = methods.into_iter().map(Method::as_str).collect();
        HeaderValue::from_str(&names.join(", ")).ok()
    }
}

/// Turns groups into paths, and paths into matchit's tree.
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
            self.route(route, path, chain);
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
    fn route(&mut self, route: RouteSpec, path: Option<Pattern>, chain: &Chain) {
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
            chain: Arc::clone(chain),
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

    fn router(&self) -> matchit::Router<Leaf> {
        let mut tree = Tree::default();
        let (with_rest, plain): (Vec<_>, Vec<_>) =
            self.shapes.iter().partition(|(shape, _)| shape.rest);
        for (shape, &path) in plain {
            let leaf = Leaf {
                path,
                rest_after: None,
            };
            tree.insert(&shape.before_rest, leaf);
        }
        // The longest first: where two could take a path, the more particular one has it.
        let mut with_rest = with_rest;
        with_rest.sort_by_key(|(shape, _)| std::cmp::Reverse(shape.before_rest.len()));
        let shapes: Vec<&Shape> = self.shapes.keys().collect();
        for (shape, &path) in with_rest {
            let leaf = Leaf {
                path,
                rest_after: Some(shape.bindings),
            };
            tree.insert_rest(&shape.before_rest, shape.bindings, leaf, &shapes);
        }
        tree.router
    }
}

/// matchit's tree while it grows.
#[derive(Default)]
struct Tree {
    router: matchit::Router<Leaf>,
    taken: std::collections::HashSet<String>,
}

impl Tree {
    /// Inserts `path` unless it is taken.
    fn insert(&mut self, path: &str, leaf: Leaf) {
        let path = if path.is_empty() { "/" } else { path };
        if self.taken.insert(path.to_owned()) {
            self.router
                .insert(path, leaf)
                .expect("shapes are distinct, and a rest has no binding beside it");
        }
    }

    /// Inserts a rest behind `before`: by itself, with nothing, and with one segment more where
    /// another route binds one there.
    fn insert_rest(&mut self, before: &str, bindings: usize, leaf: Leaf, shapes: &[&Shape]) {
        self.insert(before, leaf);
        let bound = format!("{before}/{{{bindings}}}");
        let has_binding = shapes.iter().any(|shape| {
            let rest = shape.before_rest.strip_prefix(&*bound);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if has_binding {
            self.insert_rest(&bound, bindings + 1, leaf, shapes);
        } else {
            self.insert(&format!("{before}/{{*rest}}"), leaf);
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.name)
    }
}
