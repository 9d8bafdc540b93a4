//! tokio-tungstenite alone, tuned: one task for each client, a small buffer to read into, and what waits
//! in tokio's broadcast channel leaves in one write.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast;
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::Result;

type Texts = broadcast::Sender<Utf8Bytes>;

pub(super) async fn serve() -> Result {
    let listener = super::listen()?;
    let (texts, _) = broadcast::channel(1024);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(chat(stream, texts.clone()));
    }
}

async fn chat(stream: TcpStream, texts: Texts) -> Result {
    let config = WebSocketConfig::default()
        .read_buffer_size(1024)
        .write_buffer_size(4096)
        .max_write_buffer_size(1024 * 1024);
    let mut socket = accept_async_with_config(stream, Some(config)).await?;
    let mut all = texts.subscribe();
    loop {
        tokio::select! {
            text = all.recv() => {
                socket.feed(Message::Text(text?)).await?;
                while let Ok(text) = all.try_recv() {
                    socket.feed(Message::Text(text)).await?;
                }
                socket.flush().await?;
            }
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => drop(texts.send(text)),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Ok(()),
            },
        }
    }
}
