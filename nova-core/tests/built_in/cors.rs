use http::HeaderMap;
use nova_core::testing::{TestClient, TestResponse};
use nova_core::{Access, App, CorsOptions, CorsPlugin, Error, Group, Request, Security, text};

use super::{assert_wrong, router};

const APP: &str = "https://app.example.com";

/// Lets nobody pass: a preflight has to be answered before.
struct Closed;

impl Security for Closed {
    async fn check(&self, _request: &mut Request) -> nova_core::Result<Access> {
        Ok(Access::denied())
    }
}

fn client(options: &str) -> TestClient {
    let routes = r#"
        ["/get",  "hello", { methods = ["get"] }],
        ["/all",  "hello"],
        ["/fail", "fail"],
    "#;
    let plugins = format!("[\"cors\", {{ {options} }}]");
    let router = router(&plugins, routes);
    let closed = format!(
        "{router}\n[[group]]\nprefix = \"/closed\"\nsecurity = \"closed\"\nplugins = [{plugins}]\nroutes = [[\"/\", \"hello\"]]"
    );
    let app = App::builder()
        .security("closed", Closed)
        .action("hello", |_| async { text("hello") })
        .action("fail", |_| async {
            nova_core::Result::<&str>::Err(Error::new(500, "no"))
        });
    super::client(app, &closed)
}

async fn preflight(client: &TestClient, path: &str, origin: &str) -> TestResponse {
    client
        .request("OPTIONS", path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type")
        .await
}

fn allowed(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let mut allowed: Vec<_> = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("access-control-") || *name == "vary")
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    allowed.sort_unstable();
    allowed
}

