//! What goes back to the client.

mod body;
pub(crate) mod cookie;
pub(crate) mod headers;

use http::StatusCode;

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
