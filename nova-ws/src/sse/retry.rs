//! When a client that was cut off comes back: at random, or all would come at once.

use std::time::Duration;

use bytes::Bytes;

/// What a stream begins with: about what browsers do by themselves, who differ.
pub(super) fn usual() -> Bytes {
    block(Duration::from_millis(fastrand::u64(2_000..=5_000)))
}

/// A block that says when to come back, and that no client shows as an event.
pub(super) fn block(after: Duration) -> Bytes {
    format!("retry: {}\n\n", after.as_millis()).into()
}
