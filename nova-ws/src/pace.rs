//! How fast a client may send.

use std::time::Duration;

use tokio::time::Instant;

/// How many messages may come at once is how many may come in this time.
const BURST: Duration = Duration::from_secs(1);

/// Counts messages against time: each takes its share of a second, and they may be early by a second.
#[derive(Debug)]
pub(crate) struct Pace {
    each: Duration,
    /// When all that came would have come at an even pace.
    due: Instant,
    /// Since when nothing is read, which is not the client's fault.
    held: Option<Instant>,
    /// For how long nothing was read: what came meanwhile may come at once.
    excused: Duration,
}

impl Pace {
    /// `per_second` is above 0.
    pub(crate) fn new(per_second: u32) -> Self {
        Pace {
            each: BURST / per_second.max(1),
            due: Instant::now(),
            held: None,
            excused: Duration::ZERO,
        }
    }

    /// Notes whether the client is read.
    pub(crate) fn hold(&mut self, is_held_back: bool) {
        match self.held {
            None if is_held_back => self.held = Some(Instant::now()),
            Some(held) if !is_held_back => {
                self.held = None;
                self.excused = held.elapsed();
            }
            _ => {}
        }
    }

    /// Counts a message, and says whether it keeps the pace.
    pub(crate) fn keeps(&mut self) -> bool {
        let now = Instant::now();
        let earliest = now.checked_sub(self.excused).unwrap_or(now);
        self.due = self.due.max(earliest) + self.each;
        self.excused = now.saturating_duration_since(self.due);
        self.due <= now + BURST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_s_worth_may_come_at_once_and_then_it_is_the_pace() {
        let mut pace = Pace::new(3);
        assert!((0..3).all(|_| pace.keeps()));
        assert!(!pace.keeps());

        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((0..9).filter(|_| pace.keeps()).count(), 2);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!((0..9).filter(|_| pace.keeps()).count(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_while_nothing_was_read_may_come_at_once() {
        let mut pace = Pace::new(3);
        assert!((0..3).all(|_| pace.keeps()));
        for _ in 0..2 {
            pace.hold(true);
            tokio::time::advance(Duration::from_secs(2)).await;
        }
        pace.hold(false);
        assert_eq!((0..20).filter(|_| pace.keeps()).count(), 12);

        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!((0..9).filter(|_| pace.keeps()).count(), 3);
    }
}
