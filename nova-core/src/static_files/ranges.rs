//! Which bytes of a file a `range` asks for (RFC 9110 §14).

use std::num::NonZeroUsize;
use std::ops::Range;

use http::HeaderValue;
use http_range_header::{
    RangeInvalid, RangeUnsatisfiableError, SyntacticallyCorrectRange,
    parse_range_header_with_max_ranges,
};

/// Who asks for more parts of a file at once asks for trouble (RFC 9110 §17.15).
const MOST: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not 0");

/// What is sent of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// All of it: the range is none that counts here.
    Whole,
    /// These bytes: at least one part, each with at least one byte, in order and apart.
    Parts(Vec<Range<u64>>),
    /// Nothing: it has no such bytes, or the range is malformed (416).
    Refused,
}

impl Selection {
    /// What `range` selects of a file with `size` bytes.
    ///
    /// An empty file has no parts, and is sent whole: the client may ask so for every file. Parts
    /// that overlap or meet are sent as one.
    pub(super) fn of(range: &HeaderValue, size: u64) -> Self {
        let Ok(range) = range.to_str() else {
            return Selection::Refused;
        };
        let ranges = match parse_range_header_with_max_ranges(range, MOST) {
            Ok(ranges) => ranges.into_ranges(),
            // RFC 9110 §14.2: another unit than bytes is no mistake.
            Err(RangeUnsatisfiableError::Invalid(RangeInvalid::DoesNotStartWithToken)) => {
                return Selection::Whole;
            }
            Err(_) => return Selection::Refused,
        };
        if size == 0 {
            return Selection::Whole;
        }
        let parts = ranges.into_iter().map(|range| bytes(range, size));
        match joined(parts.filter(|part| part.start < part.end)) {
            parts if parts.is_empty() => Selection::Refused,
            parts => Selection::Parts(parts),
        }
    }
}

/// Cut to the end of the file; empty behind it.
fn bytes(range: SyntacticallyCorrectRange, size: u64) -> Range<u64> {
    match range {
        SyntacticallyCorrectRange::FromStart(first) => first..size,
        SyntacticallyCorrectRange::FromLast(length) => size.saturating_sub(length)..size,
        SyntacticallyCorrectRange::Indexed(first, last) => first..last.saturating_add(1).min(size),
    }
}

fn joined(parts: impl Iterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let mut parts: Vec<_> = parts.collect();
    parts.sort_by_key(|part| part.start);
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(parts.len());
    for part in parts {
        match joined.last_mut() {
            Some(last) if part.start <= last.end => last.end = last.end.max(part.end),
            _ => joined.push(part),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::single_range_in_vec_init,
        reason = "one part of a file is what is meant"
    )]

    use super::*;

    fn of(range: &str, size: u64) -> Selection {
        Selection::of(&range.parse().unwrap(), size)
    }

    #[test]
    fn parts_are_cut_to_the_end_of_the_file() {
        for (range, start, end) in [
            ("bytes=0-4", 0, 5),
            ("BYTES=0-4", 0, 5),
            ("bytes=5-", 5, 12),
            ("bytes=0-99", 0, 12),
            ("bytes=11-11", 11, 12),
            ("bytes=0-99999999999999999999999", 0, 12),
            ("bytes=-5", 7, 12),
            ("bytes=-99", 0, 12),
            ("bytes=20-, 3-4", 3, 5),
        ] {
            let parts = Selection::Parts(vec![start..end]);
            assert_eq!(of(range, 12), parts, "{range}");
        }
    }

    #[test]
    fn several_parts_are_in_order_and_apart() {
        for (range, expected) in [
            ("bytes=0-1,4-5", vec![0..2, 4..6]),
            ("bytes=4-5, 0-1", vec![0..2, 4..6]),
            ("bytes=0-4,2-6,-3", vec![0..7, 9..12]),
            ("bytes=0-1,2-3", vec![0..4]),
            ("bytes=0-,-5,3-4", vec![0..12]),
        ] {
            assert_eq!(of(range, 12), Selection::Parts(expected), "{range}");
        }
    }

    #[test]
    fn what_no_file_has_or_no_range_is_is_refused() {
        let many = format!("bytes={}", "0-0,".repeat(17));
        for range in [
            "bytes=12-",
            "bytes=12-20",
            "bytes=-0",
            "bytes=5-2",
            "bytes=",
            "bytes=abc-",
            "bytes=1",
            "bytes=0-1,x",
            "bytes=--1",
            &many,
        ] {
            assert_eq!(of(range, 12), Selection::Refused, "{range}");
        }
    }

    #[test]
    fn another_unit_and_an_empty_file_are_sent_whole() {
        for (range, size) in [
            ("items=0-1", 12),
            ("bytes", 12),
            ("bytes=0-", 0),
            ("bytes=0-99", 0),
            ("bytes=-5", 0),
        ] {
            assert_eq!(of(range, size), Selection::Whole, "{range}");
        }
    }
}
