use std::time::Duration;

use nova_core::testing::{TestClient, TestRequest};
use nova_core::{App, Request, Result};

use super::{assert_wrong, router};

async fn log_in(request: Request) -> Result<()> {
    let user: String = request.binding("user")?;
    request.session().log_in(&user).await?;
    request
        .session()
        .insert("team", &format!("of {user}"))
        .await
}

fn client(options: &str) -> TestClient {
    let app = App::builder()
        .action("hello", |_| async { "hello" })
        .action("log_in", log_in);
    let limited = router(
        &format!("[\"rate_limit\", {{ {options} }}]"),
        r#"["/", "hello"]"#,
    );
    let open = "[[group]]\nroutes = [[\"/login/{user}\", \"log_in\"]]";
    super::client(app, &format!("{limited}{open}"))
}

async fn statuses(requests: impl IntoIterator<Item = TestRequest<'_>>) -> Vec<u16> {
    let mut statuses = Vec::new();
    for request in requests {
        statuses.push(request.await.status().as_u16());
    }
    statuses
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_too_often_waits() {
    let client = client(r#"requests = 2, period = "1m""#);
    let get = || client.get("/").peer("192.0.2.1:4711");
    let response = get().await;
    assert_eq!(
        response.header("ratelimit-policy"),
        Some("\"default\";q=2;w=60")
    );
    assert_eq!(response.header("ratelimit"), Some("\"default\";r=1;t=30"));
    assert_eq!(
        get().await.header("ratelimit"),
        Some("\"default\";r=0;t=30")
    );

    let response = get().await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.header("retry-after"), Some("30"));
    assert_eq!(response.header("ratelimit"), Some("\"default\";r=0;t=30"));

    tokio::time::advance(Duration::from_secs(29)).await;
    assert_eq!(get().await.header("retry-after"), Some("1"));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(statuses([get(), get()]).await, [200, 429]);
}

#[tokio::test(start_paused = true)]
async fn each_address_has_its_own_budget_and_an_ipv6_network_has_one() {
    let client = client("requests = 1");
    let from = |peer| client.get("/").peer(peer);
    let v4 = ["192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:1"].map(from);
    assert_eq!(statuses(v4).await, [200, 429, 200]);
    let v6 = ["[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8:0:1::1]:1"].map(from);
    assert_eq!(statuses(v6).await, [200, 429, 200]);
    // What a client says of itself counts for nothing.
    let pretends = from("192.0.2.1:3").header("x-forwarded-for", "192.0.2.9");
    assert_eq!(pretends.await.status(), 429);
}

#[tokio::test(start_paused = true)]
async fn a_burst_can_be_smaller_than_what_a_period_allows() {
    let client = client(r#"requests = 60, period = "1m", burst = 2"#);
    let get = || client.get("/").peer("192.0.2.1:4711");
    assert_eq!(statuses([get(), get(), get()]).await, [200, 200, 429]);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(statuses([get(), get()]).await, [200, 429]);
}

#[tokio::test(start_paused = true)]
async fn the_key_can_be_a_header() {
    let client = client(r#"requests = 1, key = { header = "x-api-key" }"#);
    let get = |key| {
        client
            .get("/")
            .peer("192.0.2.1:4711")
            .header("x-api-key", key)
    };
    assert_eq!(statuses(["a", "b", "a"].map(get)).await, [200, 200, 429]);
    let without = || client.get("/").peer("192.0.2.1:4711");
    assert_eq!(statuses([without(), without()]).await, [200, 429]);
}

#[tokio::test(start_paused = true)]
async fn the_key_can_be_who_has_logged_in() {
    who_has_logged_in_has_a_budget(r#"key = "user""#).await;
}

#[tokio::test(start_paused = true)]
async fn the_key_can_be_what_the_session_knows() {
    who_has_logged_in_has_a_budget(r#"key = { session = "team" }"#).await;
}

async fn who_has_logged_in_has_a_budget(key: &str) {
    let client = client(&format!("requests = 1, {key}"));
    let mut cookies = Vec::new();
    for user in ["ann", "bob", "ann"] {
        let response = client.get(&format!("/login/{user}")).await;
        let cookie = response.header("set-cookie").unwrap();
        cookies.push(cookie.split(';').next().unwrap().to_owned());
    }
    let get = |cookie: &String| client.get("/").peer("192.0.2.1:1").header("cookie", cookie);
    assert_eq!(statuses(cookies.iter().map(get)).await, [200, 200, 429]);
    let invented = |id: &str| get(&format!("session_id={id}"));
    assert_eq!(statuses(["a", "b"].map(invented)).await, [200, 429]);
}

#[test]
fn no_requests_no_time_and_no_key_are_mistakes() {
    for (options, message) in [
        ("requests = 0", "`requests` is wrong"),
        (
            "period = 0",
            "`period` is wrong: it should be longer than nothing",
        ),
        ("capacity = 0", "`capacity` is wrong"),
        ("key = \"cookie\"", "`key` is wrong"),
        (
            "key = { header = \"x y\" }",
            "the name of a header, such as",
        ),
    ] {
        assert_wrong(&format!("[\"rate_limit\", {{ {options} }}]"), message);
    }
}
