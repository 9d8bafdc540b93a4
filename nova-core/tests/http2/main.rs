//! HTTP/2 as good, hostile, careless and slow clients speak it: with a client library, and frame by frame.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

mod floods;
mod frames;
mod malformed;
mod requests;
mod settings;
mod slow;
mod stop;

use std::time::Duration;

use bytes::Bytes;
use nova_core::testing::TestClient;
use nova_core::{App, Request, Result, text};

/// Reads the body, and says how long it is.
async fn length(mut request: Request) -> Result<String> {
    Ok(format!("{} bytes", request.body().await?.len()))
}

/// What an action sees of a request.
async fn seen(request: Request) -> String {
    let host = request.header("host").unwrap_or("none");
    let cookies = request.header("cookie").unwrap_or("none");
    let (version, uri) = (request.version(), request.uri());
    format!("{version:?} {uri} for {host} with {cookies}")
}

fn app(settings: &str) -> Result<App, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nova.toml");
    std::fs::write(&file, format!("[server]\n{settings}\n")).unwrap();
    let app = App::builder()
        .config_file(&file)
        .action("hello", |_| async { text("hello") })
        .action("length", length)
        .action("seen", seen)
        .action("long", |_| async { text("x".repeat(10_000_000)) })
        .action("panics", |_| async { panic!("for a test") as String })
        .action("slow", |_| async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            text("slow")
        })
        .route(("/", "hello"))
        .route(("/length", "length"))
        .route(("/seen", "seen"))
        .route(("/long", "long"))
        .route(("/panics", "panics"))
        .route(("/slow", "slow"));
    app.build().map_err(|errors| errors.to_string())
}

/// A client of good manners.
type Sender = h2::client::SendRequest<Bytes>;

/// Connects one, whose connection is driven until it ends.
async fn sender(client: &TestClient) -> Sender {
    let (sender, connection) = h2::client::handshake(client.connect()).await.unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    sender.ready().await.unwrap()
}

/// A request without a body.
fn get(path: &str) -> http::Request<()> {
    let uri = format!("http://localhost{path}");
    http::Request::get(uri).body(()).unwrap()
}

/// The whole of a body.
async fn collect(mut body: h2::RecvStream) -> std::result::Result<Vec<u8>, h2::Error> {
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// One request with an empty body, and its answer.
async fn answer(sender: &mut Sender, request: http::Request<()>) -> http::Response<String> {
    let (response, _) = sender.send_request(request, true).unwrap();
    let (parts, body) = response.await.unwrap().into_parts();
    let body = collect(body).await.unwrap();
    http::Response::from_parts(parts, String::from_utf8(body).unwrap())
}
