//! The opening handshake (RFC 6455 §4.2): who may upgrade, and what the 101 says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use nova_core::{Head, Reply, status};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::limits::{InForce, is_token};
use crate::open::TooMany;

/// Whether the client asks for a WebSocket at all.
pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, header::UPGRADE, "websocket")
}

/// Why a request is no handshake that this server takes part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    NoUpgrade,
    Version,
    Key,
    Body,
    Origin,
    Protocol,
    TooMany(TooMany),
}

impl Refusal {
    /// What the client is told: 426 is RFC 9110 §15.5.22.
    pub(crate) fn reply(self, limits: &InForce) -> Reply {
        match self {
            Refusal::NoUpgrade => upgrade_required("this is a WebSocket: connect with `ws://`"),
            Refusal::Version => upgrade_required("the WebSocket version here is 13 (RFC 6455)"),
            Refusal::Key => {
                status(400).text("`sec-websocket-key` is the base64 of 16 bytes, and stands once")
            }
            Refusal::Body => status(400).text("a request for a WebSocket has no body"),
            Refusal::Origin => status(403).text("WebSockets are for pages of this origin"),
            Refusal::Protocol => {
                let spoken = limits.protocols.join("`, `");
                status(400).text(format!("the sub-protocols here are `{spoken}`"))
            }
            Refusal::TooMany(too_many) => too_many.reply(),
        }
    }
}

/// With what the client has to upgrade to (RFC 9110 §15.5.22, RFC 6455 §4.4).
fn upgrade_required(told: &'static str) -> Reply {
    status(426)
        .text(told)
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
}

/// The headers of the 101, or what is wrong.
pub(crate) fn accept(head: &Head, limits: &InForce) -> Result<HeaderMap, Refusal> {
    let headers = head.headers();
    if !is_upgrade(headers) || !has_token(headers, header::CONNECTION, "upgrade") {
        return Err(Refusal::NoUpgrade);
    }
    if single(headers, header::SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(Refusal::Version);
    }
    let key = key(headers).ok_or(Refusal::Key)?;
    if has_body(headers) {
        return Err(Refusal::Body);
    }
    if !is_welcome(head, &limits.origins) {
        return Err(Refusal::Origin);
    }
    let mut accepted = HeaderMap::new();
    accepted.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    accepted.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    Ok(accepted)
}

/// Whether bytes follow that are a body to a proxy, and would be frames here (RFC 6455 §4.1 has none).
fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length != "0")
}

/// What answers the client's key, if it sent one that is well-formed.
fn key(headers: &HeaderMap) -> Option<HeaderValue> {
    let key = single(headers, header::SEC_WEBSOCKET_KEY)?;
    let decoded = STANDARD.decode(key).ok()?;
    if decoded.len() != 16 {
        return None;
    }
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()
}

/// Browsers send the origin of the page (RFC 6455 §10.2), and other clients none. Without this
/// check, any page could talk to the app with the cookies of whoever looks at it.
fn is_welcome(head: &Head, listed: &[String]) -> bool {
    let headers = head.headers();
    if !headers.contains_key(header::ORIGIN) {
        return true;
    }
    let origin = single(headers, header::ORIGIN);
    let is_listed = |origin: &str| {
        let same = |one: &String| one == "*" || one.eq_ignore_ascii_case(origin);
        listed.iter().any(same)
    };
    let is_own = |origin: &str| match (origin.split_once("://"), single(headers, header::HOST)) {
        (Some((_, authority)), Some(host)) => authority.eq_ignore_ascii_case(host),
        _ => false,
    };
    origin.is_some_and(|origin| is_own(origin) || is_listed(origin))
}

/// The sub-protocols that a client offers (RFC 6455 §11.3.4), in its order; what is no name of one is
/// left out.
///
/// A page can give the request that opens a socket no header of its own, but it can offer a token among the
/// sub-protocols. This is for the security function that looks for one; `init` has
/// [`Connection::offered_protocols`](crate::Connection::offered_protocols).
///
/// ```
/// use nova_core::{Access, Request, Result};
/// use nova_ws::offered_protocols;
///
/// async fn has_token(request: &mut Request) -> Result<Access> {
///     let mut tokens = offered_protocols(request).filter_map(|name| name.strip_prefix("token."));
///     Ok(match tokens.next() {
///         Some("3f9d0c") => Access::granted_as("ann"),
///         _ => Access::denied(),
///     })
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let request = nova_core::testing::request("GET", "/ws");
/// # let request = request.header("sec-websocket-protocol", "notes.v1, token.3f9d0c");
/// # assert!(matches!(has_token(&mut request.build()).await, Ok(Access::GrantedAs(_))));
/// # }
/// ```
pub fn offered_protocols(head: &Head) -> impl Iterator<Item = &str> {
    let lists = head
        .headers()
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter();
    let names = lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','));
    names.map(str::trim).filter(|name| is_token(name))
}

/// The value of a header that stands once.
fn single(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// Whether a header that is a list has `token` in it, in any case.
fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|one| one.trim().eq_ignore_ascii_case(token))
}

/// The client's part of the handshake, for tests that upgrade by hand.
pub(crate) fn client_headers() -> [(&'static str, &'static str); 4] {
    [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        // The sample key of RFC 6455 §1.3.
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]
}
