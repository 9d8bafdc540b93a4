//! The `cors` plugin: which pages of other origins may read the answers.

use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderName, HeaderValue, ORIGIN,
};
use http::{HeaderMap, Method};
use serde::Deserialize;

use super::vary::vary;
use super::{Flow, Plugin, PluginInfo, origins};
use crate::config::duration;
use crate::error::Result;
use crate::reply::status;
use crate::request::{Head, Request};
use crate::response::Response;

const ANY: &str = "*";

/// Lets pages of other origins read the answers of a group (the CORS protocol of the
/// [Fetch standard](https://fetch.spec.whatwg.org/#http-cors-protocol)).
///
/// It is registered as `cors`. In the router file:
///
/// ```toml
/// plugins = [["cors", { origins = ["https://app.example.com"], credentials = true }]]
/// ```
///
/// An origin is compared as a whole, and only that of the request is sent back; answers say
/// `Vary: Origin`. Everybody's, `"*"`, goes neither with other origins nor with `credentials`: the
/// app does not build.
///
/// A preflight, an `OPTIONS` with `Origin` and `Access-Control-Request-Method`, is answered here,
/// with 204: also where the route has `GET` only, and before the group's security function, as
/// browsers send no cookies with it. Of a path with routes in several groups, it passes the plugins of
/// the route with the method that it asks for. Any other `OPTIONS` goes on. The answers to all other requests
/// get the headers, those of errors too. List it before what may refuse a request.
#[derive(Debug)]
pub struct CorsPlugin {
    options: CorsOptions,
    /// As `options` has them, for preflights.
    methods: HeaderValue,
    headers: HeaderValue,
    expose: Option<HeaderValue>,
}

/// The options of the `cors` plugin.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CorsOptions {
    /// The origins whose pages may read the answers, such as `https://app.example.com`, or `*` for
    /// all. **Default:** none, which is a mistake.
    pub origins: Vec<String>,
    /// The methods that those pages may use, or `*` for all. **Default:** `GET`, `HEAD`, `POST`, `PUT`, `PATCH` and
    /// `DELETE`.
    pub methods: Vec<String>,
    /// The headers that they may send beside the harmless ones, or `*` for all but
    /// `authorization`. **Default:** `content-type`, which JSON needs.
    pub headers: Vec<String>,
    /// The headers of answers that they may read beside the harmless ones, or `*` for all.
    /// **Default:** none.
    pub expose: Vec<String>,
    /// Whether cookies go along, and answers to such requests may be read. **Default:** `false`.
    pub credentials: bool,
    /// How long a browser may remember the answer to a preflight. **Default:** `"10m"`.
    #[serde(deserialize_with = "duration")]
    pub max_age: Duration,
}

impl Default for CorsOptions {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        CorsOptions {
            origins: Vec::new(),
            methods: owned(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
            headers: owned(&["content-type"]),
            expose: Vec::new(),
            credentials: false,
            max_age: Duration::from_secs(10 * 60),
        }
    }
}

impl CorsPlugin {
    /// The plugin with these options, for [`Group::plugin`](crate::Group::plugin).
    pub fn new(options: CorsOptions) -> Self {
        let methods: Vec<_> = options.methods.iter().map(|m| m.to_uppercase()).collect();
        CorsPlugin {
            methods: joined(&methods),
            headers: joined(&options.headers),
            expose: Some(joined(&options.expose)).filter(|_| !options.expose.is_empty()),
            options,
        }
    }

    fn is_open(&self) -> bool {
        self.options.origins.iter().any(|origin| origin == ANY)
    }

    /// What `Access-Control-Allow-Origin` says to this request, if anything.
    fn allowed(&self, head: &Head) -> Option<HeaderValue> {
        if self.is_open() {
            return Some(HeaderValue::from_static(ANY));
        }
        let origin = head.headers().get(ORIGIN)?;
        let mut known = self.options.origins.iter();
        known
            .any(|known| known.as_bytes() == origin.as_bytes())
            .then(|| origin.clone())
    }
}

impl Plugin for CorsPlugin {
    async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
        if !is_preflight(request) {
            return Ok(Flow::Continue);
        }
        let mut reply = status(204);
        if self.allowed(request).is_some() {
            reply = reply
                .header(ACCESS_CONTROL_ALLOW_METHODS, &self.methods)
                .header(ACCESS_CONTROL_ALLOW_HEADERS, &self.headers)
                .header(ACCESS_CONTROL_MAX_AGE, self.options.max_age.as_secs());
        }
        Ok(Flow::Stop(reply))
    }

    async fn post_request(&self, head: &Head, response: &mut Response) -> Result<Flow> {
        let headers = response.headers_mut();
        if !self.is_open() {
            vary(headers, "origin");
        }
        if let Some(origin) = self.allowed(head) {
            self.allow(origin, headers);
            if let Some(expose) = self.expose.as_ref().filter(|_| !is_preflight(head)) {
                headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
            }
        }
        Ok(Flow::Continue)
    }

    fn check(&self) -> Result<(), String> {
        let CorsOptions {
            origins,
            methods,
            headers,
            expose,
            credentials,
            ..
        } = &self.options;
        if origins.is_empty() {
            return Err("it allows no origin: list some in `origins`, such as \
                        `[\"https://app.example.com\"]`"
                .to_owned());
        }
        let stars = [origins, methods, headers, expose];
        if *credentials && stars.iter().any(|list| list.iter().any(|one| one == ANY)) {
            return Err("`*` does not go with `credentials`: list what you trust".to_owned());
        }
        match self.is_open() {
            true if origins.len() > 1 => {
                return Err("`*` in `origins` is all of them: leave the others out".to_owned());
            }
            true => {}
            false => origins::check("origins", origins)?,
        }
        if let Some(wrong) = methods
            .iter()
            .find(|m| Method::from_bytes(m.as_bytes()).is_err())
        {
            return Err(format!("`{wrong}` in `methods` is no method"));
        }
        let mut names = headers.iter().chain(expose);
        match names.find(|name| HeaderName::from_bytes(name.as_bytes()).is_err()) {
            Some(wrong) => Err(format!("`{wrong}` is no name of a header")),
            None => Ok(()),
        }
    }

    fn info(&self) -> PluginInfo {
        let description = "lets pages of other origins read the answers";
        PluginInfo::built_in("CORS", description, &self.options)
    }
}

impl CorsPlugin {
    fn allow(&self, origin: HeaderValue, headers: &mut HeaderMap) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.options.credentials {
            let yes = HeaderValue::from_static("true");
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
    }
}

fn is_preflight(head: &Head) -> bool {
    head.method() == Method::OPTIONS
        && head.headers().contains_key(ORIGIN)
        && head.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Empty for names that [`Plugin::check`] refuses.
fn joined<S: AsRef<str>>(names: &[S]) -> HeaderValue {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}
