//! The log of an app that [`run`](crate::run) serves: lines on standard error.

use std::io::{self, IsTerminal, Write};

use http::{Method, StatusCode, Uri};
use tokio::time::Instant;
use tracing::{Level, Span, info, warn};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::config::{LogConfig, LogFormat};

/// The target of the lines for requests, for directives such as `info,nova_core::requests=off`.
const REQUESTS: &str = "nova_core::requests";

/// How many lines wait for standard error; further ones are lost. Somebody who has stopped reading
/// the log must not stop the app.
const WAITING_LINES: usize = 8_192;

type Lines = Box<dyn Layer<Registry> + Send + Sync>;

/// What [`run`](crate::run) writes: a subscriber that goes through a thread of its own, and the
/// messages beside the log. The settings are not read yet when it begins.
pub(crate) struct Log {
    /// `None` if the program has installed its own subscriber, which then counts.
    lines: Option<reload::Handle<Lines, Registry>>,
    out: NonBlocking,
    /// Writes what is waiting, when it is dropped.
    _rest: WorkerGuard,
}

impl Log {
    pub(crate) fn install(config: &LogConfig) -> Self {
        let (out, rest) = NonBlockingBuilder::default()
            .buffered_lines_limit(WAITING_LINES)
            .lossy(true)
            .finish(io::stderr());
        let (layer, handle) = reload::Layer::new(lines(config, &out));
        let installed = Registry::default().with(layer).try_init().is_ok();
        if let Some((wanted, error)) = rust_log().and_then(Result::err).filter(|_| installed) {
            warn!(
                "RUST_LOG={wanted} is no filter, so it is `{}`: {error}",
                config.level
            );
        }
        Log {
            lines: installed.then_some(handle),
            out,
            _rest: rest,
        }
    }

    /// Goes on as the settings want it.
    pub(crate) fn apply(&self, config: &LogConfig) {
        if let Some(handle) = &self.lines {
            // It fails only when the subscriber is gone, and then nobody misses it.
            let _ = handle.reload(lines(config, &self.out));
        }
    }

    /// Writes a message that no level of the log may hide, behind the lines before it.
    pub(crate) fn say(&self, message: &str) {
        // It fails as little as a lossy writer does.
        let _ = self
            .out
            .clone()
            .write_all(format!("{message}\n").as_bytes());
    }

    /// Says how many lines nobody has read, if there were any.
    pub(crate) fn tell_losses(&self) {
        let lost = self.out.error_counter().dropped_lines();
        if lost > 0 {
            warn!("{lost} lines of the log were lost: nobody read standard error");
        }
    }
}

/// What `RUST_LOG` says, if anything; an error comes with the text.
fn rust_log() -> Option<Result<EnvFilter, (String, String)>> {
    let wanted = std::env::var(EnvFilter::DEFAULT_ENV).ok()?;
    let filter = EnvFilter::try_new(&wanted);
    Some(filter.map_err(|error| (wanted, error.to_string())))
}

fn lines(config: &LogConfig, out: &NonBlocking) -> Lines {
    let filter = match rust_log() {
        Some(Ok(filter)) => filter,
        // The settings have been checked.
        _ => EnvFilter::new(&config.level),
    };
    let lines = fmt::layer().with_writer(out.clone());
    match config.format {
        LogFormat::Text => {
            let is_terminal = io::stderr().is_terminal();
            let lines = lines.compact().with_target(false).with_ansi(is_terminal);
            filter.and_then(lines).boxed()
        }
        // All spans of a line, not the innermost alone: the outermost has the correlation id.
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true);
            let lines = lines.with_current_span(false).with_span_list(true);
            filter.and_then(lines).boxed()
        }
    }
}

/// The span around everything that a request causes; the `correlation` plugin puts its id there.
pub(crate) fn request_span() -> Span {
    tracing::info_span!(target: REQUESTS, "request", correlation_id = tracing::field::Empty)
}

/// Writes the line of one request when it is answered, or when its client has hung up.
#[derive(Debug)]
pub(crate) struct RequestLine {
    format: LogFormat,
    method: Method,
    uri: Uri,
    since: Instant,
    status: Option<StatusCode>,
}

impl RequestLine {
    /// `None` where nobody would read it.
    pub(crate) fn begin<B>(config: &LogConfig, request: &http::Request<B>) -> Option<Self> {
        let wanted = config.requests && tracing::enabled!(target: REQUESTS, Level::INFO);
        wanted.then(|| RequestLine {
            format: config.format,
            method: request.method().clone(),
            uri: request.uri().clone(),
            since: Instant::now(),
            status: None,
        })
    }

    pub(crate) fn answered(mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

/// Without the query, which may hold secrets.
impl Drop for RequestLine {
    fn drop(&mut self) {
        let RequestLine { method, uri, .. } = self;
        let path = uri.path();
        let ms = self.since.elapsed().as_secs_f64() * 1000.0;
        match (self.format, self.status.map(|status| status.as_u16())) {
            (LogFormat::Text, Some(status)) => {
                info!(target: REQUESTS, "{method} {path} {status} in {ms:.1} ms");
            }
            (LogFormat::Text, None) => {
                info!(target: REQUESTS, "{method} {path} the client hung up after {ms:.1} ms");
            }
            (LogFormat::Json, status) => {
                let message = match status {
                    Some(_) => "request",
                    None => "the client hung up",
                };
                info!(target: REQUESTS, %method, path, status, ms, "{message}");
            }
        }
    }
}
