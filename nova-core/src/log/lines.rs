//! How a line of the log looks: for people, or for programs.
//!
//! Fields of spans are kept as JSON for both, so that the one can become the other while spans are
//! open.

use std::fmt::{self, Debug, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::LogFormat;

/// Formats lines as JSON or as text; clones change together.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    is_json: Arc<AtomicBool>,
    json: Format<Json>,
}

impl Lines {
    pub(super) fn new(format: LogFormat) -> Self {
        Lines {
            is_json: Arc::new(AtomicBool::new(format == LogFormat::Json)),
            // All spans of a line, not the innermost alone: the outermost has the correlation id.
            json: Format::default()
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(true),
        }
    }

    pub(super) fn format(&self) -> LogFormat {
        match self.is_json.load(Ordering::Relaxed) {
            true => LogFormat::Json,
            false => LogFormat::Text,
        }
    }

    pub(super) fn change_to(&self, format: LogFormat) {
        let is_json = format == LogFormat::Json;
        self.is_json.store(is_json, Ordering::Relaxed);
    }
}

impl<S> FormatEvent<S, JsonFields> for Lines
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.format() == LogFormat::Json {
            return self.json.format_event(context, writer, event);
        }
        SystemTime.format_time(&mut writer)?;
        write_level(&mut writer, *event.metadata().level())?;
        let mut text = Text(String::new());
        event.record(&mut text);
        for span in context
            .event_scope()
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            let extensions = span.extensions();
            if let Some(fields) = extensions.get::<FormattedFields<JsonFields>>() {
                text.add_json(fields);
            }
        }
        writeln!(writer, "{}", text.0)
    }
}

fn write_level(writer: &mut Writer<'_>, level: Level) -> fmt::Result {
    let colour = match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    };
    match writer.has_ansi_escapes() {
        true => write!(writer, " \x1b[{colour}m{level:>5}\x1b[0m"),
        false => write!(writer, " {level:>5}"),
    }
}

/// The message, and then the fields, without what could forge a line or speak to a terminal.
struct Text(String);

impl Text {
    fn add(&mut self, name: &str, value: &str) {
        self.0.push(' ');
        if name != "message" {
            self.0 += name;
            self.0.push('=');
        }
        for c in value.chars() {
            match c.is_control() {
                true => self.0.extend(c.escape_default()),
                false => self.0.push(c),
            }
        }
    }

    fn add_json(&mut self, fields: &str) {
        let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(fields) else {
            return; // there are none
        };
        for (name, value) in &fields {
            match value.as_str() {
                Some(text) => self.add(name, text),
                None => self.add(name, &value.to_string()),
            }
        }
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // A `Debug` that fails leaves what it has written.
        let _ = write!(text, "{value:?}");
        self.add(field.name(), &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_line_begins_another_or_speaks_to_a_terminal() {
        let mut text = Text(String::new());
        text.add("message", "a\n2026-01-01 ERROR forged\x1b[31m");
        text.add("name", "b\r\u{9b}ü");
        assert_eq!(
            text.0,
            r" a\n2026-01-01 ERROR forged\u{1b}[31m name=b\r\u{9b}ü"
        );
    }

    #[test]
    fn the_fields_of_a_span_are_shown_by_name() {
        let mut text = Text(String::new());
        text.add_json(r#"{"correlation_id":"1-2","n":3}"#);
        text.add_json("");
        assert_eq!(text.0, " correlation_id=1-2 n=3");
    }
}
