//! The acceptance app: a little of everything, on the defaults of the framework, to be attacked.
//!
//! Run `cargo run -p nova-examples --bin acceptance`, then open <http://127.0.0.1:8080>. It needs no
//! settings. These variables change something:
//!
//! | variable | default | what it sets |
//! |---|---|---|
//! | `NOVA_SERVER__LISTEN` | `127.0.0.1:8080` | the address |
//! | `NOVA_SESSION__IDLE` | `2h` | the idle life of a session, in seconds |
//! | `ACCEPTANCE_STATIC_DIR` | `static`, beside this file | the folder below `/static` |
//!
//! The users are `alice` with the password `wonder`, and `bob` with `builder`.
//!
//! HTTP/1.1 and HTTP/2 with prior knowledge are spoken on the same port.
//!
//! # The limits in force
//!
//! All are the defaults of Nova, but for `/slow`.
//!
//! | what | limit | beyond it |
//! |---|---|---|
//! | connections | 10,000, or three quarters of the files that the process may open | further ones wait |
//! | the head of a request | 64 KiB, 100 fields | 431; 414 if its first line alone is too long |
//! | the target of a request | no fragment, ASCII | 400 |
//! | what a request expects | `100-continue` | 417 |
//! | the wait for a head | 10 s | 408 after a part of one; without one, the connection is closed |
//! | a body | 2 MiB, after which up to 16 MiB are read and thrown away | 413 |
//! | the wait for the next byte of a body | 30 s | 408 |
//! | the wait for the next request | 10 s | the connection is closed; over HTTP/2 with GOAWAY |
//! | an answer that the client does not take | 60 s | the stream is reset, or the connection cut |
//! | a client that has closed its side of HTTP/1.1 (`half_closed_timeout`) | 5 s for its answer | its action is dropped |
//! | requests at a time on a connection of HTTP/2 | 100 | REFUSED_STREAM |
//! | bodies that wait to be read there (`http2_window`) | 1 MiB, 256 KiB for each request | the windows are shut |
//! | frames there that ask for nothing | 1,000, and 100 more each second; a reset counts for 10 | GOAWAY |
//! | JSON in JSON | 127 levels | 400 |
//! | `ms` of `/slow` | 60,000 | 400 |
//! | passwords that are compared at once | as many as there are processors; 64 more wait | 503 |
//! | a message from a WebSocket, and each of its frames | 64 KiB | closed with 1009 |
//! | what waits for a WebSocket | 1 MiB, or 16,384 messages for a busy handler | closed with 1013 |
//! | a WebSocket's silence | a ping after 25 s, and 20 s for the pong | closed |
//! | the answer to a close frame | 3 s | the connection is cut |
//! | the `Origin` of a WebSocket | none, or the `Host` | 403 |
//! | the parts of a `Range` | 16 | 416 |
//! | a file's name | no `..`, no hidden name, no link that leads out of the folder | 404 |
//! | a session | 2 h unused, 14 d in all; 64 KiB; 100,000 of them | it ends |
//! | a stop | 15 s for requests and sockets, and then 15 s for services | they are cut; the exit code is 0 |
//!
//! `/login` and `/logout` refuse other sites' pages. `/form` wants the token of the session as well.
//! `/broadcast` and `/ws/notify` are open to everybody, and nothing limits how often.

mod account;
mod sockets;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use nova_core::{App, AppBuilder, Error, Reply, Request, Result, files, json, status, text, view};
use nova_ws::AppBuilderExt;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::sleep;

use account::Account;
use sockets::{CHANNEL, Echo, Notify};

/// The folder with `nova.toml`, `router.toml` and the views.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin/acceptance");
/// The longest that `/slow` takes.
const SLOWEST: u64 = 60_000;

fn main() -> ExitCode {
    nova_core::run(app)
}

async fn app() -> Result<App> {
    let folder = std::env::var_os("ACCEPTANCE_STATIC_DIR").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| PathBuf::from(ROOT).join("static"));
    let builder = actions(App::builder().root(ROOT))
        .controller(Account::new().await?)
        .websocket("echo", Echo)
        .websocket("notify", Notify)
        .route(("/static/{*path}", files(folder)));
    Ok(builder.build()?)
}

fn actions(builder: AppBuilder) -> AppBuilder {
    builder
        .action("home", |_| async { view(&()).named("home") })
        .action("hello", |_| async { text("Hello, World!") })
        .action("same_json", same_json)
        .action("upload", upload)
        .action("slow", slow)
        .action("broadcast", broadcast)
        .action("form", |_| async { view(&()).named("form") })
        .action("submit", submit)
}

/// Gives the value back that it gets.
async fn same_json(mut request: Request) -> Result<Reply> {
    // As text: a number of any size comes back digit by digit.
    let given: Box<RawValue> = request.json().await?;
    // The plugin sees whether it is JSON, and not how deep it is.
    serde_json::from_str::<Value>(given.get())
        .map_err(|error| Error::new(400, format!("the JSON is not accepted: {error}")))?;
    Ok(json(&given).with_status(200)) // it is a POST, and so 201 by default
}

/// Reads all of the body, and answers how many bytes there were.
async fn upload(mut request: Request) -> Result<Reply> {
    let mut body = request.body_stream()?;
    let mut length = 0;
    while let Some(bytes) = body.next().await? {
        length += bytes.len();
    }
    Ok(text(length.to_string()))
}

#[derive(Deserialize)]
struct Slow {
    ms: u64,
}

/// Takes its time.
async fn slow(request: Request) -> Result<Reply> {
    let Slow { ms } = request.query()?;
    if ms > SLOWEST {
        return Err(Error::new(400, format!("`ms` is at most {SLOWEST}")));
    }
    sleep(Duration::from_millis(ms)).await;
    Ok(text(format!("{ms} ms")))
}

/// Publishes the body, which is text, to everybody at `/ws/notify`.
async fn broadcast(mut request: Request) -> Result<()> {
    let body = request.body().await?;
    let Ok(text) = std::str::from_utf8(&body) else {
        return Err(Error::new(400, "the body is no UTF-8"));
    };
    request.pubsub().broadcast(CHANNEL, "said", text);
    Ok(())
}

/// What was sent with the token of the form; without it, the plugin `csrf` answers.
async fn submit(_request: Request) -> Reply {
    status(200).text("accepted")
}
