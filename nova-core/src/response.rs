//! What goes back to the client.

mod body;
pub(crate) mod cookie;

use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::error::Error;
pub use body::ResponseBody;
pub use cookie::ResponseExt;

/// A rendered answer, as post plugins see it and may change it.
pub type Response = http::Response<ResponseBody>;

/// An answer with a status and nothing else.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = status;
    response
}

/// A problem document (RFC 9457 §3) for an answer that is an error of the framework's.
pub(crate) fn problem(status: StatusCode, detail: Option<&str>) -> Response {
    #[derive(Serialize)]
    struct Problem<'a> {
        title: &'a str,
        status: u16,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<&'a str>,
    }
    let problem = Problem {
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail,
    };
    let json = serde_json::to_vec(&problem).expect("strings and a number always encode");
    let mut response = Response::new(ResponseBody::from(json));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    response
}

impl From<&Error> for Response {
    fn from(error: &Error) -> Self {
        problem(error.status(), error.detail())
    }
}
