//! A list that a broadcast walks in the order of memory, and that things enter and leave in constant
//! time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Things by number, side by side. Their order is no one's business: the last takes the place of one
/// that leaves.
#[derive(Debug)]
pub(crate) struct Dense<T> {
    items: Vec<(u64, T)>,
    /// Where each stands in `items`.
    index: HashMap<u64, usize>,
}

impl<T> Dense<T> {
    /// What has this number; with what `make` makes, if nothing had it before. Says whether so.
    pub(crate) fn get_or_insert(
        &mut self,
        number: u64,
        make: impl FnOnce() -> T,
    ) -> (&mut T, bool) {
        let (position, new) = match self.index.entry(number) {
            Entry::Occupied(entry) => (*entry.get(), false),
            Entry::Vacant(entry) => {
                self.items.push((number, make()));
                (*entry.insert(self.items.len() - 1), true)
            }
        };
        (&mut self.items[position].1, new)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let position = *self.index.get(&number)?;
        Some(&mut self.items[position].1)
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        let position = self.index.remove(&number)?;
        let (_, removed) = self.items.swap_remove(position);
        if let Some((moved, _)) = self.items.get(position) {
            self.index.insert(*moved, position);
        }
        Some(removed)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (u64, &T)> {
        self.items.iter().map(|(number, item)| (*number, item))
    }

    /// The same in pieces, each of at most `size`.
    pub(crate) fn chunks(&self, size: usize) -> impl Iterator<Item = &[(u64, T)]> {
        self.items.chunks(size)
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

impl<T> Default for Dense<T> {
    fn default() -> Self {
        Dense {
            items: Vec::new(),
            index: HashMap::new(),
        }
    }
}
