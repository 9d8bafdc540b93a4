//! What a client that comes back has seen.

use std::str::FromStr;

use http::HeaderName;
use nova_core::Head;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The id of the last event that a client has seen which comes back, if it is a `T`.
///
/// `None` stands for a client that has seen nothing, as on its first connection, and for an id that
/// is none of the app's: both have to get everything. A browser sends the `Last-Event-ID` header by
/// itself (WHATWG HTML §9.2.4); it is what any client may have made up.
///
/// ```
/// use nova_core::testing;
/// use nova_ws::sse::last_event_id;
///
/// let request = testing::request("GET", "/news").header("last-event-id", "17").build();
/// assert_eq!(last_event_id(&request), Some(17));
///
/// let request = testing::request("GET", "/news").header("last-event-id", "x").build();
/// assert_eq!(last_event_id::<u64>(&request), None);
/// ```
pub fn last_event_id<T: FromStr>(head: &Head) -> Option<T> {
    // Not `Head::header`: that is for ASCII, and browsers send the id as UTF-8.
    let value = head.headers().get(LAST_EVENT_ID)?;
    std::str::from_utf8(value.as_bytes()).ok()?.parse().ok()
}
