//! Header maps that are used again: the map that has held a request's headers holds a response's.
//!
//! A map with one header is two allocations, and each request would make and free them. hyper parses a
//! request into the map of a response that it has sent, so that in the end one map goes round.

use std::cell::Cell;

use http::HeaderMap;

/// A map with more room is not kept.
const ROOM: usize = 64;

thread_local! {
    static SPARE: Cell<Option<HeaderMap>> = const { Cell::new(None) };
}

/// A map without headers; it may have room.
pub(crate) fn empty() -> HeaderMap {
    let spare = SPARE.try_with(Cell::take).ok().flatten();
    spare.unwrap_or_default()
}

/// Keeps the room of `headers` for the next response of this thread.
pub(crate) fn keep_room(mut headers: HeaderMap) {
    if (1..=ROOM).contains(&headers.capacity()) {
        headers.clear();
        // It fails at the end of a thread.
        let _ = SPARE.try_with(|spare| spare.set(Some(headers)));
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::COOKIE;

    use super::*;

    #[test]
    fn what_a_request_has_said_is_in_no_response() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("secret"));
        headers.append(COOKIE, HeaderValue::from_static("second"));
        keep_room(headers);
        let again = empty();

        assert!(again.capacity() > 0, "the room is kept");
        assert!(again.is_empty() && again.get_all(COOKIE).iter().next().is_none());
    }

    #[test]
    fn much_room_is_not_kept() {
        keep_room(HeaderMap::with_capacity(1_000));

        assert_eq!(empty().capacity(), 0);
    }
}
