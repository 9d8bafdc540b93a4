//! What an answer depends on, for caches (RFC 9110 §12.5.5).

use http::header::VARY;
use http::{HeaderMap, HeaderValue};

/// Says in `headers` that the answer depends on the request header `name`, unless they do.
pub(super) fn vary(headers: &mut HeaderMap, name: &'static str) {
    let said = headers.get_all(VARY).iter();
    let mut names = said.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let is_said = names.any(|said| {
        let said = said.trim_ascii();
        said == b"*" || said.eq_ignore_ascii_case(name.as_bytes())
    });
    if !is_said {
        headers.append(VARY, HeaderValue::from_static(name));
    }
}
