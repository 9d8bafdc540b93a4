//! The tree of all paths, segment by segment.
//!
//! At each segment a static one is tried first, then a binding, then a rest; where one leads to
//! nothing, the next is tried. A node stands for one beginning of a path, so none is visited twice in a
//! search, and a search allocates nothing.

use std::cmp::Ordering;
use std::collections::HashMap;

use smallvec::SmallVec;

use super::pattern::{Shape, Step};

/// What a path binds, in its order; as it stands in the path.
pub(super) type Values<'p> = SmallVec<[&'p str; 4]>;

/// All shapes, each with its index.
pub(super) struct Tree(Vec<Node>);

/// The root is the first of them.
const ROOT: usize = 0;

#[derive(Default)]
struct Node {
    /// The children of static segments, the shorter segments first, for a binary search.
    statics: Vec<(Box<str>, usize)>,
    /// The child of all segments.
    binding: Option<usize>,
    /// What the shape that ends here has as its index.
    end: Option<usize>,
    /// What the shape has that ends here with a rest.
    rest: Option<usize>,
}

impl Tree {
    pub(super) fn of(shapes: &HashMap<Shape, usize>) -> Self {
        let mut tree = Tree::default();
        for (shape, &index) in shapes {
            tree.insert(shape, index);
        }
        tree
    }

    fn insert(&mut self, shape: &Shape, index: usize) {
        let mut at = ROOT;
        for step in shape.steps() {
            let next = self.0.len();
            let node = &mut self.0[at];
            at = match step {
                Step::Rest => return node.rest = Some(index),
                Step::Binding => *node.binding.get_or_insert(next),
                Step::Static(segment) => match node.search(segment) {
                    Ok(known) => node.statics[known].1,
                    Err(place) => {
                        node.statics.insert(place, (segment.as_str().into(), next));
                        next
                    }
                },
            };
            if at == next {
                self.0.push(Node::default());
            }
        }
        self.0[at].end = Some(index);
    }

    /// The index of the shape that matches `path`, which is in order: see
    /// [`normalized`](super::table::normalized).
    pub(super) fn find<'p>(&self, path: &'p str) -> Option<(usize, Values<'p>)> {
        let mut values = Values::new();
        let mut forks: SmallVec<[Fork<'_, 'p>; 4]> = SmallVec::new();
        let mut node = &self.0[ROOT];
        let mut path = path.strip_prefix('/')?;
        let mut next = Kind::Static;
        loop {
            if path.is_empty()
                && let Some(end) = node.end
            {
                return Some((end, values));
            }
            let (segment, below) = first_segment(path);
            if let Kind::Static = next
                && let Some(child) = node.child(segment)
            {
                if node.binding.is_some() || node.rest.is_some() {
                    forks.push(Fork::new(node, path, &values, Kind::Binding));
                }
                (node, path) = (&self.0[child], below);
                continue;
            }
            if let Kind::Static | Kind::Binding = next
                && let Some(child) = node.binding
                && !path.is_empty()
            {
                if node.rest.is_some() {
                    forks.push(Fork::new(node, path, &values, Kind::Rest));
                }
                values.push(segment);
                (node, path, next) = (&self.0[child], below, Kind::Static);
                continue;
            }
            if let Some(rest) = node.rest {
                values.push(path);
                return Some((rest, values));
            }
            let fork = forks.pop()?;
            values.truncate(fork.values);
            (node, path, next) = (fork.node, fork.path, fork.next);
        }
    }
}

/// Where a search may come back to, since there is more to try.
struct Fork<'t, 'p> {
    node: &'t Node,
    /// What is to be found below it.
    path: &'p str,
    /// How many values there are above.
    values: usize,
    next: Kind,
}

impl<'t, 'p> Fork<'t, 'p> {
    fn new(node: &'t Node, path: &'p str, values: &Values<'p>, next: Kind) -> Self {
        Fork {
            node,
            path,
            values: values.len(),
            next,
        }
    }
}

/// What is tried at a node, in this order.
#[derive(Clone, Copy)]
enum Kind {
    Static,
    Binding,
    Rest,
}

/// By bytes: `split_once` is made for longer texts.
fn first_segment(path: &str) -> (&str, &str) {
    match path.bytes().position(|byte| byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (path, ""),
    }
}

impl Default for Tree {
    fn default() -> Self {
        Tree(vec![Node::default()])
    }
}

impl Node {
    fn child(&self, segment: &str) -> Option<usize> {
        let found = self.search(segment).ok()?;
        Some(self.statics[found].1)
    }

    /// Where a static segment is, or belongs. Lengths are compared first, for less.
    fn search(&self, segment: &str) -> Result<usize, usize> {
        let order = |known: &str| -> Ordering {
            let by_length = known.len().cmp(&segment.len());
            by_length.then_with(|| known.cmp(segment))
        };
        self.statics.binary_search_by(|(known, _)| order(known))
    }
}
