//! The cookie by which a client's session is known.

use cookie::{Cookie, CookieBuilder, time};
use http::HeaderValue;

use crate::config::{SecureCookie, SessionConfig};

/// The header that gives the client this value.
pub(super) fn given(config: &SessionConfig, is_https: bool, value: String) -> Option<HeaderValue> {
    let mut cookie = built(config, is_https).build();
    cookie.set_value(value);
    header(&cookie)
}

/// The header that takes the cookie away.
pub(super) fn taken(config: &SessionConfig, is_https: bool) -> Option<HeaderValue> {
    let cookie = built(config, is_https).max_age(time::Duration::ZERO);
    header(&cookie.build())
}

fn built(config: &SessionConfig, is_https: bool) -> CookieBuilder<'_> {
    let is_secure = match config.secure {
        SecureCookie::Auto => is_https,
        SecureCookie::Always => true,
        SecureCookie::Never => false,
    };
    let cookie = Cookie::build(&*config.cookie)
        .http_only(true)
        .same_site(config.same_site)
        .path(&*config.path)
        .secure(is_secure);
    match &*config.domain {
        "" => cookie,
        domain => cookie.domain(domain),
    }
}

fn header(cookie: &Cookie<'_>) -> Option<HeaderValue> {
    HeaderValue::try_from(cookie.to_string()).ok()
}
