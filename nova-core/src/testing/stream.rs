//! A body that a test reads while it comes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use http_body_util::{BodyDataStream, BodyExt};
use hyper::body::Incoming;

/// The body of an answer, in pieces: a `Stream` of them. An error is that it breaks off.
///
/// ```
/// use futures_util::StreamExt;
/// use nova_core::testing::TestClient;
/// use nova_core::{App, text};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let app = App::builder().route(("/", |_: nova_core::Request| async { text("hello") }));
/// let client = TestClient::new(app.build().unwrap());
///
/// let (answer, mut body) = client.get("/").stream().await;
///
/// assert_eq!(answer.status(), 200);
/// assert_eq!(body.next().await.unwrap().unwrap(), "hello");
/// assert!(body.next().await.is_none());
/// # }
/// ```
#[derive(Debug)]
pub struct TestBody(BodyDataStream<Incoming>);

impl TestBody {
    pub(super) fn new(body: Incoming) -> Self {
        TestBody(body.into_data_stream())
    }
}

impl Stream for TestBody {
    type Item = io::Result<Bytes>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        Pin::new(&mut self.0)
            .poll_next(context)
            .map_err(io::Error::other)
    }
}
