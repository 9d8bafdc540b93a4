//! The `access_log` plugin: a line for each request, as web servers write it.

use std::fmt::Write;

use http::header::{REFERER, USER_AGENT};
use http_body::Body;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::Instant;
use tracing::info;

use super::{Flow, Plugin, PluginInfo};
use crate::error::Result;
use crate::request::{Head, Request};
use crate::response::Response;

/// The target of the lines, for directives such as `info,nova_core::access=off`.
const TARGET: &str = "nova_core::access";

/// Writes a line for each request of its groups to the log, at the level `info`, with the target
/// `nova_core::access`.
///
/// It is registered as `access_log`. In the router file:
///
/// ```toml
/// plugins = ["correlation", ["access_log", { format = "fields" }]]
/// ```
///
/// The log has a line for every request of an app anyway, unless `requests` in
/// [`[log]`](crate::LogConfig) says otherwise: this one is for programs that read such lines, and
/// tells more. Its line is written where its place in the list comes, after the controller; what
/// plugins behind it change is not in it.
#[derive(Debug)]
pub struct AccessLogPlugin {
    options: AccessLogOptions,
}

/// The options of the `access_log` plugin.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessLogOptions {
    /// What a line is like. **Default:** `"combined"`.
    pub format: AccessLogFormat,
    /// Whether lines have the query, which may hold secrets. **Default:** `false`.
    pub query: bool,
}

/// What a line of the `access_log` plugin is like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessLogFormat {
    /// The common log format: `192.0.2.1 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 12`.
    Common,
    /// The same, and behind it where the client comes from and what it is.
    #[default]
    Combined,
    /// Fields of one `tracing` event, which are JSON where the log is: `client`, `method`, `path`,
    /// `query`, `version`, `status`, `bytes`, `ms`, `referer` and `user_agent`.
    Fields,
}

/// When the plugin has seen the request, among its extensions.
#[derive(Clone, Copy)]
struct Seen(Instant);

impl AccessLogPlugin {
    /// The plugin with these options, for [`Group::plugin`](crate::Group::plugin).
    pub fn new(options: AccessLogOptions) -> Self {
        AccessLogPlugin { options }
    }

    fn query<'h>(&self, head: &'h Head) -> Option<&'h str> {
        head.uri().query().filter(|_| self.options.query)
    }

    fn line(&self, head: &Head, response: &Response) -> String {
        let client = head.client_ip();
        let client = client.map_or_else(|| "-".to_owned(), |ip| ip.to_string());
        let time = Timestamp::now().strftime("%d/%b/%Y:%H:%M:%S +0000");
        let mut line = format!("{client} - - [{time}] \"{} ", head.method());
        push_escaped(&mut line, head.path().as_bytes());
        if let Some(query) = self.query(head) {
            line.push('?');
            push_escaped(&mut line, query.as_bytes());
        }
        let (version, status) = (head.version(), response.status().as_u16());
        // Writing to a string does not fail.
        let _ = write!(line, " {version:?}\" {status} ");
        match length(response) {
            Some(bytes) if bytes > 0 => drop(write!(line, "{bytes}")),
            _ => line.push('-'),
        }
        if self.options.format == AccessLogFormat::Combined {
            for name in [REFERER, USER_AGENT] {
                let value = head.headers().get(name);
                line.push_str(" \"");
                push_escaped(&mut line, value.map_or(b"-", |value| value.as_bytes()));
                line.push('"');
            }
        }
        line
    }

    fn log_fields(&self, head: &Head, response: &Response) {
        let seen = head.extensions().get::<Seen>();
        info!(
            target: TARGET,
            client = head.client_ip().map(|ip| ip.to_string()),
            method = head.method().as_str(),
            path = head.path(),
            query = self.query(head),
            version = ?head.version(),
            status = response.status().as_u16(),
            bytes = length(response),
            ms = seen.map(|Seen(since)| since.elapsed().as_secs_f64() * 1000.0),
            referer = head.header(REFERER),
            user_agent = head.header(USER_AGENT),
            "access"
        );
    }
}

impl Plugin for AccessLogPlugin {
    async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
        if self.options.format == AccessLogFormat::Fields {
            request.extensions_mut().insert(Seen(Instant::now()));
        }
        Ok(Flow::Continue)
    }

    async fn post_request(&self, head: &Head, response: &mut Response) -> Result<Flow> {
        match self.options.format {
            AccessLogFormat::Fields => self.log_fields(head, response),
            _ => info!(target: TARGET, "{}", self.line(head, response)),
        }
        Ok(Flow::Continue)
    }

    fn info(&self) -> PluginInfo {
        let description = "writes a line for each request to the log";
        PluginInfo::built_in("Access log", description, &self.options)
    }
}

/// How long the body is; `None` for a stream.
fn length(response: &Response) -> Option<u64> {
    response.body().size_hint().exact()
}

/// No byte of a client's ends a quotation or a line.
fn push_escaped(line: &mut String, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => {
                line.push('\\');
                line.push(byte.into());
            }
            b' '..=b'~' => line.push(byte.into()),
            _ => drop(write!(line, "\\x{byte:02x}")),
        }
    }
}
