//! The log of an app that [`run`](crate::run) serves: lines on standard error.

mod lines;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal, Write};
use std::panic::PanicHookInfo;
use std::time::Duration;

use http::{Method, StatusCode, Uri};
use tokio::time::Instant;
use tracing::{Level, Span, error, info, warn};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use crate::config::{LogConfig, LogFormat};
use crate::panic;
use lines::Lines;

/// The target of the lines for requests, for directives such as `info,nova_core::requests=off`.
const REQUESTS: &str = "nova_core::requests";

/// The target of the span around a request. No filter takes it away: the errors within have its
/// correlation id, also where only errors are logged.
const SPAN: &str = "nova_core::request_span";

/// How many lines wait for standard error; further ones are lost. Somebody who has stopped reading
/// the log must not stop the app.
const WAITING_LINES: usize = 8_192;

/// What [`run`](crate::run) writes: a subscriber that goes through a thread of its own, and the
/// messages beside the log. The settings are not read yet when it begins.
pub(crate) struct Log {
    /// `None` if the program has installed its own subscriber, which then counts.
    filter: Option<reload::Handle<EnvFilter, Registry>>,
    lines: Lines,
    out: NonBlocking,
    /// Writes what is waiting, when it is dropped.
    rest: WorkerGuard,
}

impl Log {
    pub(crate) fn install(config: &LogConfig) -> Self {
        let (out, rest) = NonBlockingBuilder::default()
            .buffered_lines_limit(WAITING_LINES)
            .lossy(true)
            .finish(io::stderr());
        let lines = Lines::new(config.format);
        let (filter, handle) = reload::Layer::new(filter(config));
        let layer = fmt::layer()
            .fmt_fields(JsonFields::new())
            .event_format(lines.clone())
            .with_ansi(io::stderr().is_terminal())
            .with_writer(out.clone());
        let subscriber = Registry::default().with(filter).with(layer);
        let installed = subscriber.try_init().is_ok();
        if installed {
            let (json, usual) = (lines.clone(), std::panic::take_hook());
            std::panic::set_hook(Box::new(move |panic| match json.format() {
                LogFormat::Text => usual(panic),
                LogFormat::Json => log_panic(panic),
            }));
        }
        if let Some((wanted, error)) = rust_log().and_then(Result::err).filter(|_| installed) {
            warn!(
                "RUST_LOG={wanted} is no filter, so it is `{}`: {error}",
                config.level
            );
        }
        Log {
            filter: installed.then_some(handle),
            lines,
            out,
            rest,
        }
    }

    /// Goes on as the settings want it.
    pub(crate) fn apply(&self, config: &LogConfig) {
        self.lines.change_to(config.format);
        if let Some(handle) = &self.filter {
            // It fails only when the subscriber is gone, and then nobody misses it.
            let _ = handle.reload(filter(config));
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

    /// Writes what whoever works on the app wants to know: for people whatever the level of the log,
    /// as JSON where a program reads.
    pub(crate) fn tell(&self, message: &str) {
        match self.lines.format() {
            LogFormat::Text => self.say(message),
            // What reads JSON would stumble over it.
            LogFormat::Json => info!("{message}"),
        }
    }

    /// Writes why the app ends or does not change: for people, or as JSON where a program reads.
    pub(crate) fn say_error(&self, message: &str) {
        let for_program = self.lines.format() == LogFormat::Json && !io::stderr().is_terminal();
        match for_program && self.filter.is_some() {
            true => error!("{message}"),
            false => self.say(&format!("error: {message}")),
        }
    }

    /// Writes what is waiting, and says how many lines were lost, if any were. Not through the queue
    /// that has lost them; and not for longer than a moment, if still nobody reads.
    pub(crate) fn end(self) {
        let lost = self.out.error_counter();
        drop(self.rest);
        let lost = lost.dropped_lines();
        if lost == 0 {
            return;
        }
        let message = format!("{lost} lines of the log were lost: nobody read standard error");
        let line = match self.lines.format() {
            LogFormat::Text => format!("warning: {message}"),
            LogFormat::Json => {
                serde_json::json!({ "level": "WARN", "message": message }).to_string()
            }
        };
        let (written, done) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            eprintln!("{line}");
            let _ = written.send(()); // nobody waits any more
        });
        let _ = done.recv_timeout(LAST_WORD);
    }
}

/// How long the last line may take.
const LAST_WORD: Duration = Duration::from_secs(1);

/// What the usual hook prints, in one line.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic::message(panic.payload());
    let place = panic.location().map(ToString::to_string);
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then_some(backtrace);
    let backtrace = backtrace.map(|backtrace| backtrace.to_string());
    error!(place, backtrace, "a panic: {message}");
}

/// What `RUST_LOG` says, if anything; an error comes with the text.
fn rust_log() -> Option<Result<EnvFilter, (String, String)>> {
    let wanted = std::env::var(EnvFilter::DEFAULT_ENV).ok()?;
    let filter = EnvFilter::try_new(&wanted);
    Some(filter.map_err(|error| (wanted, error.to_string())))
}

fn filter(config: &LogConfig) -> EnvFilter {
    let filter = match rust_log() {
        Some(Ok(filter)) => filter,
        // The settings have been checked.
        _ => EnvFilter::new(&config.level),
    };
    let span = format!("{SPAN}=error");
    filter.add_directive(span.parse().expect("a target and a level are a directive"))
}

/// The span around everything that a request causes; the `correlation` plugin puts its id there.
pub(crate) fn request_span() -> Span {
    tracing::error_span!(target: SPAN, "request", correlation_id = tracing::field::Empty)
}

/// Writes the line of one request when it is answered, or when it ends without: its client has hung
/// up, or the app has stopped.
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
                info!(target: REQUESTS, "{method} {path} without an answer after {ms:.1} ms");
            }
            (LogFormat::Json, status) => {
                let message = match status {
                    Some(_) => "request",
                    None => "request without an answer",
                };
                info!(target: REQUESTS, %method, path, status, ms, "{message}");
            }
        }
    }
}
