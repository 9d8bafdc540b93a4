//! The headers of a reply. Most replies have none, and are moved often until they are rendered: then
//! this is a pointer to nothing, and not the hundred bytes of an empty map.

use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;

use http::HeaderMap;

static NONE: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);

#[derive(Debug, Default)]
pub(super) struct Headers(Option<Box<HeaderMap>>);

impl Headers {
    /// The map, if there is any header.
    pub(super) fn into_map(self) -> Option<HeaderMap> {
        self.0.map(|map| *map)
    }
}

impl Deref for Headers {
    type Target = HeaderMap;

    fn deref(&self) -> &HeaderMap {
        self.0.as_deref().unwrap_or_else(|| &NONE)
    }
}

impl DerefMut for Headers {
    fn deref_mut(&mut self) -> &mut HeaderMap {
        self.0.get_or_insert_default()
    }
}
