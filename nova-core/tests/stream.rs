//! Bodies of unknown length.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{Stream, StreamExt, stream};
use nova_core::testing::TestClient;
use nova_core::{App, Error, Request, Result, status};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::oneshot;

const CHUNK: usize = 16 * 1024;

/// An app that answers everything with what `make` gives.
fn client<S>(make: impl Fn() -> S + Send + Sync + 'static) -> TestClient
where
    S: Stream<Item = Result<Vec<u8>>> + Send + 'static,
{
    let answer = move |_: Request| {
        let body = make();
        async move { nova_core::stream(body).content_type("text/csv") }
    };
    TestClient::new(App::builder().route(("/", answer)).build().unwrap())
}

async fn ask(client: &TestClient) -> DuplexStream {
    let mut connection = client.connect();
    let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    connection.write_all(request).await.unwrap();
    connection
}

/// What the client has when the server closes the connection, which it would otherwise keep.
async fn all(mut connection: DuplexStream) -> String {
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_stream_is_sent_as_it_comes_up_to_its_end() {
    let client = client(|| stream::iter(["one,", "", "two"].map(|part| Ok(part.into()))));
    let response = client.get("/").await;

    assert_eq!(response.status(), 200);
    assert_eq!(response.header("transfer-encoding"), Some("chunked"));
    assert_eq!(response.header("content-type"), Some("text/csv"));
    assert_eq!(response.text(), "one,two");
}

#[tokio::test]
async fn a_stream_without_a_type_of_its_own_is_any_bytes_and_can_have_a_status() {
    let answer =
        |_: Request| async { status(202).stream(stream::iter([Ok::<_, Error>("some bytes")])) };
    let client = TestClient::new(App::builder().route(("/", answer)).build().unwrap());
    let response = client.post("/").await;

    assert_eq!(response.status(), 202);
    assert_eq!(
        response.header("content-type"),
        Some("application/octet-stream")
    );
}

#[tokio::test]
async fn a_stream_that_fails_or_panics_cuts_the_body_and_the_app_lives_on() {
    let failures: [fn() -> Result<Vec<u8>>; 2] = [
        || Err(Error::from(std::io::Error::other("the disk is gone"))),
        || panic!("in the middle"),
    ];
    for fail in failures {
        let first = || stream::iter([Ok(b"first".to_vec())]);
        let client = client(move || first().chain(stream::once(async move { fail() })));
        for _ in 0..2 {
            let answer = all(ask(&client).await).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
            assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
            assert!(!answer.contains("disk"), "{answer}");
        }
    }
}

/// Tells when it is dropped.
struct Guard(Option<oneshot::Sender<()>>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.take().unwrap().send(());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_dropped_when_its_client_hangs_up() {
    let (dropped, gone) = oneshot::channel();
    let guard = std::sync::Mutex::new(Some(Guard(Some(dropped))));
    let client = client(move || {
        let guard = guard.lock().unwrap().take();
        let first = stream::iter([Ok(b"first".to_vec())]);
        first.chain(stream::once(async move {
            let _guard = guard;
            std::future::pending().await
        }))
    });
    let mut connection = ask(&client).await;
    connection.read_exact(&mut [0; 15]).await.unwrap();
    drop(connection);

    gone.await.unwrap();
}

#[tokio::test]
async fn a_stream_is_not_asked_for_more_than_its_client_takes() {
    let given = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&given);
    let client = client(move || {
        let count = Arc::clone(&count);
        stream::repeat_with(move || {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(vec![0; CHUNK])
        })
    });
    let mut connection = ask(&client).await;
    // One thread: the server runs whenever this task yields.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    let waiting = given.load(Ordering::Relaxed);
    assert!((1..64).contains(&waiting), "{waiting} chunks");

    let mut taken = vec![0; 200 * CHUNK];
    connection.read_exact(&mut taken).await.unwrap();
    assert!(given.load(Ordering::Relaxed) >= 199);
}

#[tokio::test]
async fn a_head_and_a_204_leave_a_stream_alone() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let answer = move |request: Request| {
        let count = Arc::clone(&count);
        let body = stream::repeat_with(move || {
            count.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Error>("endless")
        });
        let status = if request.path() == "/204" { 204 } else { 200 };
        async move { nova_core::stream(body).with_status(status) }
    };
    let app = App::builder()
        .action("answer", answer)
        .route(("/", "answer"))
        .route(("/204", "answer"));
    let client = TestClient::new(app.build().unwrap());

    assert_eq!(client.request("HEAD", "/").await.status(), 200);
    assert_eq!(client.get("/204").await.status(), 204);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}
