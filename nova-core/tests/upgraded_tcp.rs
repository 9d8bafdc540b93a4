//! Who has switched protocols can have the TCP connection itself.

use std::sync::Arc;

use http::HeaderMap;
use nova_core::testing::TestClient;
use nova_core::{
    App, BoxFuture, Head, Opening, ProtocolHandler, Request, Result, Switch, Upgraded, protocol,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Says what the connection is, and gives back the next three bytes.
struct Bare;

impl ProtocolHandler for Bare {
    fn claims(&self, _head: &Head) -> bool {
        true
    }

    fn open(&self, _request: Request) -> BoxFuture<'_, Result<Opening>> {
        Box::pin(async { Ok(Opening::Switch(Switch::new(HeaderMap::new(), talk))) })
    }
}

async fn talk(upgraded: std::io::Result<Upgraded>) {
    match upgraded.unwrap().into_tcp().await {
        Ok(mut tcp) => {
            let mut said = tcp.take_read().to_vec();
            assert!(tcp.take_read().is_empty());
            let stream = tcp.stream_mut();
            while said.len() < 3 {
                stream.read_buf(&mut said).await.unwrap();
            }
            stream.write_all(b"tcp ").await.unwrap();
            stream.write_all(&said).await.unwrap();
        }
        Err(mut other) => other.write_all(b"other").await.unwrap(),
    }
}

fn app() -> App {
    App::builder()
        .protocol_handler("bare", "bare", Bare)
        .route(("/", "bare", protocol("bare")))
        .build()
        .unwrap()
}

const REQUEST: &str = "GET / HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: bare\r\n\r\n";

#[tokio::test]
async fn a_tcp_connection_gives_itself_with_what_was_read_behind_the_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(app().serve(listener, std::future::pending()));
    for split in [REQUEST.len(), REQUEST.len() + 1, REQUEST.len() + 3] {
        let said = [REQUEST.as_bytes(), b"abc"].concat();
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(&said[..split]).await.unwrap();
        let mut answer = vec![0; 12];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 101");
        client.write_all(&said[split..]).await.unwrap();

        client.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.ends_with("\r\n\r\ntcp abc"), "{split}: {answer}");
    }
}

#[tokio::test]
async fn a_connection_in_memory_gives_back_itself() {
    let client = Arc::new(TestClient::new(app()));
    let request = client.get("/").header("connection", "upgrade");
    let (_, mut upgraded) = request.header("upgrade", "bare").upgrade().await.unwrap();
    let mut said = String::new();
    upgraded.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "other");
}
