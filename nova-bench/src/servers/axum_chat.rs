//! axum's chat example without its names: two tasks for each client, and tokio's broadcast channel.
//!
//! In one thing it is better than the example, which flushes each message: what waits leaves in one write.
//! Else it would be compared with the batched ceiling for what is not axum's fault.

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::any;
use axum::serve::ListenerExt;
use futures_util::{SinkExt, StreamExt};
use tokio::sync::broadcast;

use crate::Result;

type Texts = broadcast::Sender<axum::extract::ws::Utf8Bytes>;

pub(super) async fn serve() -> Result {
    let listener = super::listen()?.tap_io(|stream| {
        let _ = stream.set_nodelay(true); // a benchmark that is a little slower, and no answer less
    });
    let (texts, _) = broadcast::channel(1024);
    let connect = async |upgrade: WebSocketUpgrade, State(texts): State<Texts>| {
        upgrade.on_upgrade(move |socket| chat(socket, texts))
    };
    let router = Router::new().route("/", any(connect)).with_state(texts);
    axum::serve(listener, router).await?;
    Ok(())
}

async fn chat(socket: WebSocket, texts: Texts) {
    let (mut sender, mut receiver) = socket.split();
    let mut all = texts.subscribe();
    let mut sending = tokio::spawn(async move {
        while let Ok(text) = all.recv().await {
            sender.feed(Message::Text(text)).await?;
            while let Ok(text) = all.try_recv() {
                sender.feed(Message::Text(text)).await?;
            }
            sender.flush().await?;
        }
        Ok::<_, axum::Error>(())
    });
    let mut receiving = tokio::spawn(async move {
        while let Some(Ok(Message::Text(text))) = receiver.next().await {
            let _ = texts.send(text);
        }
    });
    tokio::select! {
        _ = &mut sending => receiving.abort(),
        _ = &mut receiving => sending.abort(),
    }
}
