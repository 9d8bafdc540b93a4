//! The `[session]` table: the cookie, and what does not go together.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::testing::TestClient;
use nova_core::{App, Request, Result};

async fn begin(request: Request) -> Result<()> {
    request.session().insert("x", &1).await
}

fn build(file: &str) -> Result<App, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nova.toml");
    std::fs::write(&path, file).unwrap();
    let app = App::builder().config_file(&path).route(("/", begin));
    app.build().map_err(|errors| errors.to_string())
}

/// What the cookie says beside its name and value; for a client behind a proxy, if it has one.
async fn attributes(settings: &str, forwarded: Option<&str>) -> String {
    let file = format!("[server]\ntrusted_proxies = ['192.0.2.1']\n[session]\n{settings}");
    let client = TestClient::new(build(&file).unwrap());
    let mut request = client.get("/").peer("192.0.2.1:4711");
    if let Some(scheme) = forwarded {
        request = request.header("x-forwarded-proto", scheme);
    }
    let response = request.await;
    let set = response.header("set-cookie").unwrap();
    set.split_once("; ").unwrap().1.to_owned()
}

#[tokio::test]
async fn the_cookie_is_secure_for_clients_that_speak_https_or_as_the_settings_say() {
    for (settings, forwarded, is_secure) in [
        ("", None, false),
        ("", Some("http"), false),
        ("", Some("https"), true),
        ("secure = true", None, true),
        ("secure = false", Some("https"), false),
    ] {
        let attributes = attributes(settings, forwarded).await;
        let told = format!("{settings} {forwarded:?}: {attributes}");
        assert_eq!(attributes.contains("Secure"), is_secure, "{told}");
    }
}

#[tokio::test]
async fn the_settings_name_the_cookie_and_say_where_it_is_sent() {
    for (settings, expected) in [
        ("", "HttpOnly; SameSite=Lax; Path=/"),
        ("same_site = 'strict'", "HttpOnly; SameSite=Strict; Path=/"),
        (
            "same_site = 'none'\nsecure = true",
            "HttpOnly; SameSite=None; Secure; Path=/",
        ),
        (
            "domain = 'example.com'\npath = '/app'",
            "HttpOnly; SameSite=Lax; Path=/app; Domain=example.com",
        ),
    ] {
        assert_eq!(attributes(settings, None).await, expected, "{settings}");
    }
    for name in ["sid", "__Host-sid"] {
        let file = format!("[session]\ncookie = '{name}'\nsecure = true\n");
        let client = TestClient::new(build(&file).unwrap());
        let response = client.get("/").await;
        let set = response.header("set-cookie").unwrap();
        assert!(set.starts_with(&format!("{name}=")), "{set}");
    }
}

#[test]
fn what_is_no_setting_is_told_with_its_place() {
    for (line, expected) in [
        ("cookie = 'a b'", "2:10: `cookie` is wrong"),
        ("idle = 0", "2:8: `idle` is wrong"),
        ("capacity = 0", "2:12: `capacity`"),
        ("secure = 'yes'", "`true`, `false` or \"auto\""),
        ("domain = 'a b'", "expected a domain"),
        ("domain = '.a'", "expected a domain"),
        ("path = 'app'", "expected a path"),
        ("path = '/;a'", "expected a path"),
        ("same_site = 'some'", "2:13: `same_site` is wrong"),
        ("secret = 'short'", "should be at least 32 characters"),
        ("secret = ['short']", "should be at least 32 characters"),
    ] {
        let told = build(&format!("[session]\n{line}\n")).unwrap_err();
        assert!(told.contains(expected), "{expected} is not in\n{told}");
        assert!(!told.contains("short\""), "{told}");
        assert!(!told.contains("'short'"), "{told}");
    }
}

#[test]
fn what_does_not_go_together_is_told_with_its_place_in_each_environment() {
    for (lines, expected) in [
        (
            "absolute = '1h'",
            "`idle` is longer than `absolute`, which is 1h",
        ),
        (
            "idle = '15d'",
            "2:8: `idle` is longer than `absolute`, which is 14days",
        ),
        (
            "same_site = 'none'",
            "2:13: browsers refuse a cookie with `same_site = \"none\"`",
        ),
        ("same_site = 'none'\nsecure = false", "set `secure = true`"),
        (
            "cookie = '__Secure-sid'",
            "2:10: browsers refuse a cookie with such a name",
        ),
        (
            "cookie = '__host-sid'",
            "browsers refuse a cookie with such a name",
        ),
        (
            "cookie = '__Host-sid'\nsecure = true\npath = '/app'",
            "leave `path` and `domain` out",
        ),
        (
            "cookie = '__Host-sid'\nsecure = true\ndomain = 'a.de'",
            "leave `path` and `domain` out",
        ),
    ] {
        for table in ["session", "dev.session", "prod.session"] {
            let told = build(&format!("[{table}]\n{lines}\n")).unwrap_err();
            assert!(told.contains(expected), "{expected} is not in\n{told}");
            assert_eq!(
                told.matches("browsers").count() + told.matches("longer").count(),
                1
            );
        }
    }
    let good = "[session]\nsame_site = 'none'\n[dev.session]\nsecure = true\n";
    assert!(build(&format!("{good}[prod.session]\nsecure = true\n")).is_ok());
    assert!(build(good).is_err(), "it is wrong in `prod`");
}
