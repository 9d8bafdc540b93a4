//! The `correlation` plugin: an id that ties together all that a request causes.

use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected};
use tracing::Span;
use uuid::Uuid;

use super::{Flow, Plugin, PluginInfo};
use crate::error::Result;
use crate::request::{Head, Request};
use crate::response::Response;

const HEADER: HeaderName = HeaderName::from_static("x-correlation-id");

/// Longer ones are no ids, and would fill the log.
const LONGEST: usize = 128;

/// Gives each request an id: it is on every line of the log that the request causes, in the
/// response header `x-correlation-id`, and in [`Head::correlation_id`].
///
/// It is registered as `correlation`. List it first, so that what the other plugins log has the id
/// too. In the router file:
///
/// ```toml
/// plugins = ["correlation"]
/// # or, where a proxy in front gives the ids:
/// # plugins = [["correlation", { request_correlation_header = "x-request-id" }]]
/// ```
///
/// The id is a random UUID (version 4, RFC 9562 §5.4). One that a client sends is taken over only
/// from the header that the options name, and only if it is 1 to 128 letters, digits, `-`, `_`,
/// `.` or `:`.
#[derive(Debug)]
pub struct CorrelationPlugin {
    options: CorrelationOptions,
}

/// The options of the `correlation` plugin, under Nova's names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CorrelationOptions {
    /// The header of a request from which its id is taken over. **Default:** none.
    #[serde(deserialize_with = "header_name")]
    pub request_correlation_header: Option<HeaderName>,
}

fn header_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<HeaderName>, D::Error> {
    let name = String::deserialize(deserializer)?;
    let header = HeaderName::from_bytes(name.as_bytes());
    let expected = &"the name of a header, such as \"x-request-id\"";
    header
        .map(Some)
        .map_err(|_| D::Error::invalid_value(Unexpected::Str(&name), expected))
}

/// The id, among the extensions of a request.
#[derive(Clone)]
pub(crate) struct CorrelationId(Box<str>);

impl CorrelationId {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl CorrelationPlugin {
    /// The plugin with these options, for [`Group::plugin`](crate::Group::plugin).
    pub fn new(options: CorrelationOptions) -> Self {
        CorrelationPlugin { options }
    }

    fn taken_over<'r>(&self, request: &'r Request) -> Option<&'r str> {
        let id = request.header(self.options.request_correlation_header.as_ref()?)?;
        let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        ((1..=LONGEST).contains(&id.len()) && id.bytes().all(is_sound)).then_some(id)
    }
}

impl Plugin for CorrelationPlugin {
    async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
        let id: Box<str> = match self.taken_over(request) {
            Some(id) => id.into(),
            None => Uuid::new_v4().to_string().into(),
        };
        Span::current().record("correlation_id", &*id);
        request.extensions_mut().insert(CorrelationId(id));
        Ok(Flow::Continue)
    }

    async fn post_request(&self, head: &Head, response: &mut Response) -> Result<Flow> {
        // It is missing where a plugin before this one has stopped the request.
        if let Some(id) = head
            .correlation_id()
            .and_then(|id| HeaderValue::from_str(id).ok())
        {
            response.headers_mut().insert(HEADER, id);
        }
        Ok(Flow::Continue)
    }

    fn info(&self) -> PluginInfo {
        let description = "gives each request an id, for the log and the answer";
        PluginInfo::built_in("Correlation", description, &self.options)
    }
}
