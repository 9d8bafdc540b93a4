//! Bodies that are too long, or too slow.

use nova_core::testing::TestClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::{answers, app, statuses};

#[tokio::test(start_paused = true)]
async fn a_body_that_says_that_it_is_too_long_is_413_whoever_would_have_read_it() {
    for path in ["/", "/length", "/none"] {
        let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 999999999\r\n\r\n");
        let answers = answers(&head).await;
        assert_eq!(statuses(&answers), [413], "{answers}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_is_408_and_the_end_of_the_connection() {
    for (settings, seconds) in [("", 30), ("body_timeout = 3", 3)] {
        for begun in [
            "content-length: 10\r\n\r\nhello",
            "transfer-encoding: chunked\r\n\r\n5\r\nhel",
        ] {
            let client = TestClient::new(app(settings).unwrap());
            let mut stream = client.connect();
            let start = Instant::now();
            let request = format!("POST /length HTTP/1.1\r\nhost: a\r\n{begun}");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();

            assert_eq!(statuses(&answer), [408], "{answer}");
            assert!(answer.contains("connection: close"), "{answer}");
            assert_eq!(start.elapsed().as_secs(), seconds);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_reads_does_not_keep_its_connection() {
    let client = TestClient::new(app("").unwrap());
    let mut stream = client.connect();
    let start = Instant::now();
    let request = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhello";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();

    assert_eq!(statuses(&answer), [200], "{answer}");
    assert!(start.elapsed().as_secs() <= 10);
}
