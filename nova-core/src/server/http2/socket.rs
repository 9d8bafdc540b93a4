//! A WebSocket on a stream of HTTP/2 (RFC 8441), told to the app as it would be over HTTP/1.1.
//!
//! A client asks for one with an extended CONNECT, and has it with a 200. The app sees the `GET` with `upgrade` that
//! it knows, and answers it with 101; so a handler has one handshake, and plugins and security look at one kind
//! of request.

use http::header::{CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::ext::Protocol;

use crate::response::{Response, ResponseBody};

/// What only HTTP/1.1 asks for: it proves that the server knows the protocol, which is said here by its name.
const KEY: HeaderValue = HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAA==");

/// Makes an extended CONNECT what it is over HTTP/1.1; whether it was one.
///
/// # Errors
/// 501 for another protocol than `websocket` (RFC 9220 §3).
pub(super) fn asked<B>(request: &mut Request<B>) -> Result<bool, StatusCode> {
    let Some(protocol) = request.extensions_mut().remove::<Protocol>() else {
        return Ok(false);
    };
    if protocol.as_str() != "websocket" {
        return Err(StatusCode::NOT_IMPLEMENTED);
    }
    *request.method_mut() = Method::GET;
    let headers = request.headers_mut();
    let fields: [(HeaderName, HeaderValue); 3] = [
        (UPGRADE, HeaderValue::from_static("websocket")),
        (CONNECTION, HeaderValue::from_static("upgrade")),
        (SEC_WEBSOCKET_KEY, KEY),
    ];
    headers.extend(fields);
    Ok(true)
}

/// Makes the answer one to an extended CONNECT. What succeeds otherwise than with 101 is no WebSocket, and would
/// be taken for one.
pub(super) fn answered(response: &mut Response) {
    let status = response.status();
    if status == StatusCode::SWITCHING_PROTOCOLS {
        *response.status_mut() = StatusCode::OK;
        response.headers_mut().remove(SEC_WEBSOCKET_ACCEPT);
    } else if status.is_success() {
        *response = Response::new(ResponseBody::empty());
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
}
