//! The compiled routes: which of them answers a request, and with what.
//!
//! Everything that a request needs was resolved when the table was compiled: a matched route holds
//! its plugins and its action.

use std::sync::{Arc, OnceLock};

use http::header::ACCESS_CONTROL_REQUEST_METHOD;
use http::{HeaderValue, Method, StatusCode};

use super::host::{Host, host_of};
use super::names::Names;
use super::path::{Endpoint, Path};
use super::status_page::StatusPage;
use super::tree::Tree;
use crate::bindings::Bindings;
use crate::plugin::{Chain, NamedPlugin, PluginFailed, PluginLife, Running};
use crate::protocol::ProtocolHandler;
use crate::request::Head;

/// All routes of an app.
#[derive(Default)]
pub(crate) struct Table {
    /// The routes for requests to these hosts, the most particular host first; each has the routes
    /// of no host, too.
    pub(super) hosts: Vec<(Host, Matcher)>,
    /// The routes for all other requests.
    pub(super) anywhere: Matcher,
    /// The most particular first.
    pub(super) pages: Vec<StatusPage>,
    pub(crate) names: Names,
    /// As they were declared.
    pub(super) routes: Vec<Arc<Endpoint>>,
    /// The plugins of requests that no route answers.
    pub(crate) global: Chain,
    /// The plugins that have been initialised, from when the app is served.
    pub(super) running: OnceLock<Vec<Arc<Running>>>,
}

/// The paths that requests to one host can have.
#[derive(Default)]
pub(super) struct Matcher {
    tree: Tree,
    paths: Vec<Path>,
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
    /// The plugins of all lists, the global one first. One that several lists have comes again.
    pub(super) fn plugins(&self) -> impl Iterator<Item = &NamedPlugin> {
        let lists = self.routes.iter().map(|route| &route.chain);
        std::iter::once(&self.global)
            .chain(lists)
            .flat_map(|list| list.iter())
    }

    /// Initialises those of them that are not `running`.
    pub(super) fn begin_plugins(
        &self,
        life: &PluginLife,
        running: &[Arc<Running>],
    ) -> Result<(), PluginFailed> {
        let begun = life.begin(self.plugins(), running)?;
        self.running.get_or_init(|| begun);
        Ok(())
    }

    /// Those of them that are running.
    pub(super) fn running(&self) -> &[Arc<Running>] {
        self.running.get().map_or(&[], |running| running)
    }

    pub(crate) fn find(&self, head: &Head) -> Found<'_> {
        let matcher = match self.hosts.is_empty() {
            true => &self.anywhere,
            false => self.matcher(host_of(head).as_deref()),
        };
        let before = Some(head).filter(|head| head.method() == Method::OPTIONS);
        let before = before.and_then(announced);
        let claims = |handler: &dyn ProtocolHandler| handler.claims(head);
        matcher.find(head.method(), head.path(), before.as_ref(), claims)
    }

    /// The routes for requests to this host.
    pub(super) fn matcher(&self, host: Option<&str>) -> &Matcher {
        let of_host = host.and_then(|host| self.hosts.iter().find(|(own, _)| own.matches(host)));
        of_host.map_or(&self.anywhere, |(_, matcher)| matcher)
    }

    /// Who answers for an answer with this status and without a body.
    pub(crate) fn status_page(&self, head: &Head, status: StatusCode) -> Option<&StatusPage> {
        let mut pages = self.pages.iter().filter(|page| page.status == status);
        let first = pages.next()?;
        let segments = segments(head.path());
        let host = host_of(head);
        let mut pages = std::iter::once(first).chain(pages);
        pages.find(|page| page.is_for(host.as_deref(), &segments))
    }
}

impl Matcher {
    pub(super) fn new(tree: Tree, mut paths: Vec<Path>) -> Self {
        paths.iter_mut().for_each(Path::list_methods);
        Matcher { tree, paths }
    }

    /// What answers a request; `before` is the method that an `OPTIONS` announces, `claims` tells
    /// whether the request is for a protocol.
    pub(super) fn find(
        &self,
        method: &Method,
        path: &str,
        before: Option<&Method>,
        claims: impl Fn(&dyn ProtocolHandler) -> bool,
    ) -> Found<'_> {
        let Some((index, spans)) = self.tree.find(path) else {
            return Found::Nothing;
        };
        let found = &self.paths[index];
        let Some(endpoint) = found.endpoint(method, claims) else {
            return found.no_endpoint(method, before);
        };
        if spans.is_empty() {
            return Found::Endpoint(endpoint, Bindings::default());
        }
        match Bindings::decode(&endpoint.names, spans, path) {
            Ok(bindings) => Found::Endpoint(endpoint, bindings),
            Err(_) => Found::BadEncoding,
        }
    }
}

/// The method of the request that a browser asks about beforehand, in a
/// [preflight](https://fetch.spec.whatwg.org/#cors-preflight-request).
fn announced(preflight: &Head) -> Option<Method> {
    let method = preflight.headers().get(ACCESS_CONTROL_REQUEST_METHOD)?;
    Method::from_bytes(method.as_bytes()).ok()
}

/// The segments of a path, as the table sees them.
pub(super) fn segments(path: &str) -> Vec<&str> {
    let segments = path.split('/');
    segments.filter(|segment| !segment.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use allocation_counter::measure;

    use super::*;
    use crate::app::App;
    use crate::reply::text;
    use crate::router::{Group, methods};
    use crate::testing;

    #[test]
    fn a_match_allocates_nothing() {
        let answer = |_| async { text("here") };
        let routes = [
            "/",
            "/notes",
            "/notes/search",
            "/notes/{id}",
            "/notes/{id}/{part}/{line}/{word}",
            "/files/{*rest}",
        ];
        let group = routes.into_iter().fold(Group::new(), |group, path| {
            group.route((path, answer, methods(["get"])))
        });
        let app = App::builder().group(group).build().unwrap();
        let router = app.router();
        for path in [
            "/",
            "/notes/",
            "/notes/search",
            "/notes/7",
            "/notes/search/a/b/c",
            "/files",
            "/files/a/b/c/d/e/f",
        ] {
            let request = testing::request("GET", path).build();
            router.table().find(&request); // the first look at a table on a thread registers it
            let allocations = measure(|| {
                let table = router.table();
                let found = table.find(&request);
                assert!(matches!(found, Found::Endpoint(..)), "{path}");
            });

            assert_eq!(allocations.count_total, 0, "{path}");
        }
    }
}
