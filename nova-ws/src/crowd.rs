//! The connections of a route together: how they leave when the app stops.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::close::Close;

/// How many are closed at once.
const BATCH: usize = 500;
/// How long after one batch the next has its turn.
const GAP: Duration = Duration::from_millis(20);
/// How soon clients are told to come back, at the earliest.
const SOONEST: u64 = 500;
/// Over how many milliseconds more they are spread: this many for each connection, within bounds.
const SPREAD_EACH: u64 = 2;
const SPREAD: std::ops::RangeInclusive<u64> = 2_000..=30_000;

#[derive(Debug, Default)]
pub(crate) struct Crowd {
    open: AtomicUsize,
    leaving: AtomicUsize,
}

/// One of the crowd, until this is dropped.
pub(crate) struct InCrowd<'c>(&'c Crowd);

impl Crowd {
    pub(crate) fn enter(&self) -> InCrowd<'_> {
        self.open.fetch_add(1, Ordering::Relaxed);
        InCrowd(self)
    }

    /// How long one more connection waits before it closes, when there is `left` until it is cut: in
    /// batches, so that neither the app nor what is in front of it has all of them to do at once.
    pub(crate) fn turn(&self, left: Option<Duration>) -> Duration {
        let before = self.leaving.fetch_add(1, Ordering::Relaxed);
        let turn = GAP * u32::try_from(before / BATCH).unwrap_or(u32::MAX);
        left.map_or(turn, |left| turn.min(left / 2))
    }

    /// The close frame of a stop.
    pub(crate) fn farewell(&self, code: u16) -> Close {
        let retry = self.retry().as_millis();
        Close::new(code, &format!("retry={retry}"))
    }

    /// After how long a client comes back that a stop cuts off: each has its own, so that they do not
    /// come back all at once.
    pub(crate) fn retry(&self) -> Duration {
        let open = self.open.load(Ordering::Relaxed) as u64;
        let spread = (open * SPREAD_EACH).clamp(*SPREAD.start(), *SPREAD.end());
        Duration::from_millis(SOONEST + fastrand::u64(0..=spread))
    }
}

impl Drop for InCrowd<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_in_batches_within_half_of_what_is_left() {
        let crowd = Crowd::default();
        let left = Some(Duration::from_millis(50));
        let mut turns: Vec<_> = (0..2_000).map(|_| crowd.turn(left).as_millis()).collect();
        assert_eq!(turns.iter().filter(|turn| **turn == 0).count(), BATCH);
        turns.dedup();
        assert_eq!(turns, [0, 20, 25]);
    }
}
