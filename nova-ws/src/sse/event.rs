//! Events, and how they are written (WHATWG HTML §9.2.5 and §9.2.6).

use std::fmt::{self, Display, Write};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

/// An event: data, and what a client is told beside it.
///
/// ```
/// use nova_ws::sse::Event;
/// use serde_json::json;
///
/// let event = Event::json(&json!({ "title": "Milk" })).name("note_created").id(17);
/// # assert!(event.check().is_ok());
/// ```
///
/// In a browser, an event with a name is heard by `addEventListener("note_created", …)`, and one
/// without by `onmessage`.
///
/// An event that cannot be written, such as one whose id has a line break in it, is not sent; the
/// log says why, and [`check`](Self::check) tells before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its lines.
    fields: String,
    /// The first mistake in making it.
    mistake: Option<EventError>,
}

/// Why an event cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventError {
    /// A name or an id has a line break or a NUL in it: what stands behind would be taken for
    /// something else.
    NotOneLine {
        /// `name` or `id`.
        field: &'static str,
        /// As it was given.
        value: String,
    },
    /// The data does not serialise, and why.
    NotSerialised(String),
}

impl Event {
    /// An event with this text. Every line break in it, also `\r\n` and `\r`, is a `\n` for the
    /// client.
    pub fn text(text: impl AsRef<str>) -> Self {
        let mut event = Event::empty();
        for line in Lines(Some(text.as_ref())) {
            event.push("data", line);
        }
        event
    }

    /// An event with `value` as JSON.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Self {
        match serde_json::to_string(value) {
            Ok(json) => Event::text(json),
            Err(error) => Event {
                mistake: Some(EventError::NotSerialised(error.to_string())),
                ..Event::empty()
            },
        }
    }

    /// An event without data, which no client shows: it takes over the id and the time to retry.
    pub fn empty() -> Self {
        Event {
            fields: String::new(),
            mistake: None,
        }
    }

    /// The same event with a name: its type, such as the topic of a message. **Default:** `message`,
    /// as browsers have it.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        self.checked("name", "event", name)
    }

    /// The same event with an id, which a client that comes back tells: see
    /// [`last_event_id`](super::last_event_id). An empty one takes the id before it back.
    #[must_use]
    pub fn id(self, id: impl Display) -> Self {
        self.checked("id", "id", &id.to_string())
    }

    /// The same event, which also tells the client how long to wait before it comes back, in whole
    /// milliseconds. It counts until the stream ends, and for as long as the client does not get
    /// through.
    #[must_use]
    pub fn retry(mut self, after: Duration) -> Self {
        self.push("retry", &after.as_millis().to_string());
        self
    }

    /// Whether it can be sent.
    ///
    /// # Errors
    /// The first mistake that was made in making it.
    pub fn check(&self) -> Result<(), EventError> {
        self.mistake.clone().map_or(Ok(()), Err)
    }

    /// The block that is sent.
    pub(super) fn encode(mut self) -> Result<Bytes, EventError> {
        self.check()?;
        self.fields.push('\n');
        Ok(self.fields.into())
    }

    fn checked(mut self, what: &'static str, field: &str, value: &str) -> Self {
        if value.contains(['\n', '\r', '\0']) {
            self.mistake.get_or_insert_with(|| EventError::NotOneLine {
                field: what,
                value: value.to_owned(),
            });
        } else {
            self.push(field, value);
        }
        self
    }

    /// `value` is one line. The space is taken away by the client, and keeps one that follows.
    fn push(&mut self, field: &str, value: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.fields, "{field}: {value}");
    }
}

/// The lines of a text, as a client counts them; there is always one.
struct Lines<'t>(Option<&'t str>);

