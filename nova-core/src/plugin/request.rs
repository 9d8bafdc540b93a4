//! The `request` plugin: decodes bodies and checks query strings before the controller runs.

use http::Method;
use serde::Deserialize;

use super::{Flow, Plugin, PluginInfo};
use crate::error::Result;
use crate::params::{Kind, check_form};
use crate::request::Request;

/// Decodes what a request carries, so that a controller never sees anything malformed.
///
/// It is registered as `request`, and does what its options say. In the router file:
///
/// ```toml
/// plugins = [["request", { decode_json_body = true, read_urlencoded_body = true }]]
/// ```
///
/// A body is looked at for `POST`, `PUT` and `PATCH`, by its content type. One that is malformed
/// or empty JSON, or a badly encoded form, is refused with 400, one over the body limit with 413.
/// The controller reads its own type from the result, with
/// [`Request::params`](crate::Request::params).
#[derive(Debug)]
pub struct RequestPlugin {
    options: RequestOptions,
}

/// The options of the `request` plugin, under Nova's names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestOptions {
    /// Decode bodies of the type `application/json`. **Default:** `false`.
    pub decode_json_body: bool,
    /// Decode bodies of the type `application/x-www-form-urlencoded`. **Default:** `false`.
    pub read_urlencoded_body: bool,
    /// Check the query string: one that is badly encoded is refused with 400, also where the
    /// controller would not look at it. Controllers read it with
    /// [`Head::query`](crate::Head::query), checked before or not. **Default:** `false`.
    pub parse_qs: bool,
}

impl RequestPlugin {
    /// The plugin with these options, for [`Group::plugin`](crate::Group::plugin).
    pub fn new(options: RequestOptions) -> Self {
        RequestPlugin { options }
    }
}

impl Plugin for RequestPlugin {
    async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
        if self.options.parse_qs {
            check_form(request.uri().query().unwrap_or_default().as_bytes())?;
        }
        let has_params = [Method::POST, Method::PUT, Method::PATCH].contains(request.method());
        let wanted = Kind::of(request.headers()).filter(|kind| match kind {
            Kind::Json => self.options.decode_json_body,
            Kind::Form => self.options.read_urlencoded_body,
        });
        if let Some(kind) = wanted.filter(|_| has_params) {
            let body = request.body().await?;
            request.params = Some(kind.check(body)?);
        }
        Ok(Flow::Continue)
    }

    fn info(&self) -> PluginInfo {
        let description = "decodes bodies and checks queries before the controller runs";
        PluginInfo::built_in("Request", description, &self.options)
    }
}
