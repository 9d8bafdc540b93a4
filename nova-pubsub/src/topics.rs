//! Which topics of a channel a member wants.

use std::sync::Arc;

/// The topics of one channel that a member gets: all, or a chosen few.
///
/// ```
/// use nova_pubsub::Topics;
///
/// assert!(Topics::all().wants("note_created"));
/// let few = Topics::only(&["note_created", "note_deleted"]);
/// assert!(few.wants("note_deleted"));
/// assert!(!few.wants("note_updated"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topics(
    /// Sorted, each once; `None` is all.
    Option<Arc<[Box<str>]>>,
);

impl Topics {
    /// Whatever is broadcast there.
    pub fn all() -> Self {
        Topics(None)
    }

    /// These and no others. None at all is a member that gets no broadcast, and is one all the same.
    pub fn only(topics: &[&str]) -> Self {
        let mut topics: Vec<Box<str>> = topics.iter().map(|&topic| topic.into()).collect();
        topics.sort_unstable();
        topics.dedup();
        Topics(Some(topics.into()))
    }

    /// Whether all are wanted.
    pub fn is_all(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a message on `topic` is wanted.
    pub fn wants(&self, topic: &str) -> bool {
        match &self.0 {
            None => true,
            Some(chosen) => chosen.binary_search_by(|own| (**own).cmp(topic)).is_ok(),
        }
    }

    /// The chosen topics, in the order of their letters; `None` is all.
    pub fn chosen(&self) -> Option<impl Iterator<Item = &str>> {
        self.0
            .as_deref()
            .map(|chosen| chosen.iter().map(|topic| &**topic))
    }
}
