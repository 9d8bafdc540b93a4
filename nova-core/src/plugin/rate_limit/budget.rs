//! What clients have left: the generic cell rate algorithm (ITU-T I.371), which keeps one time for each.
//!
//! That is the time at which the budget will be full again. A request puts it off by the time in
//! which the budget gains one, and is refused if that would be further ahead than a whole budget.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::time::Instant;

/// The budgets of all clients: bounded in number, and forgotten when they are full again.
#[derive(Debug)]
pub(super) struct Budgets {
    /// When each budget is full. A std mutex: no guard lives across an `.await`.
    full_at: Cache<u64, Arc<Mutex<Instant>>>,
    /// In which time a budget gains one request.
    interval: Duration,
    /// In which time an empty one is full.
    whole: Duration,
}

/// Where a client stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// How many requests are left now.
    pub(super) left: u32,
    /// How long until there is one more.
    pub(super) more_in: Duration,
    /// How long until a request is allowed; `None` if this one was.
    pub(super) retry_after: Option<Duration>,
}

impl Budgets {
    pub(super) fn new(
        period: Duration,
        requests: NonZeroU32,
        burst: NonZeroU32,
        capacity: NonZeroU64,
    ) -> Self {
        let interval = (period / requests.get()).max(Duration::from_nanos(1));
        let whole = interval.saturating_mul(burst.get());
        let full_at = Cache::builder()
            .max_capacity(capacity.get())
            .eviction_policy(EvictionPolicy::lru())
            // By then a budget is full, and as good as none. The cache's clock is not tokio's, so it
            // only has to be late enough.
            .time_to_idle(whole.saturating_add(Duration::from_secs(1)).min(A_YEAR))
            .build();
        Budgets {
            full_at,
            interval,
            whole,
        }
    }

    /// Takes one request from the client's budget, if there is one.
    pub(super) fn spend(&self, client: u64) -> Standing {
        let now = Instant::now();
        let full_at = self.full_at.get_with(client, || Arc::new(Mutex::new(now)));
        let mut full_at = full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = full_at.saturating_duration_since(now);
        match self.whole.checked_sub(missing + self.interval) {
            None => Standing {
                left: 0,
                more_in: missing + self.interval - self.whole,
                retry_after: Some(missing + self.interval - self.whole),
            },
            Some(left) => {
                let missing = missing + self.interval;
                *full_at = now + missing;
                let (left, interval) = (left.as_nanos(), self.interval.as_nanos());
                // What is missing to the next whole one.
                let more_in = interval - left % interval;
                Standing {
                    left: u32::try_from(left / interval).unwrap_or(u32::MAX),
                    more_in: Duration::from_nanos(more_in.try_into().unwrap_or(u64::MAX)),
                    retry_after: None,
                }
            }
        }
    }
}

/// The cache takes no longer times than a thousand years.
const A_YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn budgets(period: u64, requests: u32, burst: u32) -> Budgets {
        let number = |number| NonZeroU32::new(number).unwrap();
        Budgets::new(
            Duration::from_secs(period),
            number(requests),
            number(burst),
            NonZeroU64::new(10).unwrap(),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_budget_is_spent_and_fills_up_steadily() {
        let budgets = budgets(60, 6, 3);
        let spend = || budgets.spend(1);
        assert_eq!((spend().left, spend().left, spend().left), (2, 1, 0));
        let refused = spend();
        assert_eq!(refused.retry_after, Some(Duration::from_secs(10)));
        assert_eq!(budgets.spend(2).left, 2, "another client");

        advance(Duration::from_secs(9)).await;
        assert_eq!(spend().retry_after, Some(Duration::from_secs(1)));
        advance(Duration::from_secs(1)).await;
        let allowed = spend();
        assert_eq!((allowed.left, allowed.retry_after), (0, None));
        assert_eq!(allowed.more_in, Duration::from_secs(10));

        advance(Duration::from_secs(1000)).await;
        assert_eq!(spend().left, 2, "no more than a whole budget");
    }

    #[tokio::test(start_paused = true)]
    async fn no_period_has_more_requests_than_a_burst_beyond_its_own() {
        let budgets = budgets(60, 60, 60);
        let mut allowed = 0;
        for _ in 0..120 {
            allowed += u32::from(budgets.spend(1).retry_after.is_none());
            advance(Duration::from_millis(500)).await;
        }
        assert_eq!(allowed, 119);
    }

    #[test]
    fn budgets_are_bounded_in_number() {
        let budgets = budgets(60, 6, 3);
        for client in 0..1000 {
            budgets.spend(client);
        }
        budgets.full_at.run_pending_tasks();
        assert_eq!(budgets.full_at.entry_count(), 10);
    }
}
