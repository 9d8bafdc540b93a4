//! Where an app listens: addresses, Unix sockets, sockets that it was started with; and how it tells that it
//! is well.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]
#![cfg(unix)]

mod bind;
mod book;
mod health;
mod process;
mod sockets;
#[cfg(feature = "tls")]
mod tls;

use std::path::Path;

use nova_core::{App, Listeners, Request, ServeError, json, text};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// An app with `/`, and `/who`, which tells who asks, over settings of its own.
struct Folder(TempDir);

impl Folder {
    fn new(settings: &str) -> Self {
        let folder = Folder(tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("nova.toml"), settings).unwrap();
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn app(&self) -> App {
        App::builder()
            .config_file(self.path().join("nova.toml"))
            .route(("/", |_: Request| async { text("hello") }))
            .route(("/who", |request: Request| async move {
                json(&json!([request.client_ip(), request.scheme()]))
            }))
            .build()
            .unwrap()
    }

    async fn serve(&self) -> Served {
        let app = self.app();
        let listeners = Listeners::bind(app.config()).await.unwrap();
        let urls = listeners.urls().map(str::to_owned).collect();
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(app.serve(listeners, async {
            let _ = stopped.await;
        }));
        Served { urls, stop, ended }
    }
}

struct Served {
    urls: Vec<String>,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), ServeError>>,
}

impl Served {
    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.ended.await.unwrap().unwrap();
    }
}

async fn connect(url: &str) -> TcpStream {
    let address = url.strip_prefix("http://").unwrap();
    TcpStream::connect(address).await.unwrap()
}

/// What the app answers on this connection, whole.
async fn ask(stream: impl AsyncRead + AsyncWrite + Unpin, path: &str, fields: &str) -> String {
    let mut stream = stream;
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
