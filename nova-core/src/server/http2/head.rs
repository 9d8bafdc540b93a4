//! The head of a request and of an answer, made what they are over HTTP/1.1.
//!
//! So nothing behind this has to know which version a client speaks: the target is a path, and the host is
//! in `host`. h2 has refused already what is no request in HTTP/2: pseudo-fields that lack, stand twice or
//! come late, fields about the connection, names in capitals, lengths that do not agree (RFC 9113 §8).

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body::Body;

use crate::response::{Response, ResponseBody};
use crate::server::framing::is_host;

/// Fields that say something of a connection of HTTP/1.1 (RFC 9113 §8.2.2).
const OF_CONNECTION: [HeaderName; 6] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    TE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// The request as the app gets it.
///
/// # Errors
/// The status that refuses it.
pub(super) fn received<B>(
    mut request: Request<B>,
    most_fields: usize,
) -> Result<Request<B>, StatusCode> {
    fields(request.headers())?;
    join_cookies(request.headers_mut());
    if request.headers().len() > most_fields {
        return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    host(&mut request)?;
    let is_known = |scheme: &Scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS;
    if request
        .uri()
        .scheme()
        .is_some_and(|scheme| !is_known(scheme))
    {
        return Err(StatusCode::BAD_REQUEST);
    }
    if request.method() != Method::CONNECT {
        let path = request.uri().path_and_query().cloned();
        let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let is_ascii = path.as_str().is_ascii();
        match path.path() {
            "*" if request.method() == Method::OPTIONS => {}
            path if path.starts_with('/') && is_ascii => {}
            _ => return Err(StatusCode::BAD_REQUEST),
        }
        *request.uri_mut() = Uri::from(path);
    }
    let expected = request.headers().get_all(EXPECT);
    if expected
        .iter()
        .any(|expected| !expected.as_bytes().eq_ignore_ascii_case(b"100-continue"))
    {
        return Err(StatusCode::EXPECTATION_FAILED);
    }
    Ok(request)
}

/// What h2 lets pass: values with spaces around them (RFC 9113 §8.2.1), and a length that is said twice.
fn fields(headers: &HeaderMap) -> Result<(), StatusCode> {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let is_padded = |value: &[u8]| is_blank(value.first()) || is_blank(value.last());
    let has_padded = headers.values().any(|value| is_padded(value.as_bytes()));
    let is_doubled = headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some();
    match has_padded || is_doubled {
        true => Err(StatusCode::BAD_REQUEST),
        false => Ok(()),
    }
}

/// RFC 9113 §8.3.1: the host is in `:authority`, or in `host`, or the same in both.
fn host<B>(request: &mut Request<B>) -> Result<(), StatusCode> {
    let mut named = request.headers().get_all(HOST).iter();
    let (host, more) = (named.next(), named.next());
    let authority = request.uri().authority();
    let is_good = match (authority, host) {
        _ if more.is_some() => false,
        (Some(authority), Some(host)) => {
            is_host(host.as_bytes())
                && authority
                    .as_str()
                    .as_bytes()
                    .eq_ignore_ascii_case(host.as_bytes())
        }
        (Some(authority), None) => is_host(authority.as_str().as_bytes()),
        (None, Some(host)) => is_host(host.as_bytes()),
        (None, None) => false,
    };
    if !is_good {
        return Err(StatusCode::BAD_REQUEST);
    }
    if host.is_none()
        && let Some(authority) = authority
    {
        let host = HeaderValue::from_str(authority.as_str());
        let host = host.map_err(|_| StatusCode::BAD_REQUEST)?;
        request.headers_mut().insert(HOST, host);
    }
    Ok(())
}

/// RFC 9113 §8.2.3: cookies may come one by one, to be compressed better.
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let parts = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let parts: Vec<&[u8]> = parts.collect();
    if let Ok(joined) = HeaderValue::from_bytes(&parts.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

/// Takes away what an answer says of a connection of HTTP/1.1, and the body where there is none to be: hyper
/// does that over HTTP/1.1 only.
pub(super) fn answered(response: &mut Response, is_head: bool) {
    let headers = response.headers_mut();
    for name in &OF_CONNECTION {
        headers.remove(name);
    }
    let status = response.status();
    let has_none = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    if has_none || is_head {
        let length = response.body().size_hint().exact();
        if let (true, Some(length)) = (is_head && !has_none, length) {
            let headers = response.headers_mut();
            headers.entry(CONTENT_LENGTH).or_insert(length.into());
        }
        *response.body_mut() = ResponseBody::empty();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(method: &str, uri: &str, fields: &[(&str, &str)]) -> Result<Request<()>, u16> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        received(request.body(()).unwrap(), 3).map_err(|status| status.as_u16())
    }

    #[test]
    fn the_host_is_where_it_is_over_http_1_1() {
        for (uri, fields, host) in [
            ("https://a.org:81/x?y", &[][..], "a.org:81"),
            ("http://a.org/x?y", &[("host", "A.org")], "A.org"),
            ("/x?y", &[("host", "[::1]:80")], "[::1]:80"),
        ] {
            let request = taken("GET", uri, fields).unwrap();

            assert_eq!(request.headers().get_all(HOST).iter().count(), 1);
            assert_eq!(request.headers()[HOST], host);
            assert_eq!(request.uri(), "/x?y");
        }
    }

    #[test]
    fn what_does_not_say_well_whom_it_is_for_is_refused() {
        for (method, uri, fields, status) in [
            ("GET", "/", &[][..], 400),
            ("GET", "/", &[("host", "")], 400),
            ("GET", "/", &[("host", "a b")], 400),
            ("GET", "/", &[("host", "a"), ("host", "a")], 400),
            ("GET", "http://a/", &[("host", "b")], 400),
            ("GET", "http://a/", &[("host", "a:80")], 400),
            ("GET", "http://u@a/", &[], 400),
            ("GET", "ftp://a/", &[], 400),
            ("GET", "*", &[("host", "a")], 400),
            ("GET", "http://a/é", &[], 400),
            ("GET", "http://a/?é", &[], 400),
            ("GET", "http://a/", &[("a", " b")], 400),
            ("GET", "http://a/", &[("a", "b\t")], 400),
            (
                "GET",
                "http://a/",
                &[("cookie", "a=1"), ("cookie", " ")],
                400,
            ),
            (
                "POST",
                "http://a/",
                &[("content-length", "1"), ("content-length", "1")],
                400,
            ),
            ("GET", "http://a/", &[("expect", "200-ok")], 417),
            (
                "GET",
                "http://a/",
                &[("a", ""), ("a", ""), ("a", ""), ("a", "")],
                431,
            ),
        ] {
            let refused = taken(method, uri, fields).unwrap_err();
            assert_eq!(refused, status, "{method} {uri} {fields:?}");
        }
        assert!(taken("OPTIONS", "*", &[("host", "a")]).is_ok());
        assert!(taken("CONNECT", "a:80", &[]).is_ok());
    }

    #[test]
    fn cookies_that_come_one_by_one_are_one_field() {
        let cookies = [("cookie", "a=1"), ("cookie", "b=2; c=3")];
        let request = taken("GET", "http://a/", &cookies).unwrap();

        let cookies: Vec<_> = request.headers().get_all(COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3"]);
        assert!(taken("GET", "http://a/", &[("cookie", "a=1"); 110]).is_ok());
    }
}
