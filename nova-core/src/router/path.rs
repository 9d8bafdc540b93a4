//! The routes of one path: which of them a method gets, and what is said when none does.

use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, Method};

use super::info::RouteInfo;
use super::limits::Limits;
use super::pattern::Pattern;
use super::table::Found;
use crate::controller::Action;
use crate::fallback::NamedFallback;
use crate::mounted::Parts;
use crate::origin::Origin;
use crate::plugin::Chain;
use crate::protocol::ProtocolHandler;
use crate::security::NamedSecurity;
use crate::static_files::StaticFiles;

/// The routes of one path.
#[derive(Default)]
pub(super) struct Path {
    /// Few: a list is quicker than a map.
    http: Vec<(Method, Arc<Endpoint>)>,
    /// The route without `methods`.
    any: Option<Arc<Endpoint>>,
    protocol: Option<Arc<Endpoint>>,
    allow: Option<HeaderValue>,
}

/// One route, with all that a request to it needs.
pub(crate) struct Endpoint {
    pub(crate) info: RouteInfo,
    /// The view that has its name from who answers.
    pub(crate) view: Box<str>,
    /// The files that answer, with their options.
    pub(super) files: Option<StaticFiles>,
    pub(crate) chain: Chain,
    /// Each has to let a request pass; more than one where an app is mounted.
    pub(crate) security: Box<[NamedSecurity]>,
    /// That of the group.
    pub(crate) fallback: Option<NamedFallback>,
    pub(crate) limits: Limits,
    /// The mounted app that it is of; `None` for that which is served.
    pub(crate) app: Option<Arc<Parts>>,
    pub(crate) extra: Option<Arc<serde_json::Value>>,
    pub(crate) target: Target,
    pub(super) names: Arc<[Box<str>]>,
    pub(super) pattern: Pattern,
}

/// Who answers.
pub(crate) enum Target {
    Action(Action),
    Protocol(Arc<dyn ProtocolHandler>),
}

impl Path {
    /// Adds a route. Gives what other routes answer already, and where those stand.
    pub(super) fn add(
        &mut self,
        endpoint: &Arc<Endpoint>,
        methods: Option<&[Method]>,
    ) -> Vec<(String, Origin)> {
        let known = |requests: &str, of: &Endpoint| (requests.to_owned(), of.info.origin.clone());
        match (&endpoint.target, methods) {
            (Target::Protocol(_), _) => match &self.protocol {
                Some(first) => return vec![known(first.requests(), first)],
                None => self.protocol = Some(Arc::clone(endpoint)),
            },
            (Target::Action(_), None) => {
                let named = self.http.first().map(|(_, endpoint)| endpoint);
                match self.any.as_ref().or(named) {
                    Some(first) => return vec![known("some methods of", first)],
                    None => self.any = Some(Arc::clone(endpoint)),
                }
            }
            (Target::Action(_), Some(methods)) => {
                let mut conflicts = Vec::new();
                for wanted in methods {
                    let named = self.http.iter().find(|(method, _)| method == wanted);
                    match named.map(|(_, first)| first).or(self.any.as_ref()) {
                        Some(first) => conflicts.push(known(wanted.as_str(), first)),
                        None => self.http.push((wanted.clone(), Arc::clone(endpoint))),
                    }
                }
                return conflicts;
            }
        }
        Vec::new()
    }

    /// Adds what the routes of `other` answer and those here do not.
    pub(super) fn add_below(&mut self, other: &Path) {
        if self.any.is_none() {
            for (method, endpoint) in &other.http {
                if !self.http.iter().any(|(own, _)| own == method) {
                    self.http.push((method.clone(), Arc::clone(endpoint)));
                }
            }
            self.any.clone_from(&other.any);
        }
        if self.protocol.is_none() {
            self.protocol.clone_from(&other.protocol);
        }
    }

    /// The route that answers, if there is one; `claims` tells whether the request is for a
    /// protocol.
    pub(super) fn endpoint(
        &self,
        method: &Method,
        claims: impl Fn(&dyn ProtocolHandler) -> bool,
    ) -> Option<&Arc<Endpoint>> {
        if let Some(endpoint) = &self.protocol
            && let Target::Protocol(handler) = &endpoint.target
            && (method == Method::GET || method == Method::HEAD && !handler.switches())
            && (claims(&**handler) || self.has_no_get())
        {
            return Some(endpoint);
        }
        self.named(method).or(self.any.as_ref())
    }

    /// The route that lists this method; `HEAD` is listed with `GET`.
    fn named(&self, method: &Method) -> Option<&Arc<Endpoint>> {
        let of = |wanted: &Method| {
            let found = self.http.iter().find(|(method, _)| method == wanted);
            found.map(|(_, endpoint)| endpoint)
        };
        of(method).or_else(|| of(&Method::GET).filter(|_| method == Method::HEAD))
    }

    /// What a method gets that no route answers. An `OPTIONS` that is `before` a request of another
    /// method passes the plugins which that one will.
    pub(super) fn no_endpoint(&self, method: &Method, before: Option<&Method>) -> Found<'_> {
        match &self.allow {
            Some(allow) if method == Method::OPTIONS => {
                let announced = before.and_then(|method| self.named(method));
                let endpoint = announced.unwrap_or_else(|| self.first());
                Found::Options(allow, &endpoint.chain)
            }
            Some(allow) => Found::MethodNotAllowed(allow),
            None => Found::Nothing,
        }
    }

    fn has_no_get(&self) -> bool {
        self.any.is_none() && !self.http.iter().any(|(method, _)| method == Method::GET)
    }

    fn first(&self) -> &Arc<Endpoint> {
        let mut all = self.http.iter().map(|(_, endpoint)| endpoint);
        all.next()
            .or(self.any.as_ref())
            .or(self.protocol.as_ref())
            .expect("a path has a route")
    }

    /// Prepares what `allow` lists, once all routes are there.
    pub(super) fn list_methods(&mut self) {
        self.allow = self.allowed();
    }

    /// What `allow` lists (RFC 9110 §10.2.1): the methods of the routes, `HEAD` beside `GET`, and
    /// `OPTIONS`. Nothing for a route that answers all.
    fn allowed(&self) -> Option<HeaderValue> {
        if self.any.is_some() {
            return None;
        }
        let mut methods: Vec<&Method> = self.http.iter().map(|(method, _)| method).collect();
        if let Some(Target::Protocol(handler)) = self.protocol.as_ref().map(|one| &one.target)
            && self.has_no_get()
        {
            methods.insert(0, &Method::GET);
            if !handler.switches() && !methods.contains(&&Method::HEAD) {
                methods.insert(1, &Method::HEAD);
            }
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

impl Endpoint {
    /// Of what a protocol answers, for messages.
    fn requests(&self) -> &'static str {
        match &self.target {
            Target::Protocol(handler) if !handler.switches() => "streams of",
            _ => "upgrades of",
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.info)
    }
}
