//! What the `Accept` header says of `text/event-stream` (RFC 9110 §12.5.1).

use http::{HeaderMap, header};
use mediatype::names::{EVENT_STREAM, TEXT};
use mediatype::{MediaType, MediaTypeList, Name, ReadParams};

const STAR: Name<'static> = Name::new_unchecked("*");

/// How closely a range describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// `*/*`.
    Anything,
    /// `text/*`.
    Type,
    /// Itself.
    Exact,
}

/// Whether the client names event streams among what it takes.
pub(super) fn names(headers: &HeaderMap) -> bool {
    best(headers).1 == Some((Fit::Exact, true))
}

/// Whether the client takes other things only.
pub(super) fn excludes(headers: &HeaderMap) -> bool {
    match best(headers) {
        (says_something, None) => says_something,
        (_, Some((_, is_taken))) => !is_taken,
    }
}

/// Whether there is any range; and that which fits best, with whether its weight is more than zero.
fn best(headers: &HeaderMap) -> (bool, Option<(Fit, bool)>) {
    let mut says_something = false;
    let mut best: Option<(Fit, bool)> = None;
    // Several lines are one list (RFC 9110 §5.3), and what is malformed is passed over.
    for line in headers.get_all(header::ACCEPT) {
        let line = String::from_utf8_lossy(line.as_bytes());
        for range in MediaTypeList::new(&line).filter_map(Result::ok) {
            let Some(is_taken) = is_taken(&range) else {
                continue;
            };
            says_something = true;
            best = best.max(fit(&range).map(|fit| (fit, is_taken)));
        }
    }
    (says_something, best)
}

fn fit(range: &MediaType<'_>) -> Option<Fit> {
    if range.suffix.is_some() {
        return None;
    }
    if range.ty == STAR && range.subty == STAR {
        return Some(Fit::Anything);
    }
    if range.ty != TEXT {
        return None;
    }
    if range.subty == STAR {
        return Some(Fit::Type);
    }
    (range.subty == EVENT_STREAM).then_some(Fit::Exact)
}

/// Whether the weight is more than zero; `None` if it is malformed.
fn is_taken(range: &MediaType<'_>) -> Option<bool> {
    let mut weights = range.params();
    match weights.find(|(name, _)| name.as_str().eq_ignore_ascii_case("q")) {
        None => Some(true),
        Some((_, weight)) => {
            let weight: f32 = weight.as_str().parse().ok()?;
            (0.0..=1.0).contains(&weight).then_some(weight > 0.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_name_it_take_it_or_exclude_it() {
        for (accept, named, excluded) in [
            ("text/event-stream", true, false),
            ("TEXT/Event-Stream; charset=utf-8; Q=0.1", true, false),
            ("text/html, text/event-stream;q=0.5", true, false),
            ("text/event-stream, text/event-stream;q=0", true, false),
            ("*/*", false, false),
            ("text/*;q=0.2", false, false),
            ("text/html, */*;q=0.1", false, false),
            ("", false, false),
            ("nonsense", false, false),
            ("text/html", false, true),
            ("text/event-stream+xml", false, true),
            ("text/event-stream;q=0, */*", false, true),
            ("text/*;q=0, */*", false, true),
            ("*/*;q=0.000", false, true),
            ("text/event-stream;q=nonsense, text/html", false, true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(names(&headers), named, "{accept}");
            assert_eq!(excludes(&headers), excluded, "{accept}");
        }
        assert!(!names(&HeaderMap::new()) && !excludes(&HeaderMap::new()));
    }
}
