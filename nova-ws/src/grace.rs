//! How long things may go on when the app stops.

use std::time::Duration;

use nova_core::Stopping;
use tokio::time::sleep;

/// How long a callback may go on, before it is dropped.
pub(crate) const OF_CALLBACK: Duration = Duration::from_secs(3);

/// Waits until the app stops, and then for `usual`, or half of what is left before the app cuts what
/// has not ended: the rest is for what comes after, such as `terminate`.
pub(crate) async fn grace(stopping: &Stopping, usual: Duration) {
    stopping.wait().await;
    let left = stopping.time_left().map(|left| left / 2);
    sleep(left.map_or(usual, |left| left.min(usual))).await;
}
