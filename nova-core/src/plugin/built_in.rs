//! The plugins that every app has, by their names.

use super::access_log::AccessLogPlugin;
use super::compression::CompressionPlugin;
use super::correlation::CorrelationPlugin;
use super::cors::CorsPlugin;
use super::csrf::CsrfPlugin;
use super::rate_limit::RateLimitPlugin;
use super::request::RequestPlugin;
use super::secure_headers::SecureHeadersPlugin;
use super::timeout::TimeoutPlugin;
use crate::app::AppBuilder;

/// Registers them.
pub(crate) fn register(builder: AppBuilder) -> AppBuilder {
    builder
        .plugin_with("access_log", AccessLogPlugin::new)
        .plugin_with("compression", CompressionPlugin::new)
        .plugin_with("correlation", CorrelationPlugin::new)
        .plugin_with("cors", CorsPlugin::new)
        .plugin_with("csrf", CsrfPlugin::new)
        .plugin_with("rate_limit", RateLimitPlugin::new)
        .plugin_with("request", RequestPlugin::new)
        .plugin_with("secure_headers", SecureHeadersPlugin::new)
        .plugin_with("timeout", TimeoutPlugin::new)
}
