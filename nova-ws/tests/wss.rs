//! WebSockets over TLS.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use nova_core::{App, Listeners, protocol};
use nova_ws::{AppBuilderExt, Connection, Frame, Outcome, WebSocket, reply};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

#[derive(Clone)]
struct Echo;

impl WebSocket for Echo {
    async fn handle(&mut self, frame: Frame, _conn: &mut Connection) -> Outcome {
        reply(frame)
    }
}

#[tokio::test]
async fn a_socket_over_tls_echoes_and_is_closed_by_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let settings = "[server]\nlisten = 'https://127.0.0.1:0'\n\
                    [server.tls]\ncertificate = 'cert.pem'\nkey = 'key.pem'\n";
    for (name, text) in [
        ("cert.pem", &*made.cert.pem()),
        ("key.pem", &*made.signing_key.serialize_pem()),
        ("nova.toml", settings),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let app = App::builder()
        .config_file(folder.path().join("nova.toml"))
        .websocket("echo", Echo)
        .route(("/ws", "echo", protocol("ws")))
        .build()
        .unwrap();
    let listeners = Listeners::bind(app.config()).await.unwrap();
    let url = listeners.urls().next().unwrap().to_owned();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(app.serve(listeners, async {
        let _ = stopped.await;
    }));

    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let address = url.strip_prefix("https://").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let stream = stream.await.unwrap();
    let (mut socket, answer) =
        tokio_tungstenite::client_async(format!("wss://{address}/ws"), stream)
            .await
            .unwrap();
    assert_eq!(answer.status(), 101);

    // More than a record of TLS, and more than one that waits to be sent.
    for text in ["hello".to_owned(), "long ".repeat(10_000)] {
        let message = Message::text(text);
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    stop.send(()).unwrap();
    let Message::Close(Some(frame)) = socket.next().await.unwrap().unwrap() else {
        panic!("no close frame");
    };
    assert!(matches!(frame.code, CloseCode::Away | CloseCode::Restart));
    drop(socket);
    served.await.unwrap().unwrap();
}
