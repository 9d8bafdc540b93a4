//! Listening, and stopping.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nova_core::testing::TestClient;
use nova_core::{
    App, BoxFuture, Head, Opening, ProtocolHandler, Request, Switch, protocol, status, text,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};

/// An app with `/quick`, and with `/slow`, which tells that it began and waits for a word.
struct Served {
    address: std::net::SocketAddr,
    began: Arc<Notify>,
    go_on: Arc<Notify>,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<bool>,
}

async fn serve() -> Served {
    let (began, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begin, proceed) = (Arc::clone(&began), Arc::clone(&go_on));
    let app = App::builder()
        .action("quick", |_| async { text("quick") })
        .action("slow", move |_: Request| {
            let (begin, proceed) = (Arc::clone(&begin), Arc::clone(&proceed));
            async move {
                begin.notify_one();
                proceed.notified().await;
                text("slow")
            }
        })
        .route(("/quick", "quick"))
        .route(("/slow", "slow"))
        .build()
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(async move {
        let stop = async {
            let _ = stopped.await;
        };
        app.serve(listener, stop).await.is_ok()
    });
    Served {
        address,
        began,
        go_on,
        stop,
        ended,
    }
}

async fn ask(address: std::net::SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn rest(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_stop_lets_requests_finish_and_then_nobody_connects() {
    let served = serve().await;
    let mut idle = ask(served.address, "/quick").await;
    let mut quick = [0; 15];
    idle.read_exact(&mut quick).await.unwrap();
    assert_eq!(&quick, b"HTTP/1.1 200 OK");
    let slow = ask(served.address, "/slow").await;
    served.began.notified().await;

    served.stop.send(()).unwrap();
    let idle = rest(idle).await; // a kept connection without a request is closed
    assert!(idle.ends_with("quick"), "{idle}");
    assert!(TcpStream::connect(served.address).await.is_err());
    served.go_on.notify_one();
    let slow = rest(slow).await;

    assert!(slow.starts_with("HTTP/1.1 200 OK"), "{slow}");
    assert!(
        slow.contains("connection: close") && slow.ends_with("slow"),
        "{slow}"
    );
    assert!(served.ended.await.unwrap());
    TcpListener::bind(served.address).await.unwrap();
}

/// Sends requests to `/quick` on one connection, counting the answers, until one says that it is the last.
async fn ask_until_the_last(stream: &mut TcpStream, answered: &AtomicUsize) {
    loop {
        let request = b"GET /quick HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"quick") {
            let count = stream.read_buf(&mut answer).await.unwrap();
            assert_ne!(count, 0, "a request is not answered");
        }
        answered.fetch_add(1, Ordering::Relaxed);
        if String::from_utf8_lossy(&answer).contains("connection: close\r\n") {
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
            return;
        }
        for _ in 0..20 {
            tokio::task::yield_now().await; // the connection is idle meanwhile
        }
    }
}

#[tokio::test]
async fn a_stop_under_load_leaves_no_request_without_an_answer() {
    let served = serve().await;
    let address = served.address;
    let answered = Arc::new(AtomicUsize::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let answered = Arc::clone(&answered);
        clients.spawn(async move {
            while let Ok(mut stream) = TcpStream::connect(address).await {
                ask_until_the_last(&mut stream, &answered).await;
            }
        });
        clients.spawn(async move {
            while let Ok(mut stream) = TcpStream::connect(address).await {
                let request = b"GET /quick HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
                stream.write_all(request).await.unwrap();
                let answer = rest(stream).await;
                assert!(answer.ends_with("quick"), "{answer:?}");
            }
        });
    }
    while answered.load(Ordering::Relaxed) < 500 {
        tokio::task::yield_now().await;
    }
    served.stop.send(()).unwrap();

    clients.join_all().await;
    assert!(served.ended.await.unwrap());
}

#[tokio::test]
async fn who_has_connected_before_a_stop_is_answered_and_told_to_close() {
    let served = serve().await;
    let mut waiting = Vec::new();
    served.stop.send(()).unwrap();
    for _ in 0..50 {
        // Only the system knows of them.
        let stream = std::net::TcpStream::connect(served.address).unwrap();
        stream.set_nonblocking(true).unwrap();
        waiting.push(TcpStream::from_std(stream).unwrap());
    }
    for mut stream in waiting {
        ask_until_the_last(&mut stream, &AtomicUsize::new(0)).await;
    }
    assert!(served.ended.await.unwrap());
}

#[tokio::test]
async fn without_connections_a_stop_takes_no_time_and_with_idle_ones_a_second() {
    for (connections, milliseconds) in [(0, 0), (3, 1_000)] {
        let app = App::builder().route(("/", |_: Request| async { text("") }));
        let client = TestClient::new(app.build().unwrap());
        let mut idle: Vec<_> = (0..connections).map(|_| client.connect()).collect();
        tokio::time::pause();
        let start = Instant::now();
        client.stop().await;

        assert_eq!(start.elapsed().as_millis() / 10 * 10, milliseconds);
        for idle in &mut idle {
            assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
        }
        tokio::time::resume();
    }
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_cut() {
    let served = serve().await;
    let slow = ask(served.address, "/slow").await;
    served.began.notified().await;
    tokio::time::pause();
    let start = Instant::now();
    served.stop.send(()).unwrap();

    assert!(served.ended.await.unwrap());
    assert!(start.elapsed().as_secs() >= 15);
    assert_eq!(rest(slow).await, "");
}

#[tokio::test]
async fn work_to_be_completed_is_waited_for_when_its_client_has_gone() {
    let (done, mut told) = tokio::sync::mpsc::channel(1);
    let (begin, began) = oneshot::channel();
    let begin = Arc::new(std::sync::Mutex::new(Some(begin)));
    let app = App::builder()
        .action("long", move |request: Request| {
            let (done, begin) = (done.clone(), Arc::clone(&begin));
            async move {
                let work = request.complete(async move {
                    let _ = begin.lock().unwrap().take().unwrap().send(());
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    done.send("done").await?;
                    Ok("long")
                });
                work.await
            }
        })
        .route(("/", "long"));
    let client = TestClient::new(app.build().unwrap());
    let mut raw = client.connect();
    raw.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    began.await.unwrap();
    drop(raw);
    client.stop().await;

    assert_eq!(told.try_recv(), Ok("done"));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let served = serve().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let request = "GET /quick HTTP/1.1\r\nhost: x\r\n\r\n\
                   GET /none HTTP/1.1\r\nhost: x\r\n\r\n\
                   GET /quick HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let answers = rest(stream).await;

    let statuses: Vec<&str> = answers.matches("HTTP/1.1 200").collect();
    assert_eq!(statuses.len(), 2);
    let middle = answers.find("HTTP/1.1 404").unwrap();
    assert!(answers.find("quick").unwrap() < middle && answers.rfind("quick").unwrap() > middle);
    drop(served.stop);
}

#[tokio::test]
async fn an_answer_does_not_wait_for_the_rest_of_the_next_request() {
    let served = serve().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let request = "GET /quick HTTP/1.1\r\nhost: x\r\n\r\nGET /quick HT";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut status = [0; 15];
    stream.read_exact(&mut status).await.unwrap();

    assert_eq!(&status, b"HTTP/1.1 200 OK");
    drop(served.stop);
}

#[tokio::test]
async fn what_is_no_http_is_400_behind_the_answers_before_it() {
    let served = serve().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let request = "GET /quick HTTP/1.1\r\nhost: x\r\n\r\nGET / nonsense\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let answers = rest(stream).await;

    assert!(answers.starts_with("HTTP/1.1 200 OK"), "{answers}");
    assert!(answers.contains("HTTP/1.1 400 "), "{answers}");
    drop(served.stop);
}

#[tokio::test]
async fn a_slow_request_does_not_hold_back_the_answer_before_it() {
    let served = serve().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let request = "GET /quick HTTP/1.1\r\nhost: x\r\n\r\n\
                   GET /slow HTTP/1.1\r\nhost: x\r\n\r\n\
                   GET /quick HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut first = Vec::new();
    while !first.ends_with(b"quick") {
        assert_ne!(stream.read_buf(&mut first).await.unwrap(), 0);
    }
    served.began.notified().await;
    served.go_on.notify_one();
    let others = rest(stream).await;

    assert!(others.find("slow").unwrap() < others.find("quick").unwrap());
    drop(served.stop);
}

#[tokio::test(start_paused = true)]
async fn an_action_is_dropped_when_its_client_hangs_up() {
    struct Told(Arc<Notify>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let (began, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begin, told) = (Arc::clone(&began), Arc::clone(&dropped));
    let app = App::builder()
        .action("for_ever", move |_: Request| {
            let (begin, told) = (Arc::clone(&begin), Told(Arc::clone(&told)));
            async move {
                begin.notify_one();
                std::future::pending::<()>().await;
                drop(told);
            }
        })
        .route(("/", "for_ever"));
    let client = TestClient::new(app.build().unwrap());
    let mut stream = client.connect();
    let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request).await.unwrap();
    began.notified().await;
    drop(stream);

    dropped.notified().await;
}

#[tokio::test]
async fn what_arrives_while_an_action_waits_is_not_lost() {
    let (began, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begin, proceed) = (Arc::clone(&began), Arc::clone(&go_on));
    let app = App::builder()
        .action("late", move |mut request: Request| {
            let (begin, proceed) = (Arc::clone(&begin), Arc::clone(&proceed));
            async move {
                begin.notify_one();
                proceed.notified().await;
                let body = request.body().await?;
                Ok::<_, nova_core::Error>(text(format!("{} bytes", body.len())))
            }
        })
        .route(("/", "late"));
    let client = TestClient::new(app.build().unwrap());
    let mut stream = client.connect();
    let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 50000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    began.notified().await;
    for part in ["x".repeat(10_000), "x".repeat(40_000)] {
        stream.write_all(part.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
    }
    let next = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc";
    stream.write_all(next.as_bytes()).await.unwrap();
    tokio::task::yield_now().await;
    go_on.notify_one();
    began.notified().await;
    go_on.notify_one();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();

    let first = answers.find("50000 bytes").unwrap();
    assert!(answers.rfind("3 bytes").unwrap() > first, "{answers}");
}

/// Writes a word after the 101, and answers each line with itself.
struct Line;

impl ProtocolHandler for Line {
    fn claims(&self, head: &Head) -> bool {
        head.headers().contains_key("upgrade")
    }

    fn open(&self, _request: Request) -> BoxFuture<'_, nova_core::Result<Opening>> {
        let switch = Switch::new(http::HeaderMap::new(), |upgraded| async {
            let mut stream = BufReader::new(upgraded.unwrap());
            stream.write_all(b"welcome\n").await.unwrap();
            stream.flush().await.unwrap();
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            stream.write_all(line.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            stream.read_line(&mut line).await.unwrap(); // the client hangs up
        });
        Box::pin(async { Ok(Opening::Switch(switch)) })
    }
}

#[tokio::test]
async fn a_switch_of_protocols_leaves_nothing_behind_and_nothing_waiting() {
    let app = App::builder()
        .action("long", |_| async { text("x".repeat(300_000)) })
        .protocol_handler("line", "line", Line)
        .route(("/long", "long"))
        .route(("/line", "line", protocol("line")));
    let client = TestClient::new(app.build().unwrap());
    let mut stream = BufReader::new(client.connect());
    // More than the pipe holds stands before the 101.
    let request = "GET /long HTTP/1.1\r\nhost: x\r\n\r\n\
                   GET /line HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: line\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut line = String::new();
    while line != "welcome\n" {
        line.clear();
        assert_ne!(stream.read_line(&mut line).await.unwrap(), 0);
    }
    stream.write_all(b"hello\n").await.unwrap();
    line.clear();
    stream.read_line(&mut line).await.unwrap();

    assert_eq!(line, "hello\n");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_not_read_from_any_more() {
    for path in ["/text", "/empty"] {
        let answered = Arc::new(AtomicUsize::new(0));
        let (with_text, without) = (Arc::clone(&answered), Arc::clone(&answered));
        let app = App::builder()
            .action("text", move |_| {
                with_text.fetch_add(1, Ordering::Relaxed);
                async { text("some text") }
            })
            .action("empty", move |_| {
                without.fetch_add(1, Ordering::Relaxed);
                async { status(204) }
            })
            .route(("/text", "text"))
            .route(("/empty", "empty"));
        let client = TestClient::new(app.build().unwrap());
        let mut stream = client.connect();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").repeat(1_000);
        // The clock goes on when everybody waits.
        let sending = async {
            for _ in 0..1_000 {
                stream.write_all(request.as_bytes()).await.unwrap();
            }
        };
        let sent = timeout(Duration::from_secs(1), sending).await;

        assert!(sent.is_err(), "a million requests were taken");
        let answered = answered.load(Ordering::Relaxed);
        assert!(
            answered < 10_000,
            "{path}: {answered} answers wait for the client"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn who_sends_no_request_for_ten_seconds_is_left() {
    for (sent, last_words) in [
        ("", ""),
        ("GET / HTTP/1.1\r\nhos", "HTTP/1.1 408 Request Timeout\r\n"),
    ] {
        let client = TestClient::new(App::builder().build().unwrap());
        let mut stream = client.connect();
        let start = Instant::now();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut received = String::new();
        stream.read_to_string(&mut received).await.unwrap();

        assert_eq!(start.elapsed().as_secs(), 10);
        assert!(received.starts_with(last_words), "{received}");
        assert_eq!(received.is_empty(), last_words.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn the_ten_seconds_begin_when_the_answer_before_has_left() {
    let app = App::builder()
        .action("slow", |_| async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            text("slow")
        })
        .route(("/", "slow"));
    let client = TestClient::new(app.build().unwrap());
    let mut stream = client.connect();
    let start = Instant::now();
    for _ in 0..2 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"slow") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
        }
        tokio::time::sleep(Duration::from_secs(9)).await;
    }
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);

    assert_eq!(start.elapsed().as_secs(), 2 * 60 + 9 + 10);
}

/// An app that answers `/` with a few words, and the text of so many requests.
fn few_words(requests: usize) -> (TestClient, String) {
    let app = App::builder()
        .action("few", |_| async { text("few words") })
        .route(("/", "few"));
    let client = TestClient::new(app.build().unwrap());
    (client, "GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(requests))
}

#[tokio::test(start_paused = true)]
async fn the_ten_seconds_begin_when_the_client_has_taken_the_answers() {
    let (client, requests) = few_words(5_000);
    let (mut from, mut to) = tokio::io::split(client.connect());
    let sent = tokio::spawn(async move {
        to.write_all(requests.as_bytes()).await.unwrap();
        to // or else the app sees the end of the connection
    });
    let mut received = vec![0; 1_000];
    from.read_exact(&mut received).await.unwrap();
    tokio::time::sleep(Duration::from_secs(50)).await; // answers wait for it
    let start = Instant::now();
    from.read_to_end(&mut received).await.unwrap();

    let received = String::from_utf8(received).unwrap();
    assert_eq!(received.matches("few words").count(), 5_000);
    assert!(received.ends_with("few words"), "{received}");
    assert_eq!(start.elapsed().as_secs(), 10);
    drop(sent.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_stop_leaves_no_answer_in_the_middle() {
    let (client, requests) = few_words(5_000);
    let (mut from, mut to) = tokio::io::split(client.connect());
    let sent = tokio::spawn(async move { to.write_all(requests.as_bytes()).await });
    let mut received = vec![0; 1_000];
    from.read_exact(&mut received).await.unwrap();
    let client_reads = async {
        tokio::time::sleep(Duration::from_secs(5)).await; // answers wait for it
        from.read_to_end(&mut received).await.unwrap();
    };
    let start = Instant::now();
    tokio::join!(client.stop(), client_reads);

    assert_eq!(start.elapsed().as_secs(), 5, "nothing had to be cut");
    assert!(received.ends_with(b"few words"));
    // The requests behind them find a closed connection.
    assert!(sent.await.unwrap().is_err());
}

#[tokio::test]
async fn a_head_over_the_limits_is_431() {
    for headers in [
        "x-a: b\r\n".repeat(101),
        format!("x-a: {}\r\n", "b".repeat(200_000)),
    ] {
        let client = TestClient::new(App::builder().build().unwrap());
        let mut stream = client.connect();
        let request = format!("GET / HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        // The app stops reading where it has had enough.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();

        assert_eq!(&status, b"HTTP/1.1 431");
    }
}
