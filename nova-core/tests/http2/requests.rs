//! What good clients get: the same as over HTTP/1.1.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Method, Version};
use nova_core::testing::TestClient;
use nova_core::{App, Error, Flow, Head, Plugin, Request, Response, Result, methods, text};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use super::{answer, app, collect, get, sender};

#[tokio::test]
async fn both_versions_are_spoken_on_one_port() {
    let client = TestClient::new(app("").unwrap());

    let new = answer(&mut sender(&client).await, get("/")).await;
    let old = client.get("/").await;

    assert_eq!(new.version(), Version::HTTP_2);
    assert_eq!((new.status(), &**new.body()), (old.status(), old.text()));
}

#[tokio::test]
async fn a_preface_or_a_request_may_come_byte_by_byte() {
    let client = TestClient::new(app("").unwrap());
    let preface = super::frames::PREFACE;
    for bytes in [
        preface,
        b"PRI * HTTP/1.1\r\nhost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    ] {
        let mut stream = client.connect();
        for byte in bytes {
            stream.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();

        match bytes {
            [b'P', b'O', ..] => assert_eq!(&first, b"HTTP/1.1 200"),
            _ if bytes == preface => assert_eq!(first[3], super::frames::SETTINGS),
            _ => assert_eq!(&first, b"HTTP/1.1 400"),
        }
    }
}

#[tokio::test]
async fn an_action_sees_no_difference_but_the_version() {
    let client = TestClient::new(app("").unwrap());
    let mut sender = sender(&client).await;
    let mut request = get("/seen?a=b");
    for cookie in ["a=1", "b=2"] {
        request
            .headers_mut()
            .append("cookie", cookie.parse().unwrap());
    }

    let seen = answer(&mut sender, request).await;

    assert_eq!(
        seen.body(),
        "HTTP/2.0 /seen?a=b for localhost with a=1; b=2"
    );
}

#[tokio::test]
async fn many_requests_are_answered_at_once() {
    let client = TestClient::new(app("").unwrap());
    let sender = sender(&client).await;
    let answers = stream::iter(0..80).map(|_| {
        let mut sender = sender.clone();
        async move { answer(&mut sender, get("/")).await.into_body() }
    });
    let answers: Vec<String> = answers.buffer_unordered(80).collect().await;

    assert_eq!(answers, vec!["hello"; 80]);
}

#[tokio::test]
async fn a_long_answer_and_a_long_request_arrive_whole() {
    let client = TestClient::new(app("").unwrap());
    let mut sender = sender(&client).await;

    let long = answer(&mut sender, get("/long")).await;
    assert_eq!(long.headers()["content-length"], "10000000");
    assert_eq!(long.body().len(), 10_000_000);

    let request = http::Request::post("http://localhost/length")
        .body(())
        .unwrap();
    let (response, mut body) = sender.send_request(request, false).unwrap();
    body.send_data(vec![0; 2_000_000].into(), true).unwrap();
    let told = collect(response.await.unwrap().into_body()).await.unwrap();
    assert_eq!(told, b"2000000 bytes");
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_and_the_connection_goes_on() {
    let client = TestClient::new(app("body_limit = 10").unwrap());
    let mut sender = sender(&client).await;
    for declared in [true, false] {
        let mut request = http::Request::post("http://localhost/length");
        if declared {
            request = request.header("content-length", "11");
        }
        let request = request.body(()).unwrap();
        let (response, mut body) = sender.send_request(request, false).unwrap();
        body.send_data(Bytes::from_static(b"hello world"), true)
            .unwrap();

        assert_eq!(response.await.unwrap().status(), 413);
    }
    assert_eq!(answer(&mut sender, get("/")).await.status(), 200);
}

#[tokio::test]
async fn a_head_has_the_length_and_no_body() {
    let client = TestClient::new(app("").unwrap());
    let mut request = get("/");
    *request.method_mut() = Method::HEAD;

    let head = answer(&mut sender(&client).await, request).await;

    assert_eq!(head.headers()["content-length"], "5");
    assert_eq!(head.body(), "");
}

#[tokio::test]
async fn a_panic_is_500_and_the_connection_goes_on() {
    let client = TestClient::new(app("").unwrap());
    let mut sender = sender(&client).await;

    assert_eq!(answer(&mut sender, get("/panics")).await.status(), 500);
    assert_eq!(answer(&mut sender, get("/")).await.status(), 200);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_reset_of_its_stream_alone() {
    let broken = |_: Request| async {
        let chunks = [Ok("some"), Err(Error::new(500, "for a test"))];
        nova_core::stream(stream::iter(chunks))
    };
    let app = App::builder().route(("/broken", broken));
    let app = app.route(("/", |_: Request| async { text("hello") }));
    let client = TestClient::new(app.build().unwrap());
    let mut sender = sender(&client).await;

    let (response, _) = sender.send_request(get("/broken"), true).unwrap();
    let error = collect(response.await.unwrap().into_body())
        .await
        .unwrap_err();
    assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR));
    assert_eq!(answer(&mut sender, get("/")).await.status(), 200);
}

#[tokio::test]
async fn a_stream_that_is_reset_drops_its_action() {
    struct Dropped(Arc<Notify>, Arc<AtomicBool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.1.store(true, Ordering::SeqCst);
            self.0.notify_one();
        }
    }
    let (begun, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let is_dropped = Arc::new(AtomicBool::new(false));
    let action = {
        let (begun, ended, is_dropped) = (begun.clone(), ended.clone(), is_dropped.clone());
        move |_: Request| {
            let dropped = Dropped(ended.clone(), is_dropped.clone());
            let begun = begun.clone();
            async move {
                let _dropped = dropped;
                begun.notify_one();
                std::future::pending::<()>().await;
            }
        }
    };
    let app = App::builder().route(("/", action)).build().unwrap();
    let client = TestClient::new(app);
    let mut sender = sender(&client).await;
    let (response, mut body) = sender.send_request(get("/"), true).unwrap();
    begun.notified().await;
    assert!(!is_dropped.load(Ordering::SeqCst));

    body.send_reset(h2::Reason::CANCEL);
    drop(response);

    ended.notified().await;
}

#[tokio::test]
async fn events_come_one_by_one_over_one_connection() {
    let (first, second) = tokio::io::duplex(64);
    let second = Arc::new(std::sync::Mutex::new(Some(second)));
    let action = move |_: Request| {
        let source = second.lock().unwrap().take().unwrap();
        let chunks = stream::unfold(source, |mut source| async {
            let mut room = [0; 16];
            let count = source
                .read(&mut room)
                .await
                .ok()
                .filter(|count| *count > 0)?;
            let chunk = Bytes::copy_from_slice(&room[..count]);
            Some((Ok::<_, Error>(chunk), source))
        });
        async { nova_core::stream(chunks) }
    };
    let app = App::builder().route(("/", action)).build().unwrap();
    let client = TestClient::new(app);
    let mut writer = first;
    let mut sender = sender(&client).await;
    let (response, _) = sender.send_request(get("/"), true).unwrap();
    let mut body = response.await.unwrap().into_body();
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        writer.write_all(event.as_bytes()).await.unwrap();
        assert_eq!(body.data().await.unwrap().unwrap(), event);
    }
    drop(writer);

    assert_eq!(collect(body).await.unwrap(), b"");
}