impl<'t> Iterator for Lines<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let text = self.0.take()?;
        let Some(end) = text.find(['\n', '\r']) else {
            return Some(text);
        };
        let (line, rest) = text.split_at(end);
        self.0 = rest.strip_prefix("\r\n").or_else(|| rest.get(1..));
        Some(line)
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventError::NotOneLine { field, value } => write!(
                f,
                "the {field} of an event is one line without NUL, and {value:?} is not: leave the \
                 character out, or send the text as data"
            ),
            EventError::NotSerialised(why) => {
                write!(f, "the data of an event does not serialise: {why}")
            }
        }
    }
}

impl std::error::Error for EventError {}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{FutureExt, StreamExt, stream};
    use proptest::prelude::{any, prop_assert_eq, proptest};
    use sse_stream::{Sse, SseByteStream};

    use super::*;

    fn written(event: Event) -> String {
        String::from_utf8(event.encode().unwrap().to_vec()).unwrap()
    }

    /// What a client makes of `event`, if it arrives in pieces of `size`.
    fn read(event: Event, size: usize) -> Vec<Sse> {
        let bytes = event.encode().unwrap();
        let pieces: Vec<_> = bytes.chunks(size).map(Bytes::copy_from_slice).collect();
        let read = SseByteStream::new(stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)));
        let blocks = read.map(|block| block.unwrap()).collect();
        blocks.now_or_never().unwrap()
    }

    #[test]
    fn an_event_is_written_as_the_standard_has_it() {
        let event = Event::text("one\ntwo").name("add").id(7);
        let event = event.retry(Duration::from_millis(1_500));
        let expected = "data: one\ndata: two\nevent: add\nid: 7\nretry: 1500\n\n";
        assert_eq!(written(event), expected);
        assert_eq!(written(Event::json(&[1, 2])), "data: [1,2]\n\n");
        assert_eq!(written(Event::empty().id("")), "id: \n\n");
    }

    #[test]
    fn each_kind_of_line_break_is_one_and_none_is_lost() {
        for (text, lines) in [
            ("", vec![""]),
            ("\n", vec!["", ""]),
            ("a\r\nb\rc\nd", vec!["a", "b", "c", "d"]),
            ("a\n\rb", vec!["a", "", "b"]),
            ("a\r\r\n", vec!["a", "", ""]),
            ("é\n\n\u{2028}x", vec!["é", "", "\u{2028}x"]),
        ] {
            assert_eq!(Lines(Some(text)).collect::<Vec<_>>(), lines, "{text:?}");
        }
    }

    #[test]
    fn a_name_or_an_id_cannot_smuggle_anything_in() {
        for smuggled in ["a\ndata: x", "a\r\n\r\ndata: x", "a\rid: 1", "a\0"] {
            for (field, event) in [
                ("name", Event::text("").name(smuggled)),
                ("id", Event::text("").id(smuggled)),
            ] {
                let error = event.encode().unwrap_err();
                let value = smuggled.to_owned();
                assert_eq!(error, EventError::NotOneLine { field, value });
            }
        }
    }

    #[test]
    fn a_mistake_says_what_and_the_first_one_counts() {
        let event = Event::text("x").id("1\n").name("a\0").id("2");
        assert_eq!(
            event.check().unwrap_err().to_string(),
            "the id of an event is one line without NUL, and \"1\\n\" is not: leave the character \
             out, or send the text as data"
        );
        let keys: std::collections::HashMap<Vec<u8>, u8> = [(vec![1], 2)].into();
        let told = Event::json(&keys).check().unwrap_err().to_string();
        assert!(
            told.starts_with("the data of an event does not serialise: "),
            "{told}"
        );
    }

    proptest! {
        #[test]
        fn a_client_reads_what_was_written(
            text in any::<String>(),
            name in "[^\n\r\0]{0,20}",
            id in "[^\n\r\0]{0,20}",
            size in 1..20_usize,
        ) {
            let blocks = read(Event::text(&text).name(&name).id(&id), size);
            let data = text.replace("\r\n", "\n").replace('\r', "\n");
            let expected = Sse {
                event: Some(name),
                data: Some(data),
                id: Some(id),
                retry: None,
            };
            prop_assert_eq!(blocks, [expected]);
        }
    }
}