#[tokio::test]
async fn a_preflight_is_answered_on_every_route_and_before_the_security_function() {
    let client = client(r#"origins = ["https://app.example.com"], max_age = 60"#);
    for path in ["/get", "/all", "/fail", "/closed"] {
        let response = preflight(&client, path, APP).await;
        assert_eq!(response.status(), 204, "{path}");
        assert_eq!(
            allowed(response.headers()),
            [
                ("access-control-allow-headers", "content-type"),
                (
                    "access-control-allow-methods",
                    "GET, HEAD, POST, PUT, PATCH, DELETE"
                ),
                ("access-control-allow-origin", APP),
                ("access-control-max-age", "60"),
                ("vary", "origin"),
            ]
        );
    }
}

/// In Nova, every `OPTIONS` was taken for a preflight.
#[tokio::test]
async fn an_options_that_is_no_preflight_goes_on() {
    let client = client(r#"origins = ["https://app.example.com"]"#);
    assert_eq!(client.request("OPTIONS", "/all").await.text(), "hello");
    let response = client
        .request("OPTIONS", "/get")
        .header("origin", APP)
        .await;
    assert_eq!(response.header("allow"), Some("GET, HEAD, OPTIONS"));
    assert_eq!(response.header("access-control-allow-methods"), None);
    assert_eq!(response.header("access-control-allow-origin"), Some(APP));
}

#[tokio::test]
async fn every_answer_is_readable_for_the_origins_that_are_listed_and_nobody_else() {
    let client = client(
        r#"origins = ["https://app.example.com"], credentials = true, expose = ["etag", "link"]"#,
    );
    for path in ["/get", "/fail", "/closed"] {
        let response = client.get(path).header("origin", APP).await;
        assert_eq!(
            allowed(response.headers()).as_slice()[..3],
            [
                ("access-control-allow-credentials", "true"),
                ("access-control-allow-origin", APP),
                ("access-control-expose-headers", "etag, link"),
            ],
            "{path}"
        );
    }
    for other in [
        "https://app.example.com.evil.example",
        "https://app.example.co",
        "http://app.example.com",
        "https://APP.example.com",
        "null",
        "*",
        "",
    ] {
        let response = client.get("/get").header("origin", other).await;
        assert_eq!(allowed(response.headers()), [("vary", "origin")], "{other}");
        let response = preflight(&client, "/get", other).await;
        assert_eq!(allowed(response.headers()), [("vary", "origin")], "{other}");
    }
    let response = client.get("/get").await;
    assert_eq!(allowed(response.headers()), [("vary", "origin")]);
}

#[tokio::test]
async fn a_star_is_for_everybody_and_depends_on_nothing() {
    let client = client(r#"origins = ["*"], headers = ["*"], methods = ["get", "put"]"#);
    let response = client.get("/get").await;
    assert_eq!(
        allowed(response.headers()),
        [("access-control-allow-origin", "*")]
    );
    let response = preflight(&client, "/get", APP).await;
    assert_eq!(response.header("access-control-allow-headers"), Some("*"));
    assert_eq!(
        response.header("access-control-allow-methods"),
        Some("GET, PUT")
    );
}

#[tokio::test]
async fn a_404_and_a_405_are_readable_by_the_global_list() {
    let plugin = CorsPlugin::new(CorsOptions {
        origins: vec![APP.to_owned()],
        ..CorsOptions::default()
    });
    let app = App::builder()
        .plugin("own_cors", plugin)
        .global_plugins(["own_cors"])
        .group(Group::new().route((
            "/",
            |_: Request| async { "hello" },
            nova_core::methods(["get"]),
        )));
    let client = TestClient::new(app.build().unwrap());
    for (method, path, status) in [("GET", "/nothing", 404), ("PUT", "/", 405)] {
        let response = client.request(method, path).header("origin", APP).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.header("access-control-allow-origin"), Some(APP));
    }
}

#[tokio::test]
async fn a_preflight_of_a_path_in_several_groups_passes_the_plugins_of_the_route_it_asks_for() {
    let group = |method: &'static str, origin: &str| {
        let cors = CorsPlugin::new(CorsOptions {
            origins: vec![origin.to_owned()],
            ..CorsOptions::default()
        });
        let hello = |_: Request| async { "hello" };
        let group = Group::new().plugin("cors", cors);
        group.route(("/", hello, nova_core::methods([method])))
    };
    let other = "https://other.example";
    let app = App::builder()
        .group(group("get", APP))
        .group(group("put", other));
    let client = TestClient::new(app.build().unwrap());
    for (method, expected) in [("GET", APP), ("HEAD", APP), ("PUT", other), ("PATCH", APP)] {
        for origin in [APP, other] {
            let request = client.request("OPTIONS", "/").header("origin", origin);
            let request = request.header("access-control-request-method", method);
            let response = request.await;
            let allowed = response.header("access-control-allow-origin");
            assert_eq!(allowed.is_some(), origin == expected, "{method} {origin}");
        }
    }
}

#[test]
fn options_that_protect_nothing_or_say_nothing_are_mistakes() {
    for (plugin, message) in [
        (
            r#""cors""#,
            "the plugin `cors` is wrong: it allows no origin",
        ),
        (
            r#"["cors", { origins = ["*"], credentials = true }]"#,
            "`*` does not go with `credentials`",
        ),
        (
            r#"["cors", { origins = ["https://a.example"], headers = ["*"], credentials = true }]"#,
            "`*` does not go with `credentials`",
        ),
        (
            r#"["cors", { origins = ["https://a.example"], methods = ["*"], credentials = true }]"#,
            "`*` does not go with `credentials`",
        ),
        (
            r#"["cors", { origins = ["*", "https://a.example"] }]"#,
            "leave the others out",
        ),
        (
            r#"["cors", { origins = ["https://a.example/"] }]"#,
            "`https://a.example/` in `origins` is no origin",
        ),
        (
            r#"["cors", { origins = ["null"] }]"#,
            "`null` in `origins` is no origin",
        ),
        (
            r#"["cors", { origins = ["*"], methods = ["G T"] }]"#,
            "`G T` in `methods` is no method",
        ),
        (
            r#"["cors", { origins = ["*"], expose = ["x y"] }]"#,
            "`x y` is no name of a header",
        ),
    ] {
        assert_wrong(plugin, message);
    }
}