/// Says what belongs to HTTP/1.1.
struct OfTheConnection;

impl Plugin for OfTheConnection {
    async fn post_request(&self, _: &Head, response: &mut Response) -> Result<Flow> {
        for name in ["connection", "upgrade", "keep-alive", "transfer-encoding"] {
            let value = http::HeaderValue::from_static("close");
            response.headers_mut().insert(name, value);
        }
        Ok(Flow::Continue)
    }
}

#[tokio::test]
async fn an_answer_says_nothing_of_the_connection() {
    let app = App::builder()
        .plugin("of_the_connection", OfTheConnection)
        .global_plugins(["of_the_connection"]);
    let app = app.route(("/", |_: Request| async { text("hello") }));
    let client = TestClient::new(app.build().unwrap());

    let answer = answer(&mut sender(&client).await, get("/")).await;

    assert_eq!(answer.body(), "hello");
    for name in ["connection", "upgrade", "keep-alive", "transfer-encoding"] {
        assert!(!answer.headers().contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn methods_and_paths_are_routed_as_over_http_1_1() {
    let app = App::builder().route(("/only", |_: Request| async { "get" }, methods(["get"])));
    let client = TestClient::new(app.build().unwrap());
    let mut sender = sender(&client).await;
    for (method, path, status) in [
        ("GET", "/only", 200),
        ("POST", "/only", 405),
        ("GET", "/none", 404),
        ("GET", "/only?a=%zz", 200),
        ("OPTIONS", "/only", 204),
        ("PURGE", "/only", 405),
    ] {
        let mut request = get(path);
        *request.method_mut() = method.parse().unwrap();
        let new = answer(&mut sender, request).await;
        let old = client.request(method, path).await;

        assert_eq!(new.status(), status, "{method} {path}");
        assert_eq!(old.status(), status, "{method} {path}");
    }
}
