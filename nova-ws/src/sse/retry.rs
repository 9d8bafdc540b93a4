//! When a client that was cut off comes back: at random, or all would come at once.

use std::time::Duration;

use bytes::Bytes;

use super::event::Event;

/// A block that says so, and that no client shows as an event; from `shortest` to `longest`.
pub(super) fn retry(shortest: Duration, longest: Duration) -> Bytes {
    let spread = longest.saturating_sub(shortest);
    // Without randomness they come at once, but they come.
    let share = getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX));
    let after = shortest + spread.mul_f64(share);
    Event::empty()
        .retry(after)
        .encode()
        .expect("a time has no line break")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_within_the_bounds_and_differ() {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let blocks: Vec<Bytes> = (0..100).map(|_| retry(second, minute)).collect();
        let times = blocks.iter().map(|block| {
            let text = std::str::from_utf8(block).unwrap();
            let time = text.strip_prefix("retry: ").unwrap();
            time.strip_suffix("\n\n").unwrap().parse::<u64>().unwrap()
        });
        let times: std::collections::BTreeSet<u64> = times.collect();

        assert!(times.iter().all(|time| (1_000..=60_000).contains(time)));
        assert!(times.len() > 50, "{times:?}");
    }
}
