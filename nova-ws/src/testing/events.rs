//! A client that listens to events.

use std::fmt;
use std::time::Duration;

use futures_util::StreamExt;
use nova_core::testing::{TestBody, TestClient, TestRequest, TestResponse};
use sse_stream::{Sse, SseByteStream};
use tokio::time::timeout;

use super::PATIENCE;

/// A client's end of a stream of events, as an `EventSource` is in browsers; it does not come back
/// by itself. See the example of [`sse`](crate::sse). Dropping it hangs up.
pub struct TestEvents {
    answer: TestResponse,
    stream: SseByteStream<TestBody>,
    last_event_id: String,
    retry: Option<Duration>,
}

/// An event, as a browser would show it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceivedEvent {
    /// Its name; `message` if it has none.
    pub name: String,
    /// What it carries.
    pub data: String,
    /// Its id, or the last one before; empty if there was none.
    pub id: String,
}

impl TestEvents {
    /// Connects to an `sse` route of the app.
    ///
    /// # Errors
    /// The answer, if it is no stream of events.
    pub async fn connect(client: &TestClient, path: &str) -> Result<Self, TestResponse> {
        TestEvents::open(client.get(path)).await
    }

    /// Connects with a request of the test's own, such as one with a `last-event-id`. The `accept`
    /// header is added.
    ///
    /// # Errors
    /// The answer, if it is no stream of events; its body is left out.
    pub async fn open(request: TestRequest<'_>) -> Result<Self, TestResponse> {
        let request = request.header("accept", "text/event-stream");
        let (answer, body) = request.stream().await;
        match (answer.status().as_u16(), answer.header("content-type")) {
            (200, Some("text/event-stream")) => Ok(TestEvents {
                answer,
                stream: SseByteStream::new(body),
                last_event_id: String::new(),
                retry: None,
            }),
            _ => Err(answer),
        }
    }

    /// The head of the answer.
    pub fn answer(&self) -> &TestResponse {
        &self.answer
    }

    /// The next event; comments, and blocks without data, are passed over.
    ///
    /// # Panics
    /// If the stream ends first, or nothing comes within 5 s.
    pub async fn recv(&mut self) -> ReceivedEvent {
        self.recv_within(PATIENCE).await
    }

    /// [`recv`](Self::recv) with a patience of the test's own, such as one that pauses the clock.
    ///
    /// # Panics
    /// If the stream ends first, or nothing comes within `patience`.
    pub async fn recv_within(&mut self, patience: Duration) -> ReceivedEvent {
        let event = timeout(patience, self.next());
        let event = event
            .await
            .unwrap_or_else(|_| panic!("no event arrived within {patience:?}"));
        event.unwrap_or_else(|| panic!("the stream ended"))
    }

    /// The data of the next event.
    ///
    /// # Panics
    /// As [`recv`](Self::recv) does.
    pub async fn recv_data(&mut self) -> String {
        self.recv().await.data
    }

    /// Waits until the app ends the stream. Events before that are passed over.
    ///
    /// # Panics
    /// If the stream breaks off, or nothing comes within 5 s.
    pub async fn ended(&mut self) {
        while self.recv_or_end().await.is_some() {}
    }

    /// The next event; `None` if the app ends the stream.
    ///
    /// # Panics
    /// If the stream breaks off, or nothing comes within 5 s.
    pub async fn recv_or_end(&mut self) -> Option<ReceivedEvent> {
        timeout(PATIENCE, self.next())
            .await
            .unwrap_or_else(|_| panic!("nothing arrived within {PATIENCE:?}"))
    }

    /// The id that a browser would come back with; empty if it would not tell any.
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// How long a browser would wait before it comes back, if it was told so far.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    async fn next(&mut self) -> Option<ReceivedEvent> {
        loop {
            let block = self.stream.next().await?;
            let Sse {
                event,
                data,
                id,
                retry,
            } = block.unwrap_or_else(|error| panic!("the stream breaks off: {error}"));
            if let Some(id) = id {
                self.last_event_id = id;
            }
            if let Some(retry) = retry {
                self.retry = Some(Duration::from_millis(retry));
            }
            if let Some(data) = data {
                return Some(ReceivedEvent {
                    name: event
                        .filter(|name| !name.is_empty())
                        .unwrap_or_else(|| "message".to_owned()),
                    data,
                    id: self.last_event_id.clone(),
                });
            }
        }
    }
}

impl fmt::Debug for TestEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestEvents")
            .field("answer", &self.answer)
            .field("last_event_id", &self.last_event_id)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}
