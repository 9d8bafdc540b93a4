//! Sockets and streams of events for tests, over an app in memory.
//!
//! See the example at the top of the crate. What goes wrong here panics, with a message.

mod events;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use nova_core::Upgraded;
use nova_core::testing::{TestClient, TestRequest, TestResponse};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::frame::Frame;
use crate::handshake::client_headers;
pub use events::{ReceivedEvent, TestEvents};

/// How long a frame may take before the test has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// A client's end of a WebSocket.
#[derive(Debug)]
pub struct TestSocket {
    stream: WebSocketStream<Upgraded>,
}

impl TestSocket {
    /// Connects to a `ws` route of the app.
    ///
    /// # Errors
    /// The answer, if the upgrade was refused.
    pub async fn connect(client: &TestClient, path: &str) -> Result<Self, TestResponse> {
        TestSocket::open(client.get(path)).await
    }

    /// Connects with a request of the test's own, such as one with a cookie. The headers of the
    /// handshake are added.
    ///
    /// # Errors
    /// The answer, if the upgrade was refused.
    pub async fn open(mut request: TestRequest<'_>) -> Result<Self, TestResponse> {
        for (name, value) in client_headers() {
            request = request.header(name, value);
        }
        let (_, upgraded) = request.upgrade().await?;
        Ok(TestSocket {
            stream: WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await,
        })
    }

    /// Sends a text frame.
    ///
    /// # Panics
    /// If the connection is closed.
    pub async fn send_text(&mut self, text: &str) {
        self.send(Frame::text(text)).await;
    }

    /// Sends a frame.
    ///
    /// # Panics
    /// If the connection is closed.
    pub async fn send(&mut self, frame: Frame) {
        self.stream
            .send(to_message(frame))
            .await
            .unwrap_or_else(|error| panic!("the frame cannot be sent: {error}"));
    }

    /// The next frame; pings are answered by themselves.
    ///
    /// # Panics
    /// If the connection ends first, or nothing comes within 5 s.
    pub async fn recv(&mut self) -> Frame {
        self.recv_within(PATIENCE).await
    }

    /// [`recv`](Self::recv) with a patience of the test's own, such as one that pauses the clock.
    ///
    /// # Panics
    /// If the connection ends first, or nothing comes within `patience`.
    pub async fn recv_within(&mut self, patience: Duration) -> Frame {
        let frame = timeout(patience, async {
            loop {
                let message = match self.stream.next().await {
                    Some(Ok(message)) => message,
                    Some(Err(error)) => panic!("the connection broke: {error}"),
                    None => panic!("the connection ended"),
                };
                if let Message::Close(frame) = &message {
                    panic!("the app closed the connection: {frame:?}");
                }
                if let Some(frame) = to_frame(message) {
                    return frame;
                }
            }
        });
        frame
            .await
            .unwrap_or_else(|_| panic!("no frame arrived within {patience:?}"))
    }

    /// The next frame, as text.
    ///
    /// # Panics
    /// If it is binary, and as [`recv`](Self::recv) does.
    pub async fn recv_text(&mut self) -> String {
        let frame = self.recv().await;
        match frame.as_text() {
            Some(text) => text.to_owned(),
            None => panic!("a text frame was expected, not {frame:?}"),
        }
    }

    /// Closes the connection with this code and reason, and waits for the app's answer.
    ///
    /// # Panics
    /// If none comes within 5 s.
    pub async fn close(mut self, code: u16, reason: &str) {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.to_owned().into(),
        };
        let _ = self.stream.close(Some(frame)).await;
        while let Some(Ok(_)) = self.next().await {}
    }

    /// Waits until the app closes the connection, and gives the code of its close frame: `None`
    /// if it broke off without one. Frames before that are passed over.
    ///
    /// # Panics
    /// If nothing comes within 5 s.
    pub async fn closed(self) -> Option<u16> {
        self.closed_with().await.map(|(code, _)| code)
    }

    /// [`closed`](Self::closed), with the reason of the close frame.
    ///
    /// # Panics
    /// If nothing comes within 5 s.
    pub async fn closed_with(mut self) -> Option<(u16, String)> {
        let mut close = None;
        while let Some(Ok(message)) = self.next().await {
            if let Message::Close(Some(frame)) = message {
                close = Some((frame.code.into(), frame.reason.to_string()));
            }
        }
        close
    }

    /// Sends a ping.
    ///
    /// # Panics
    /// If the connection is closed.
    pub async fn ping(&mut self, payload: &[u8]) {
        let ping = Message::Ping(payload.to_vec().into());
        let sent = self.stream.send(ping).await;
        sent.unwrap_or_else(|error| panic!("the ping cannot be sent: {error}"));
    }

    async fn next(&mut self) -> Option<Result<Message, Error>> {
        match timeout(PATIENCE, self.stream.next()).await {
            Ok(next) => next,
            Err(_) => panic!("nothing arrived within {PATIENCE:?}"),
        }
    }
}

fn to_message(frame: Frame) -> Message {
    match frame.as_text() {
        Some(text) => Message::text(text),
        None => Message::binary(frame.as_bytes().to_vec()),
    }
}

/// The frame in a message; `None` for pings, pongs and closes.
fn to_frame(message: Message) -> Option<Frame> {
    match message {
        Message::Text(text) => Some(Frame::text(text.as_str())),
        Message::Binary(bytes) => Some(Frame::binary(bytes)),
        _ => None,
    }
}
