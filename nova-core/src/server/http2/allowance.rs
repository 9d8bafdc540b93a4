//! How much work beside its requests a client may make.
//!
//! A frame that asks for nothing costs the server as much as one that does: PING, SETTINGS, PRIORITY, updates of
//! windows, resets. Each is paid from an allowance, which grows with time and with what is sent to the client,
//! so that clients which use what they ask for always have enough.

use std::time::Duration;

use tokio::time::Instant;

/// What there is at first, and at most.
const MOST: i64 = 1000;
/// How long it takes for one more.
const REFILL: Duration = Duration::from_millis(10);

/// A frame that is only work.
const CONTROL: i64 = 1;
/// A stream that was begun for nothing: the client takes it back (CVE-2023-44487), or makes the server do so
/// (CVE-2025-8671).
const RESET: i64 = 10;
/// An answer, which takes a reset back.
const ANSWER: i64 = 10;
/// A frame of data, for which a client may update two windows.
const DATA: i64 = 2;

#[derive(Debug)]
pub(super) struct Allowance {
    left: i64,
    since: Instant,
}

impl Allowance {
    pub(super) fn new() -> Self {
        Allowance {
            left: MOST,
            since: Instant::now(),
        }
    }

    pub(super) fn control(&mut self) {
        self.left -= CONTROL;
    }

    pub(super) fn reset(&mut self) {
        self.left -= RESET;
    }

    pub(super) fn answer(&mut self) {
        self.earn(ANSWER);
    }

    pub(super) fn data(&mut self) {
        self.earn(DATA);
    }

    fn earn(&mut self, more: i64) {
        self.left = (self.left + more).min(MOST);
    }

    /// Whether more was spent than there was.
    pub(super) fn is_overdrawn(&mut self) -> bool {
        if self.left >= 0 {
            return false;
        }
        let refills = self.since.elapsed().as_millis() / REFILL.as_millis();
        self.since = Instant::now();
        self.earn(i64::try_from(refills).unwrap_or(MOST).min(MOST));
        self.left < 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floods(allowance: &mut Allowance, spend: impl Fn(&mut Allowance)) -> usize {
        let mut count = 0;
        while !allowance.is_overdrawn() {
            spend(allowance);
            count += 1;
        }
        count
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_spent_by_floods_and_comes_back_with_time() {
        let mut allowance = Allowance::new();

        assert_eq!(floods(&mut allowance, Allowance::control), 1001);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(floods(&mut allowance, Allowance::reset), 10);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(floods(&mut allowance, Allowance::reset), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gets_answers_may_go_on_for_ever() {
        let mut allowance = Allowance::new();
        for _ in 0..10_000 {
            allowance.answer();
            allowance.reset();
            allowance.data();
            allowance.control();
            allowance.control();
            assert!(!allowance.is_overdrawn());
        }
    }
}
