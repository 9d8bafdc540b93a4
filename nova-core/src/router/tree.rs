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
        let mut at = Place {
            node: &self.0[ROOT],
            path: path.strip_prefix('/')?,
            values: 0,
            untried: Kind::Static,
        };
        // Where there is more to try, the last first. Routes that need more than a few are rare.
        let mut others: SmallVec<[Place<'_, 'p>; 8]> = SmallVec::new();
        loop {
            if at.path.is_empty()
                && let Some(end) = at.node.end
            {
                return Some((end, values));
            }
            let (segment, below) = at.path.split_once('/').unwrap_or((at.path, ""));
            let child = match at.untried {
                Kind::Static => at.node.child(segment),
                Kind::Binding if segment.is_empty() => None,
                Kind::Binding => at.node.binding,
                Kind::Rest => {
                    if let Some(rest) = at.node.rest {
                        values.push(at.path);
                        return Some((rest, values));
                    }
                    at = others.pop()?;
                    values.truncate(at.values);
                    continue;
                }
            };
            let binds = matches!(at.untried, Kind::Binding);
            at.untried = match at.untried {
                Kind::Static => Kind::Binding,
                _ => Kind::Rest,
            };
            let Some(child) = child else { continue };
            if at.node.rest.is_some() || (!binds && at.node.binding.is_some()) {
                at.values = values.len();
                others.push(at);
            }
            if binds {
                values.push(segment);
            }
            at = Place {
                node: &self.0[child],
                path: below,
                values: 0,
                untried: Kind::Static,
            };
        }
    }
}

/// A node, and what is to be found below it.
#[derive(Clone, Copy)]
struct Place<'t, 'p> {
    node: &'t Node,
    path: &'p str,
    /// How many values there are above.
    values: usize,
    untried: Kind,
}

/// What comes first is tried first.
#[derive(Clone, Copy)]
enum Kind {
    Static,
    Binding,
    Rest,
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
