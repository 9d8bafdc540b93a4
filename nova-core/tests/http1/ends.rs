//! Who closes a connection, and when.

use std::time::Duration;

use nova_core::testing::TestClient;
use nova_core::{App, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use super::{app, statuses};

const SLOW: &[u8] = b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_client_that_has_closed_its_side_gets_its_answer() {
    let client = TestClient::new(app("").unwrap());
    let mut stream = client.connect();
    stream.write_all(SLOW).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();

    assert!(answer.ends_with("slow"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_closed_its_side_is_not_worked_for_for_ever() {
    let client = TestClient::new(app("half_closed_timeout = 2").unwrap());
    let mut stream = client.connect();
    let start = Instant::now();
    stream.write_all(SLOW).await.unwrap();
    stream.shutdown().await.unwrap();

    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(start.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_closed_its_side_has_as_much_time_to_read_as_others() {
    let client = TestClient::new(app("").unwrap());
    let mut stream = client.connect();
    stream
        .write_all(b"GET /long HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    sleep(Duration::from_secs(50)).await;
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();

    assert!(received.len() > 10_000_000, "{} bytes", received.len());
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_events_ends_when_its_client_closes_its_side_and_others_go_on_for_a_while() {
    for (path, seconds) in [("/events", 0), ("/stream", 5)] {
        let client = TestClient::new(app("").unwrap());
        let mut stream = client.connect();
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_ne!(stream.read(&mut [0; 1024]).await.unwrap(), 0);
        let start = Instant::now();
        stream.shutdown().await.unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();

        assert!(!rest.ends_with("0\r\n\r\n"), "it is whole: {rest}");
        assert_eq!(start.elapsed().as_secs(), seconds, "{path}");
    }
}

/// Requests behind which a client has sent more, when it hangs up.
const MORE_BEHIND: [&str; 3] = [
    "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a\r\n\r\nG",
    "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nG",
];

#[tokio::test(start_paused = true)]
async fn a_client_that_has_closed_its_side_behind_more_is_not_worked_for_for_ever() {
    for request in MORE_BEHIND {
        let request = request.replace("GET / ", "GET /slow ");
        let client = TestClient::new(app("half_closed_timeout = 2").unwrap());
        let mut stream = client.connect();
        let start = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        sleep(Duration::from_millis(1)).await; // the app has read it
        stream.shutdown().await.unwrap();

        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "{request}");
        assert_eq!(start.elapsed().as_secs(), 2, "{request}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_more_than_is_looked_at_counts_as_one_that_has_closed_its_side() {
    for (request, is_answered) in [
        ("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n", false),
        (
            "POST /slow HTTP/1.1\r\nhost: a\r\ncontent-length: 200000\r\n\r\n",
            true,
        ),
    ] {
        let client = TestClient::new(app("half_closed_timeout = 2").unwrap());
        let (mut from, mut to) = tokio::io::split(client.connect());
        let bytes = format!("{request}{}", "x".repeat(200_000));
        let send = async {
            let _ = to.write_all(bytes.as_bytes()).await; // it is not all read
        };
        let mut answer = [0; 15];
        let (_, read) = tokio::join!(send, from.read(&mut answer));

        assert_eq!(read.unwrap() > 0, is_answered, "{request}");
    }
}

#[tokio::test]
async fn a_client_that_resets_its_connection_is_not_waited_for() {
    for request in MORE_BEHIND {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (began, mut beginnings) = mpsc::unbounded_channel();
        let wait = move |_: Request| {
            let (ended, end) = oneshot::channel::<()>();
            began.send(end).unwrap();
            async move {
                let _ended = ended;
                std::future::pending::<()>().await;
            }
        };
        let app = App::builder().route(("/", wait)).build().unwrap();
        let served = tokio::spawn(app.serve(listener, std::future::pending()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let end = beginnings.recv().await.unwrap();
        stream.set_zero_linger().unwrap();
        drop(stream);

        let ended = tokio::time::timeout(Duration::from_secs(4), end).await;
        assert!(ended.unwrap().is_err(), "the action is dropped: {request}");
        served.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_read_ends() {
    for (settings, seconds) in [("", 60), ("send_timeout = 5", 5)] {
        let client = TestClient::new(app(settings).unwrap());
        let mut stream = client.connect();
        let request = b"GET /long HTTP/1.1\r\nhost: a\r\n\r\n";
        stream.write_all(request).await.unwrap();
        sleep(Duration::from_secs(seconds + 1)).await;
        let mut received = Vec::new();
        let _ = stream.read_to_end(&mut received).await;

        assert!(received.len() < 1_000_000, "{} bytes", received.len());
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_read_slowly_does_not_end() {
    let client = TestClient::new(app("send_timeout = 5").unwrap());
    let mut stream = client.connect();
    let request = b"GET /long HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let (mut received, mut room) = (0, vec![0; 100_000]);
    loop {
        sleep(Duration::from_secs(4)).await;
        match stream.read(&mut room).await.unwrap() {
            0 => break,
            count => received += count,
        }
    }

    assert!(received > 10_000_000);
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_and_a_head_have_times_of_their_own() {
    for (begun, seconds, last) in [("", 20, vec![200]), ("GET", 3, vec![200, 408])] {
        let settings = "head_timeout = 3\nkeep_alive_timeout = 20";
        let client = TestClient::new(app(settings).unwrap());
        let mut stream = client.connect();
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        let mut answers = Vec::new();
        while !answers.ends_with(b"hello") {
            assert_ne!(stream.read_buf(&mut answers).await.unwrap(), 0);
        }
        let start = Instant::now();
        stream.write_all(begun.as_bytes()).await.unwrap();
        stream.read_to_end(&mut answers).await.unwrap();

        assert_eq!(start.elapsed().as_secs(), seconds);
        assert_eq!(statuses(std::str::from_utf8(&answers).unwrap()), last);
    }
}

#[tokio::test]
async fn a_connection_over_the_limit_waits_until_another_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(app("connections = 1").unwrap().serve(listener, async {
        let _ = stopped.await;
    }));
    let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(request).await.unwrap();
    let mut answer = vec![0; 12];
    first.read_exact(&mut answer).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    second.write_all(request).await.unwrap();
    let waits = tokio::time::timeout(Duration::from_millis(100), second.read_u8()).await;
    assert!(waits.is_err(), "the second is answered beside the first");
    drop(first);

    second.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 200");
    stop.send(()).unwrap();
    served.await.unwrap().unwrap();
}
