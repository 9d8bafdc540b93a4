use std::path::Path;

use nova_core::testing::{TestClient, TestRequest, TestResponse};
use nova_core::{App, CsrfPlugin, Request, Result, json, view};

use super::{assert_wrong, router};

async fn page(request: Request) -> nova_core::Reply {
    let own = request.uri().query() == Some("own");
    match own {
        true => view(&serde_json::json!({ "csrf_token": "mine" })).named("token"),
        false => view(&serde_json::json!({ "name": "ann" })).named("form"),
    }
}

async fn changed(mut request: Request) -> Result<String> {
    Ok(String::from_utf8_lossy(&request.body().await?).into_owned())
}

fn client_with(options: &str) -> TestClient {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "form.html",
        "{{ name }} <form>{{ csrf_field() }}</form>",
    );
    write(folder.path(), "token.html", "{{ csrf_token }}");
    write(folder.path(), "plain.html", "nothing");
    let routes = r#"
        ["/form", "page"], ["/plain", "plain"], ["/json", "json"], ["/change", "changed"],
        ["/login", "login"], ["/logout", "logout"], ["/hooks/{id}", "changed"], ["/hooksmith", "changed"],
    "#;
    let open = "[[group]]\nroutes = [[\"/open\", \"json\"], [\"/open/form\", \"page\"]]\n";
    let router = format!(
        "{}{open}",
        router(&format!("[\"csrf\", {{ {options} }}]"), routes)
    );
    let app = App::builder()
        .views(folder.path())
        .action("page", page)
        .action("plain", |_| async { view(&()).named("plain") })
        .action("json", |request: Request| async move {
            Ok::<_, nova_core::Error>(json(&CsrfPlugin::token(&request)?))
        })
        .action("login", |request: Request| async move {
            request.session().log_in("ann").await?;
            Ok::<_, nova_core::Error>(page(request).await)
        })
        .action("logout", |request: Request| async move {
            request.session().end().await?;
            Ok::<_, nova_core::Error>(page(request).await)
        })
        .action("changed", changed);
    super::client(app, &router)
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

fn client() -> TestClient {
    client_with("")
}

async fn status(request: TestRequest<'_>) -> u16 {
    request.await.status().as_u16()
}

/// The cookie of a session that has a token, and that token as the form has it.
async fn form(client: &TestClient) -> (String, String) {
    parts(&client.get("/form").await)
}

