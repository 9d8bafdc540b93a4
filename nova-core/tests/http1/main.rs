//! HTTP/1.1 as hostile, careless and slow clients speak it: bytes in, bytes out.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

mod bodies;
mod ends;
mod heads;
mod hosts;
mod settings;
mod smuggling;

use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use nova_core::testing::TestClient;
use nova_core::{App, Request, Result, text};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn length(mut request: Request) -> Result<String> {
    Ok(format!("{} bytes", request.body().await?.len()))
}

/// It begins, and then nothing more comes of it.
fn endless() -> impl Stream<Item = Result<&'static str>> + Send {
    stream::iter([Ok("first")]).chain(stream::pending())
}

fn app(settings: &str) -> Result<App, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nova.toml");
    std::fs::write(&file, format!("[server]\n{settings}\n")).unwrap();
    let app = App::builder()
        .config_file(&file)
        .action("hello", |_| async { text("hello") })
        .action("length", length)
        .action("long", |_| async { text("x".repeat(10_000_000)) })
        .action("slow", |_| async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            text("slow")
        })
        .action("stream", |_| async { nova_core::stream(endless()) })
        .action("events", |_| async {
            nova_core::stream(endless()).content_type("text/event-stream")
        })
        .route(("/", "hello"))
        .route(("/length", "length"))
        .route(("/long", "long"))
        .route(("/slow", "slow"))
        .route(("/stream", "stream"))
        .route(("/events", "events"));
    app.build().map_err(|errors| errors.to_string())
}

/// What a client gets that sends these bytes at once, keeps its side open, and reads to the end. The clock is
/// to be paused, so that nobody waits for the end of a kept connection.
async fn answers_of(app: App, bytes: &[u8]) -> String {
    let client = TestClient::new(app);
    let (mut from, mut to) = tokio::io::split(client.connect());
    let mut received = Vec::new();
    let send = async {
        let _ = to.write_all(bytes).await; // the app may have had enough
    };
    let (_, read) = tokio::join!(send, from.read_to_end(&mut received));
    read.unwrap();
    String::from_utf8(received).unwrap()
}

async fn answers(bytes: &str) -> String {
    answers_of(app("").unwrap(), bytes.as_bytes()).await
}

/// The statuses of all that was answered.
fn statuses(answers: &str) -> Vec<u16> {
    let heads = answers.split("HTTP/1.1 ").skip(1);
    heads.map(|head| head[..3].parse().unwrap()).collect()
}

/// Checks that this is refused with one of the statuses, once, and that the connection ends with it:
/// the request behind it gets nothing.
async fn is_refused(request: &str, with: &[u16]) {
    let smuggled = "GET / HTTP/1.1\r\nhost: smuggled\r\n\r\n";
    let answers = answers(&format!("{request}{smuggled}")).await;
    let found = statuses(&answers);

    assert!(
        found.len() == 1 && with.contains(&found[0]),
        "{request:?} got {found:?}, and not one of {with:?}: {answers}"
    );
}
