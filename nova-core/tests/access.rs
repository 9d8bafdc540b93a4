//! What the head of a request tells of its client.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::testing::{self, TestClient};
use nova_core::{App, BuildErrors, Reply, Request, json};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn client(request: Request) -> Reply {
    let ip = request.client_ip().map(|ip| ip.to_string());
    let peer = request.peer().map(|peer| peer.to_string());
    json(&(ip, peer, request.scheme()))
}

async fn cookie(request: Request) -> Reply {
    json(&request.cookie("theme"))
}

fn app(settings: &str) -> Result<App, BuildErrors> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nova.toml");
    std::fs::write(&file, settings).unwrap();
    App::builder()
        .config_file(file)
        .route(("/client", client))
        .route(("/cookie", cookie))
        .build()
}

async fn seen(settings: &str, peer: &str, headers: &[(&str, &str)]) -> Value {
    let client = TestClient::new(app(settings).unwrap());
    let request = client.get("/client").peer(peer);
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(name, value)
    });
    request.await.json()
}

#[tokio::test]
async fn no_header_counts_unless_a_proxy_is_trusted() {
    let headers = [
        ("x-forwarded-for", "1.1.1.1"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "for=1.1.1.1;proto=https"),
    ];

    let seen = seen("", "127.0.0.1:4711", &headers).await;

    assert_eq!(seen, json!(["127.0.0.1", "127.0.0.1:4711", "http"]));
}

#[tokio::test]
async fn a_trusted_proxy_says_who_the_client_is_and_what_it_spoke() {
    let settings = "[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n";
    let headers = [
        ("x-forwarded-for", "6.6.6.6, 1.1.1.1"),
        ("x-forwarded-for", "10.1.1.1:80"),
        ("x-forwarded-proto", "https"),
    ];

    let by_proxy = seen(settings, "[::1]:4711", &headers).await;
    assert_eq!(by_proxy, json!(["1.1.1.1", "[::1]:4711", "https"]));

    let by_another = seen(settings, "9.9.9.9:80", &headers).await;
    assert_eq!(by_another, json!(["9.9.9.9", "9.9.9.9:80", "http"]));
}

#[tokio::test]
async fn the_settings_choose_the_header() {
    let settings = "[server]\ntrusted_proxies = [\"10.0.0.1\"]\nforwarded_header = \"forwarded\"\n";
    let headers = [
        ("x-forwarded-for", "6.6.6.6"),
        ("forwarded", "for=\"[2001:db8::1]:4711\";proto=https"),
    ];

    let seen = seen(settings, "10.0.0.1:80", &headers).await;

    assert_eq!(seen, json!(["2001:db8::1", "10.0.0.1:80", "https"]));
}

#[test]
fn a_wrong_proxy_or_header_in_the_settings_has_its_place() {
    let settings = "[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"proxy\"]\nforwarded_header = \"x-real-ip\"\n";

    let told = app(settings).unwrap_err().to_string();

    assert!(told.contains("nova.toml:2:"), "{told}");
    assert!(told.contains("an IP address or a network"), "{told}");
    assert!(
        told.contains("nova.toml:3:20: `forwarded_header` is wrong"),
        "{told}"
    );
}

#[test]
fn a_connection_in_memory_has_no_address() {
    let request = testing::request("GET", "/").build();
    assert_eq!((request.client_ip(), request.is_secure()), (None, false));

    let request = testing::request("GET", "/").peer("192.0.2.1:80").build();
    assert_eq!(request.client_ip(), Some([192, 0, 2, 1].into()));
}

/// In Nova it is a 500 on every route.
#[tokio::test]
async fn a_malformed_cookie_is_passed_over_on_every_route() {
    let client = TestClient::new(app("").unwrap());
    for line in [
        &b"=x; theme=dark"[..],
        b"theme",
        b";;;",
        b"\xff=\xfe; theme=dark",
        b"theme=\"dark",
        b"",
    ] {
        let mut raw = client.connect();
        let head = b"GET /cookie HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncookie: ";
        raw.write_all(&[&head[..], line, b"\r\n\r\n"].concat())
            .await
            .unwrap();
        let mut answer = String::new();
        raw.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap();
        assert_eq!(status, "200", "{}", line.escape_ascii());
    }
    let answer = client
        .get("/cookie")
        .header("cookie", "=x; theme=dark")
        .await;
    assert_eq!(answer.text(), "\"dark\"");
}
