//! matchit's tree of all paths.
//!
//! matchit finds a path; it wants to be helped with the rest of one (`{*rest}`), which it neither
//! matches empty nor allows beside a binding at the same place. Such paths are unfolded:
//! `/p/{*rest}` beside `/p/{x}/q` becomes `/p`, `/p/{0}` and `/p/{0}/{*rest}`, as far as nobody
//! else has those paths.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::pattern::Shape;

/// Where the routes of a matched path are, and how its values are read.
#[derive(Clone, Copy)]
pub(super) struct Leaf {
    pub(super) path: usize,
    /// How many values stand before the rest, for a path that has one.
    pub(super) rest_after: Option<usize>,
}

/// The tree of these shapes, each with its index.
pub(super) fn grow(shapes: &HashMap<Shape, usize>) -> matchit::Router<Leaf> {
    let mut tree = Tree::default();
    let (mut with_rest, plain): (Vec<_>, Vec<_>) = shapes.iter().partition(|(shape, _)| shape.rest);
    for (shape, &path) in plain {
        let leaf = Leaf {
            path,
            rest_after: None,
        };
        tree.insert(&shape.before_rest, leaf);
    }
    // The longest first: where two could take a path, the more particular one has it.
    with_rest.sort_by_key(|(shape, _)| Reverse(shape.before_rest.len()));
    for (shape, &path) in with_rest {
        let leaf = Leaf {
            path,
            rest_after: Some(shape.bindings),
        };
        tree.insert_rest(&shape.before_rest, shape.bindings, leaf, shapes);
    }
    tree.router
}

/// matchit's tree while it grows.
#[derive(Default)]
struct Tree {
    router: matchit::Router<Leaf>,
    taken: HashSet<String>,
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
    fn insert_rest(
        &mut self,
        before: &str,
        bindings: usize,
        leaf: Leaf,
        shapes: &HashMap<Shape, usize>,
    ) {
        self.insert(before, leaf);
        let bound = format!("{before}/{{{bindings}}}");
        let has_binding = shapes.keys().any(|shape| {
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
