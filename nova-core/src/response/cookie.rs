//! Cookies on an answer, with defaults that protect them.

use std::fmt::Write;

use cookie::{Cookie, SameSite};
use http::HeaderValue;
use http::header::{HeaderName, SET_COOKIE};

use super::Response;
use crate::error::{Error, Result};

/// Cookies for a plugin's `post_request`; a [`Reply`](crate::Reply) has calls of its own.
///
/// ```
/// use nova_core::{Flow, Head, Plugin, Response, ResponseExt, Result};
///
/// struct Visited;
///
/// impl Plugin for Visited {
///     async fn post_request(&self, _head: &Head, response: &mut Response) -> Result<Flow> {
///         response.set_cookie(("visited", "yes"))?;
///         Ok(Flow::Continue)
///     }
/// }
/// ```
pub trait ResponseExt {
    /// Sets a cookie, beside those that are set already. The defaults are those of
    /// [`Reply::cookie`](crate::Reply::cookie).
    ///
    /// # Errors
    /// Its name, value, path or domain is none.
    fn set_cookie<'c>(&mut self, cookie: impl Into<Cookie<'c>>) -> Result<()>;

    /// Takes a cookie away from the client, as
    /// [`Reply::remove_cookie`](crate::Reply::remove_cookie) does.
    ///
    /// # Errors
    /// Its name, path or domain is none.
    fn remove_cookie<'c>(&mut self, cookie: impl Into<Cookie<'c>>) -> Result<()>;
}

impl ResponseExt for Response {
    fn set_cookie<'c>(&mut self, cookie: impl Into<Cookie<'c>>) -> Result<()> {
        let cookie = set(cookie.into()).map_err(Error::internal)?;
        self.headers_mut().append(SET_COOKIE, cookie);
        Ok(())
    }

    fn remove_cookie<'c>(&mut self, cookie: impl Into<Cookie<'c>>) -> Result<()> {
        let cookie = removed(cookie.into()).map_err(Error::internal)?;
        self.headers_mut().append(SET_COOKIE, cookie);
        Ok(())
    }
}

/// The header that sets `cookie`, or why there is none.
pub(crate) fn set(mut cookie: Cookie<'_>) -> Result<HeaderValue, String> {
    if cookie.http_only().is_none() {
        cookie.set_http_only(true);
    }
    if cookie.same_site().is_none() {
        cookie.set_same_site(SameSite::Lax);
    }
    if cookie.path().is_none() {
        cookie.set_path("/");
    }
    check(&cookie)?;
    let mut header = String::new();
    write!(header, "{cookie}")
        .ok()
        .and_then(|()| HeaderValue::try_from(header).ok())
        .ok_or_else(|| format!("the cookie `{}` is no header", cookie.name()))
}

/// The header that takes `cookie` away, or why there is none.
pub(crate) fn removed(mut cookie: Cookie<'_>) -> Result<HeaderValue, String> {
    cookie.make_removal();
    set(cookie)
}

/// RFC 6265 §4.1.1. The crate writes what it is given, and a `;` would begin another attribute.
fn check(cookie: &Cookie<'_>) -> Result<(), String> {
    let name = cookie.name();
    // A token, as the name of a header is.
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(format!("{name:?} is no name of a cookie"));
    }
    if !cookie.value_trimmed().bytes().all(is_cookie_octet) {
        return Err(format!(
            "the cookie `{name}` has a value that none can have: percent-encode it, or leave out \
             spaces, quotes, commas, semicolons, backslashes and what is not ASCII"
        ));
    }
    let mut attributes = cookie.path().into_iter().chain(cookie.domain());
    if attributes.any(|value| value.contains(|c: char| c == ';' || c.is_control())) {
        return Err(format!(
            "the cookie `{name}` has a path or domain that is none"
        ));
    }
    Ok(())
}

fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}
