//! The compiled routes: which of them answers a request, and with what.
//!
//! Everything that a request needs was resolved when the table was compiled: a matched route holds
//! its plugins and its action.

use std::borrow::Cow;
use std::sync::Arc;

use http::HeaderValue;
use smallvec::SmallVec;

use super::path::{Endpoint, Path};
use super::tree::Leaf;
use crate::bindings::Bindings;
use crate::plugin::Chain;
use crate::request::Head;

/// All routes of an app.
pub(crate) struct Table {
    tree: matchit::Router<Leaf>,
    paths: Vec<Path>,
    /// The plugins of requests that no route answers.
    pub(crate) global: Chain,
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
    pub(super) fn new(tree: matchit::Router<Leaf>, mut paths: Vec<Path>, global: Chain) -> Self {
        paths.iter_mut().for_each(Path::list_methods);
        Table {
            tree,
            paths,
            global,
        }
    }

    pub(crate) fn find(&self, head: &Head) -> Found<'_> {
        let Some(path) = normalized(head.path()) else {
            return Found::Nothing;
        };
        let Ok(matched) = self.tree.at(&path) else {
            return Found::Nothing;
        };
        let leaf = *matched.value;
        let found = &self.paths[leaf.path];
        let Some(endpoint) = found.endpoint(head) else {
            return found.no_endpoint(head.method());
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
        match Bindings::decode(&endpoint.names, values, head.path()) {
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
