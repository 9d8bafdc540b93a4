//! The `secure_headers` plugin: what a browser should not do with the answers.

use std::fmt;

use http::HeaderMap;
use http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

use super::{Flow, Plugin, PluginInfo};
use crate::error::Result;
use crate::request::Head;
use crate::response::Response;

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// Adds the headers that protect pages in browsers.
///
/// It is registered as `secure_headers`. In the router file:
///
/// ```toml
/// plugins = ["secure_headers"]
/// # or, with another policy and without one of the headers:
/// # plugins = [["secure_headers", { frames = "same_origin", permissions_policy = false }]]
/// ```
///
/// What an answer has already, stays: the controller has the last word.
#[derive(Debug)]
pub struct SecureHeadersPlugin {
    options: SecureHeadersOptions,
}

/// The options of the `secure_headers` plugin. In the router file, `false` in place of a text leaves
/// the header out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecureHeadersOptions {
    /// `X-Content-Type-Options: nosniff`: a type is what the answer says it is. **Default:** `true`.
    pub content_type_options: bool,
    /// Who may show the pages in a frame, by `X-Frame-Options`, and by `frame-ancestors` in
    /// `Content-Security-Policy`. **Default:** `"deny"`.
    pub frames: Frames,
    /// `Content-Security-Policy`. **Default:** none beside `frames`.
    #[serde(deserialize_with = "value_or_false")]
    pub content_security_policy: Option<HeaderValue>,
    /// `Referrer-Policy`. With `no-referrer`, some browsers send `Origin: null` with forms, which
    /// the `csrf` plugin refuses. **Default:** `strict-origin-when-cross-origin`.
    #[serde(deserialize_with = "value_or_false")]
    pub referrer_policy: Option<HeaderValue>,
    /// `Permissions-Policy`. **Default:** `camera=(), geolocation=(), microphone=()`.
    #[serde(deserialize_with = "value_or_false")]
    pub permissions_policy: Option<HeaderValue>,
    /// `Strict-Transport-Security` (RFC 6797), where the client [speaks
    /// HTTPS](crate::Head::is_secure). **Default:** `max-age=31536000`, a year, without the
    /// domains below.
    #[serde(deserialize_with = "value_or_false")]
    pub strict_transport_security: Option<HeaderValue>,
}

/// Who may show a page in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frames {
    /// Nobody.
    Deny,
    /// Pages of the same origin.
    SameOrigin,
    /// Anybody: no header is sent.
    Any,
}

impl Default for SecureHeadersOptions {
    fn default() -> Self {
        let fixed = |value| Some(HeaderValue::from_static(value));
        SecureHeadersOptions {
            content_type_options: true,
            frames: Frames::Deny,
            content_security_policy: None,
            referrer_policy: fixed("strict-origin-when-cross-origin"),
            permissions_policy: fixed("camera=(), geolocation=(), microphone=()"),
            strict_transport_security: fixed("max-age=31536000"),
        }
    }
}

fn value_or_false<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<HeaderValue>, D::Error> {
    struct Value;
    impl Visitor<'_> for Value {
        type Value = Option<HeaderValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the text of a header, or `false` for none")
        }

        fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
            match value {
                false => Ok(None),
                true => Err(E::invalid_value(Unexpected::Bool(true), &self)),
            }
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            let value = HeaderValue::from_str(text).ok();
            let value = value.filter(|value| !value.is_empty());
            value
                .map(Some)
                .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_any(Value)
}

impl SecureHeadersPlugin {
    /// The plugin with these options, for [`Group::plugin`](crate::Group::plugin).
    pub fn new(options: SecureHeadersOptions) -> Self {
        SecureHeadersPlugin { options }
    }
}

impl Frames {
    /// As `X-Frame-Options` and as a policy have it.
    fn headers(self) -> Option<(&'static str, &'static str)> {
        match self {
            Frames::Deny => Some(("DENY", "frame-ancestors 'none'")),
            Frames::SameOrigin => Some(("SAMEORIGIN", "frame-ancestors 'self'")),
            Frames::Any => None,
        }
    }
}

impl Plugin for SecureHeadersPlugin {
    async fn post_request(&self, head: &Head, response: &mut Response) -> Result<Flow> {
        let options = &self.options;
        let headers = response.headers_mut();
        if options.content_type_options {
            let value = HeaderValue::from_static("nosniff");
            headers.entry(X_CONTENT_TYPE_OPTIONS).or_insert(value);
        }
        set_default(
            headers,
            CONTENT_SECURITY_POLICY,
            options.content_security_policy.as_ref(),
        );
        if let Some((frame_options, ancestors)) = options.frames.headers()
            && !says_who_frames(headers)
        {
            let value = HeaderValue::from_static(frame_options);
            headers.insert(X_FRAME_OPTIONS, value);
            // Beside another policy: a browser follows both.
            headers.append(CONTENT_SECURITY_POLICY, HeaderValue::from_static(ancestors));
        }
        set_default(headers, REFERRER_POLICY, options.referrer_policy.as_ref());
        set_default(
            headers,
            PERMISSIONS_POLICY,
            options.permissions_policy.as_ref(),
        );
        if head.is_secure() {
            let hsts = options.strict_transport_security.as_ref();
            set_default(headers, STRICT_TRANSPORT_SECURITY, hsts);
        }
        Ok(Flow::Continue)
    }

    fn info(&self) -> PluginInfo {
        let description = "adds the headers that protect pages in browsers";
        PluginInfo::built_in("Secure headers", description, &self.options)
    }
}

/// Whether the answer has decided about frames itself.
fn says_who_frames(headers: &HeaderMap) -> bool {
    let mut policies = headers.get_all(CONTENT_SECURITY_POLICY).iter();
    headers.contains_key(X_FRAME_OPTIONS)
        || policies.any(|policy| {
            let policy = String::from_utf8_lossy(policy.as_bytes()).to_ascii_lowercase();
            let mut directives = policy.split([';', ',']).map(str::trim_start);
            directives.any(|directive| directive.starts_with("frame-ancestors"))
        })
}

fn set_default(headers: &mut HeaderMap, name: HeaderName, value: Option<&HeaderValue>) {
    if let Some(value) = value {
        headers.entry(name).or_insert_with(|| value.clone());
    }
}