/// The session's cookie and the token of a page that begins a session.
fn parts(response: &TestResponse) -> (String, String) {
    let cookie = response.header("set-cookie").unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let page = response.text();
    let start = page.find(r#"<form><input type="hidden" name="_csrf_token" value=""#);
    let (_, token) = page[start.unwrap()..].split_once("value=\"").unwrap();
    let (token, _) = token.split_once("\"></form>").unwrap();
    (cookie, token.to_owned())
}

#[tokio::test]
async fn where_a_browser_says_that_a_request_comes_from_decides() {
    let client = client_with(r#"trusted_origins = ["https://app.example.com"]"#);
    for (site, origin, expected) in [
        (Some("same-origin"), None, 200),
        (Some("none"), None, 200),
        (Some("same-origin"), Some("null"), 200),
        (Some("same-site"), Some("https://other.localhost"), 403),
        (Some("cross-site"), Some("https://evil.example"), 403),
        (Some("cross-site"), None, 403),
        (Some("else"), None, 403),
        (Some("cross-site"), Some("http://localhost"), 403),
        (Some("cross-site"), Some("https://app.example.com"), 200),
        (None, Some("https://app.example.com"), 200),
        (None, Some("http://localhost"), 200),
        (None, Some("https://localhost"), 200),
        (None, Some("http://localhost:8080"), 403),
        (None, Some("http://localhost.evil.example"), 403),
        (None, Some("null"), 403),
        (None, Some(""), 403),
    ] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let mut request = client.request(method, "/change");
            if let Some(site) = site {
                request = request.header("sec-fetch-site", site);
            }
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            assert_eq!(
                status(request).await,
                expected,
                "{method} {site:?} {origin:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_port_counts_and_the_usual_one_may_be_left_out() {
    let client = client();
    for (host, origin, expected) in [
        ("example.com:8080", "http://example.com:8080", 200),
        ("example.com:80", "http://example.com", 200),
        ("example.com:443", "https://example.com", 200),
        ("EXAMPLE.com", "http://example.com", 200),
        ("example.com:8080", "http://example.com", 403),
        ("example.com:80", "https://example.com", 403),
    ] {
        let request = client.post("/change").header("host", host);
        let request = request.header("origin", origin);
        assert_eq!(status(request).await, expected, "{host} {origin}");
    }
}

#[tokio::test]
async fn what_changes_nothing_passes() {
    let client = client();
    for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
        let request = client.request(method, "/change");
        let request = request.header("sec-fetch-site", "cross-site");
        assert_eq!(status(request).await, 200, "{method}");
    }
}

#[tokio::test]
async fn who_says_nothing_has_to_bring_the_token_of_the_session() {
    let client = client();
    let (cookie, token) = form(&client).await;
    let (other_cookie, other_token) = form(&client).await;
    let post = || client.post("/change");
    let with = |name: &str, value: &str| post().header("cookie", &cookie).header(name, value);

    assert_eq!(status(with("x-csrf-token", &token)).await, 200);
    let fields = [("title", "a&b"), ("_csrf_token", &token)];
    let response = post().header("cookie", &cookie).form(&fields).await;
    // The controller still reads the body.
    assert_eq!(response.text(), format!("title=a%26b&_csrf_token={token}"));

    assert_eq!(status(post()).await, 403);
    assert_eq!(status(with("x-a", "b")).await, 403);
    assert_eq!(status(with("x-csrf-token", "")).await, 403);
    assert_eq!(status(with("x-csrf-token", &other_token)).await, 403);
    assert_eq!(
        status(with("x-csrf-token", "x").form(&fields)).await,
        403,
        "the header wins"
    );
    let stolen = post().header("cookie", &other_cookie).form(&fields);
    assert_eq!(status(stolen).await, 403);
    assert_eq!(
        status(post().header("x-csrf-token", &token)).await,
        403,
        "no session"
    );
    let broken = with("content-type", "application/x-www-form-urlencoded").body("a=%zz");
    assert_eq!(status(broken).await, 400);
}

#[tokio::test]
async fn who_cannot_be_asked_for_a_field_is_asked_for_the_header() {
    let client = client();
    for (content_type, is_form) in [
        ("multipart/form-data; boundary=x", false),
        ("application/json", false),
        ("application/x-www-form-urlencoded", true),
    ] {
        let request = client.post("/change").header("content-type", content_type);
        let response = request.await;
        assert_eq!(response.status(), 403);
        let (header, field) = ("the header `x-csrf-token`", "the field `_csrf_token`");
        assert!(response.text().contains(header), "{content_type}");
        assert_eq!(response.text().contains(field), is_form, "{content_type}");
    }
}

#[tokio::test]
async fn a_token_does_not_help_a_request_from_another_site() {
    let client = client();
    let (cookie, token) = form(&client).await;
    let request = client.post("/change").header("cookie", &cookie);
    let request = request.header("sec-fetch-site", "cross-site");
    assert_eq!(status(request.header("x-csrf-token", &token)).await, 403);
}

#[tokio::test]
async fn where_the_token_is_always_wanted_the_browser_s_word_is_not_enough() {
    let client = client_with(r#"token = "always", trusted_origins = ["https://app.example.com"]"#);
    let (cookie, token) = form(&client).await;
    for (name, value, with_token) in [
        ("sec-fetch-site", "same-origin", 200),
        ("sec-fetch-site", "none", 200),
        ("origin", "http://localhost", 200),
        ("origin", "https://app.example.com", 200),
        ("accept", "*/*", 200),
        ("sec-fetch-site", "cross-site", 403),
        ("origin", "https://evil.example", 403),
    ] {
        let post = || {
            client
                .post("/change")
                .header("cookie", &cookie)
                .header(name, value)
        };
        let sent = [("_csrf_token", &*token)];
        assert_eq!(
            status(post().form(&sent)).await,
            with_token,
            "{name}: {value}"
        );
        assert_eq!(status(post()).await, 403, "{name}: {value}");
    }
}

#[tokio::test]
async fn where_the_token_is_never_wanted_only_other_sites_are_refused() {
    let client = client_with(r#"token = "never""#);
    for (name, value, expected) in [
        ("accept", "*/*", 200),
        ("origin", "http://localhost", 200),
        ("sec-fetch-site", "same-origin", 200),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
    ] {
        let request = client.post("/change").header(name, value);
        assert_eq!(status(request).await, expected, "{name}: {value}");
    }
}

#[tokio::test]
async fn every_page_of_a_session_has_a_token_that_is_good() {
    let client = client();
    let (cookie, first) = form(&client).await;
    let response = client.get("/form").header("cookie", &cookie).await;
    assert_eq!(response.header("set-cookie"), None);
    assert!(!response.text().contains(&first));
    let second: String = client.get("/json").header("cookie", &cookie).await.json();
    for token in [first, second] {
        let request = client.post("/change").header("cookie", &cookie);
        assert_eq!(status(request.header("x-csrf-token", &token)).await, 200);
    }
}

#[tokio::test]
async fn a_token_from_before_a_login_or_a_log_out_is_worth_nothing_after_it() {
    let client = client();
    let (mut cookie, mut token) = form(&client).await;
    for path in ["/login", "/login", "/logout"] {
        let request = client.post(path).header("cookie", &cookie);
        let page = request.header("x-csrf-token", &token).await;
        let (cookie_after, token_after) = parts(&page);
        let post = |token: &str| {
            let request = client.post("/change").header("cookie", &cookie_after);
            status(request.header("x-csrf-token", token))
        };
        assert_eq!(post(&token).await, 403, "{path}");
        assert_eq!(
            post(&token_after).await,
            200,
            "{path}: the page has the new one"
        );
        (cookie, token) = (cookie_after, token_after);
    }
}

#[tokio::test]
async fn a_session_begins_only_when_somebody_asks_for_a_token() {
    let client = client();
    for path in ["/plain", "/change", "/nothing"] {
        assert_eq!(client.get(path).await.header("set-cookie"), None, "{path}");
    }
    assert!(client.get("/json").await.header("set-cookie").is_some());
}

#[tokio::test]
async fn what_the_controller_gives_to_a_view_comes_first() {
    let response = client().get("/form?own").await;
    assert_eq!(response.text(), "mine");
    assert_eq!(response.header("set-cookie"), None);
}

#[tokio::test]
async fn where_the_plugin_does_not_run_there_is_no_token() {
    let client = client();
    for path in ["/open", "/open/form"] {
        assert_eq!(status(client.get(path)).await, 500, "{path}");
    }
}

#[tokio::test]
async fn excluded_paths_and_all_below_them_are_not_protected() {
    let client = client_with(r#"exclude = ["/hooks"]"#);
    assert_eq!(status(client.post("/hooks/7")).await, 200);
    assert_eq!(status(client.post("//hooks//7")).await, 200);
    assert_eq!(status(client.post("/hooksmith")).await, 403);
    assert_eq!(status(client.post("/change")).await, 403);
}

#[test]
fn wrong_origins_and_paths_are_mistakes() {
    for (plugin, message) in [
        (
            r#"["csrf", { trusted_origins = ["app.example.com"] }]"#,
            "`app.example.com` in `trusted_origins` is no origin",
        ),
        (
            r#"["csrf", { exclude = ["hooks"] }]"#,
            "`hooks` in `exclude` is no path",
        ),
    ] {
        assert_wrong(plugin, message);
    }
}
