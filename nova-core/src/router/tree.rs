//! The tree of all paths, segment by segment.
//!
//! At each segment a static one is tried first, then a binding, then a rest; where one leads to
//! nothing, the next is tried. A node stands for one beginning of a path, so none is visited twice in a
//! search, and a search allocates nothing.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::pattern::{Shape, Step};
use crate::bindings::Spans;

/// All shapes, each with its index.
pub(super) struct Tree(Vec<Node>);

/// The root is the first of them.
const ROOT: usize = 0;

#[derive(Default)]
struct Node {
    /// In the order of their keys, for a binary search.
    statics: Vec<Static>,
    /// The child of all segments.
    binding: Option<usize>,
    /// What the shape that ends here has as its index.
    end: Option<usize>,
    /// What the shape has that ends here with a rest.
    rest: Option<usize>,
}

/// A child of a static segment.
struct Static {
    /// That of [`Segment`]: it tells most segments apart, and is at hand where the text is elsewhere.
    key: u64,
    text: Box<[u8]>,
    child: usize,
}

/// A segment of a path.
#[derive(Clone, Copy)]
struct Segment<'p> {
    text: &'p [u8],
    /// Its last eight bytes.
    key: u64,
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
                Step::Static(text) => node.child_or_insert(Segment::first(text.as_bytes()), next),
            };
            if at == next {
                self.0.push(Node::default());
            }
        }
        self.0[at].end = Some(index);
    }

    /// The index of the shape that matches `path`, and where in the path its values stand.
    ///
    /// As in Nova, repeated slashes count as one, and one at the end for nothing; but nobody has a path
    /// with more at the end.
    pub(super) fn find(&self, path: &str) -> Option<(usize, Spans)> {
        if !path.starts_with('/') || path.ends_with("//") {
            return None;
        }
        let path = path.strip_suffix('/').unwrap_or(path).as_bytes();
        let mut values = Spans::new();
        let mut forks: SmallVec<[Fork<'_>; 4]> = SmallVec::new();
        let mut node = &self.0[ROOT];
        let mut from = 1; // behind the slash
        let mut next = Kind::Static;
        loop {
            while path.get(from) == Some(&b'/') {
                from += 1;
            }
            let below = path.get(from..).unwrap_or_default();
            if below.is_empty()
                && let Some(end) = node.end
            {
                return Some((end, values));
            }
            let segment = Segment::first(below);
            let behind = from + segment.text.len() + 1;
            if let Kind::Static = next
                && let Some(child) = node.child(segment)
            {
                if node.binding.is_some() || node.rest.is_some() {
                    forks.push(Fork::new(node, from, &values, Kind::Binding));
                }
                (node, from) = (&self.0[child], behind);
                continue;
            }
            if let Kind::Static | Kind::Binding = next
                && let Some(child) = node.binding
                && !below.is_empty()
            {
                if node.rest.is_some() {
                    forks.push(Fork::new(node, from, &values, Kind::Rest));
                }
                values.push(span(from, segment.text.len()));
                (node, from, next) = (&self.0[child], behind, Kind::Static);
                continue;
            }
            if let Some(rest) = node.rest {
                values.push(span(from.min(path.len()), below.len()));
                return Some((rest, values));
            }
            let fork = forks.pop()?;
            values.truncate(fork.values);
            (node, from, next) = (fork.node, fork.from, fork.next);
        }
    }
}

/// Where a search may come back to, since there is more to try.
struct Fork<'t> {
    node: &'t Node,
    /// Where the segments below it begin.
    from: usize,
    /// How many values there are above.
    values: usize,
    next: Kind,
}

impl<'t> Fork<'t> {
    fn new(node: &'t Node, from: usize, values: &Spans, next: Kind) -> Self {
        Fork {
            node,
            from,
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

impl<'p> Segment<'p> {
    /// What stands before the first slash.
    fn first(path: &'p [u8]) -> Self {
        let slash = path.iter().position(|&byte| byte == b'/');
        let text = &path[..slash.unwrap_or(path.len())];
        let key = match text.last_chunk() {
            Some(last) => u64::from_be_bytes(*last),
            None => text.iter().fold(0, |key, &byte| key << 8 | u64::from(byte)),
        };
        Segment { text, key }
    }
}

impl Default for Tree {
    fn default() -> Self {
        Tree(vec![Node::default()])
    }
}

impl Node {
    fn child(&self, segment: Segment<'_>) -> Option<usize> {
        let found = self.search(segment).ok()?;
        Some(self.statics[found].child)
    }

    fn child_or_insert(&mut self, segment: Segment<'_>, child: usize) -> usize {
        match self.search(segment) {
            Ok(known) => self.statics[known].child,
            Err(place) => {
                let (key, text) = (segment.key, segment.text.into());
                self.statics.insert(place, Static { key, text, child });
                child
            }
        }
    }

    /// Where the child of a segment is, or belongs.
    fn search(&self, segment: Segment<'_>) -> Result<usize, usize> {
        self.statics.binary_search_by(|known| {
            let by_key = known.key.cmp(&segment.key);
            by_key.then_with(|| (*known.text).cmp(segment.text))
        })
    }
}

/// A path is shorter than 64 KiB: hyper and `http::Uri` see to that.
fn span(from: usize, length: usize) -> std::ops::Range<u32> {
    from as u32..(from + length) as u32
}
