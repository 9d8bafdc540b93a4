//! What time it is, for sessions that may outlive the process.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The later of the system's clock and of the time that has passed since the start.
///
/// The first one is the same in all processes. The second one does not jump back when somebody sets
/// the first, and tests can advance it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    start: i64,
    since: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        Clock {
            start: system(),
            since: Instant::now(),
        }
    }

    /// In milliseconds of Unix time.
    pub(super) fn now(&self) -> i64 {
        let passed = i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX);
        system().max(self.start.saturating_add(passed))
    }
}

fn system() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
