//! How long a head may be, and what it may expect.

use super::{answers, answers_of, app, is_refused, statuses};

#[tokio::test(start_paused = true)]
async fn a_head_over_the_limits_is_431_and_a_request_line_414() {
    let long = "b".repeat(70_000);
    is_refused(
        &format!("GET / HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n"),
        &[431],
    )
    .await;
    is_refused(
        &format!(
            "GET / HTTP/1.1\r\nhost: a\r\n{}\r\n",
            "x: y\r\n".repeat(100)
        ),
        &[431],
    )
    .await;
    is_refused(&format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"), &[414]).await;
    is_refused(
        &format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}", "b".repeat(1_000_000)),
        &[431],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_head_within_the_limits_is_answered() {
    let fields = "x: y\r\n".repeat(99);
    let request = format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
    assert_eq!(statuses(&answers(&request).await), [200]);
    let long = "b".repeat(65_000);
    let request = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n");
    assert_eq!(statuses(&answers(&request).await), [200]);
}

#[tokio::test(start_paused = true)]
async fn the_limits_of_heads_are_settings() {
    let with = async |settings: &str, fields: usize, length: usize| {
        let (fields, long) = ("x: y\r\n".repeat(fields), "b".repeat(length));
        let request = format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}y: {long}\r\n\r\n");
        statuses(&answers_of(app(settings).unwrap(), request.as_bytes()).await)
    };

    assert_eq!(with("head_fields = 5", 3, 1).await, [200]);
    assert_eq!(with("head_fields = 5", 4, 1).await, [431]);
    assert_eq!(with("head_fields = 200", 198, 1).await, [200]);
    assert_eq!(with("head_fields = 200", 199, 1).await, [431]);
    assert_eq!(with("head_limit = 10_000", 1, 9_900).await, [200]);
    assert_eq!(with("head_limit = 10_000", 1, 10_000).await, [431]);
    assert_eq!(with("head_limit = 200_000", 1, 199_000).await, [200]);
}

#[tokio::test(start_paused = true)]
async fn an_expectation_other_than_100_continue_is_417() {
    let expects = |value: &str, length: usize| {
        format!(
            "POST /length HTTP/1.1\r\nhost: a\r\nexpect: {value}\r\n\
             content-length: {length}\r\n\r\nhello"
        )
    };
    is_refused(&expects("a-reply", 5), &[417]).await;
    let continued = answers(&expects("100-Continue", 5)).await;
    assert_eq!(statuses(&continued), [100, 200]);
    let too_long = answers(&expects("100-continue", 3_000_000)).await;
    assert_eq!(statuses(&too_long), [413], "{too_long}");
}
