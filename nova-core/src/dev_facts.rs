//! What a developer sees of an error beside what the client may read: causes, route, request.
//!
//! The page and the problem document show the same. Secrets that a request carries are masked, for
//! such pages end up in tickets and chats.

use std::collections::BTreeMap;
use std::fmt;

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE, HeaderName, PROXY_AUTHORIZATION};
use serde::Serialize;

use crate::config::secret::{MASK, is_telling, masked_url};
use crate::error::Error;
use crate::origin::Origin;
use crate::request::Head;
use crate::router::{NearRoute, RouteInfo};

/// All of it. Only what is made for `dev` may have one.
#[derive(Debug, Serialize)]
pub(crate) struct DevFacts<'f> {
    /// The wrapped error and what caused it, the first cause last.
    pub(crate) causes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<RouteFacts<'f>>,
    /// Routes that nearly matched, for a request without a route.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) near: &'f [NearRoute],
    request: RequestFacts<'f>,
}

#[derive(Debug, Serialize)]
pub(crate) struct RouteFacts<'f> {
    #[serde(flatten)]
    pub(crate) info: &'f RouteInfo,
    /// The line of the router file, underlined; empty for a route in Rust.
    excerpt: Vec<String>,
}

#[derive(Debug, Serialize)]
struct RequestFacts<'f> {
    method: &'f str,
    path: &'f str,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    bindings: BTreeMap<&'f str, &'f str>,
    headers: BTreeMap<&'f str, String>,
}

impl<'f> DevFacts<'f> {
    pub(crate) fn of(
        error: &'f Error,
        head: &'f Head,
        route: Option<&'f RouteInfo>,
        near: &'f [NearRoute],
    ) -> Self {
        DevFacts {
            causes: error
                .chain()
                .map(|cause| masked_url(&cause.to_string()))
                .collect(),
            route: route.map(RouteFacts::of),
            near,
            request: RequestFacts::of(head),
        }
    }
}

impl<'f> RouteFacts<'f> {
    fn of(info: &'f RouteInfo) -> Self {
        let excerpt = Excerpt(&info.origin).to_string();
        RouteFacts {
            info,
            excerpt: excerpt
                .lines()
                .skip(2) // the end of the line before, and the margin above
                .map(str::to_owned)
                .collect(),
        }
    }
}

impl<'f> RequestFacts<'f> {
    fn of(head: &'f Head) -> Self {
        let path = head.path();
        let names = head.bindings.names().iter();
        RequestFacts {
            method: head.method().as_str(),
            path,
            query: head.uri().query().map(masked_query),
            bindings: names
                .filter_map(|name| Some((&**name, head.bindings.get(name, path)?)))
                .collect(),
            headers: head
                .headers()
                .keys()
                .map(|name| (name.as_str(), shown_header(head.headers(), name)))
                .collect(),
        }
    }
}

/// The values of a header, several in one list.
fn shown_header(headers: &HeaderMap, name: &HeaderName) -> String {
    let is_secret = [COOKIE, AUTHORIZATION, PROXY_AUTHORIZATION].contains(name);
    if is_secret || is_telling(name.as_str()) {
        return MASK.to_owned();
    }
    let values = headers.get_all(name).iter();
    let values: Vec<_> = values
        .map(|value| masked_url(&String::from_utf8_lossy(value.as_bytes())))
        .collect();
    values.join(", ")
}

/// The query without the values of secret parameters.
fn masked_query(query: &str) -> String {
    let masked = masked_url(&format!("?{query}"));
    masked.strip_prefix('?').unwrap_or(&masked).to_owned()
}

struct Excerpt<'o>(&'o Origin);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_excerpt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn secrets_of_a_request_are_masked() {
        let request = testing::request("GET", "/notes?page=2&api_token=hunter2")
            .header("cookie", "session_id=hunter2")
            .header("authorization", "Bearer hunter2")
            .header("proxy-authorization", "Basic hunter2")
            .header("x-api-key", "hunter2")
            .header("x-csrf-token", "hunter2")
            .header("referer", "http://localhost/reset?token=hunter2&a=b")
            .header("accept", "text/html")
            .header("accept", "text/plain")
            .build();
        let facts = RequestFacts::of(request.head());
        let json = serde_json::to_value(&facts).unwrap();

        assert!(!json.to_string().contains("hunter2"), "{json}");
        assert_eq!(json["query"], "page=2&api_token=***");
        assert_eq!(json["headers"]["cookie"], "***");
        assert_eq!(
            json["headers"]["referer"],
            "http://localhost/reset?token=***&a=b"
        );
        assert_eq!(json["headers"]["accept"], "text/html, text/plain");
    }
}
