//! Losses in the log: one line for so much time, with the count, however many there are.

use std::time::{Duration, Instant};

use tracing::warn;

use crate::sync::{Mutex, lock};

/// At most one line in this time.
const PAUSE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(crate) struct Losses {
    /// A std mutex: a section is an addition.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many deliveries were lost that no line has told of.
    untold: u64,
    told: Option<Instant>,
}

impl Losses {
    /// To be called without locks: it may write to the log.
    pub(crate) fn add(&self, lost: usize, channel: &str) {
        if lost == 0 {
            return;
        }
        if let Some(lost) = lock(&self.state).add(lost, Instant::now()) {
            warn!(
                lost,
                channel, "messages were lost because mailboxes or sinks are full, the latest here"
            );
        }
    }

    /// Tells what no line has told of.
    pub(crate) fn tell_rest(&self) {
        let lost = std::mem::take(&mut lock(&self.state).untold);
        if lost > 0 {
            warn!(
                lost,
                "messages were lost because mailboxes or sinks were full"
            );
        }
    }
}

impl State {
    /// What a line has to tell now, if it is time for one.
    fn add(&mut self, lost: usize, now: Instant) -> Option<u64> {
        self.untold = self.untold.saturating_add(lost as u64);
        if self
            .told
            .is_some_and(|told| now.duration_since(told) < PAUSE)
        {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn the_first_loss_is_told_at_once_and_later_ones_together() {
        let mut state = State::default();
        let start = Instant::now();

        assert_eq!(state.add(3, start), Some(3));
        assert_eq!(state.add(1, start + PAUSE / 2), None);
        assert_eq!(state.add(5, start + PAUSE / 2), None);
        assert_eq!(state.add(1, start + PAUSE), Some(7));
        assert_eq!(state.add(1, start + PAUSE), None);
    }
}
