//! What Nova was observed to do, where no other file of tests has it for its subject:
//! `docs/design/observed.md` lists all of it.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nova_core::testing::TestClient;
use nova_core::{
    Access, App, Environment, Group, IntoRoute, Request, Result, Security, json, methods, text,
};

/// An app of these routes, in `prod`.
fn client<R: IntoRoute>(routes: impl IntoIterator<Item = R>) -> TestClient {
    let app = App::builder().environment(Environment::Prod);
    let app = app.action("bound", bound).action("fixed", fixed);
    TestClient::new(app.group(Group::new().routes(routes)).build().unwrap())
}

/// Says which path it is that was asked for, without what it binds.
async fn fixed(request: Request) -> String {
    format!("fixed {}", request.path())
}

/// Says what is bound, by whichever of the names that the tests use.
async fn bound(request: Request) -> Result<String> {
    let names = ["id", "other", "pathinfo"];
    let values = names.map(|name| {
        let value = request.binding::<String>(name).ok()?;
        Some(format!("{name}={value}"))
    });
    Ok(values.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

async fn get(client: &TestClient, path: &str) -> String {
    let response = client.get(path).await;
    match response.status().as_u16() {
        200 => response.text().to_owned(),
        other => other.to_string(),
    }
}

#[tokio::test]
async fn the_routes_that_nova_loses_are_found_in_any_order_of_declaration() {
    let mut routes = vec![
        ("/ov2/fixed", "fixed"),
        ("/ov2/:id", "bound"),
        ("/ov3/fixed/x", "fixed"),
        ("/ov3/:id/y", "bound"),
        ("/ov4/:id/y", "bound"),
        ("/ov4/:other/z", "bound"),
        ("/wild2/[...]", "bound"),
        ("/wild2/fixed/x", "fixed"),
        ("/wild4/[...]", "bound"),
        ("/wild4/:id/b", "bound"),
    ];
    for _ in 0..routes.len() {
        routes.rotate_left(1);
        for reversed in [false, true] {
            if reversed {
                routes.reverse();
            }
            let client = client(routes.clone());
            for (path, expected) in [
                ("/ov2/fixed", "fixed /ov2/fixed"),
                ("/ov2/7", "id=7"),
                ("/ov3/fixed/x", "fixed /ov3/fixed/x"),
                ("/ov3/fixed/y", "id=fixed"),
                ("/ov4/1/y", "id=1"),
                ("/ov4/1/z", "other=1"),
                ("/wild2/fixed/more", "pathinfo=fixed/more"),
                ("/wild2/fixed/x", "fixed /wild2/fixed/x"),
                ("/wild4/a", "pathinfo=a"),
                ("/wild4/a/b", "id=a"),
            ] {
                assert_eq!(get(&client, path).await, expected, "{path} of {routes:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_written_out_in_a_path_is_compared_as_it_is_sent() {
    let client = client([("/hello", "fixed"), ("/a%20b", "fixed")]);
    for path in ["/%68ello", "/hell%6F", "/Hello", "/hello;v=1", "/hello%2F"] {
        assert_eq!(get(&client, path).await, "404", "{path}");
    }
    assert_eq!(get(&client, "/a%20b").await, "fixed /a%20b");
}

#[tokio::test]
async fn matrix_parameters_and_dots_are_parts_of_what_is_bound() {
    let client = client([("/bind/:id", "bound"), ("/rest/[...]", "bound")]);
    for (path, expected) in [
        ("/bind/a;v=1;w=2", "id=a;v=1;w=2"),
        ("/bind/..", "id=.."),
        ("/rest/a/../b", "pathinfo=a/../b"),
        ("/rest/a;v=1/b", "pathinfo=a;v=1/b"),
        ("/rest", "pathinfo="),
        ("/rest/", "pathinfo="),
        ("/rest//a", "pathinfo=a"),
    ] {
        assert_eq!(get(&client, path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn head_on_a_route_of_all_methods_has_the_length_and_no_body() {
    let client = client([("/hello", "fixed")]);
    let response = client.request("HEAD", "/hello").await;

    assert_eq!(response.status(), 200);
    assert_eq!(response.header("content-length"), Some("12"));
    assert!(response.body().is_empty());
}

/// Counts who was asked about.
struct Counting(Arc<AtomicUsize>);

impl Security for Counting {
    async fn check(&self, _request: &mut Request) -> Result<Access> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Access::denied())
    }
}

#[tokio::test]
async fn what_the_router_answers_does_not_ask_the_security_of_a_group() {
    let asked = Arc::new(AtomicUsize::new(0));
    let group = Group::new().prefix("/api").security("counting").route((
        "/notes/{id}",
        |_: Request| async { "note" },
        methods(["get"]),
    ));
    let app = App::builder()
        .environment(Environment::Prod)
        .security("counting", Counting(Arc::clone(&asked)));
    let client = TestClient::new(app.group(group).build().unwrap());
    for (method, path, expected) in [
        ("GET", "/api/nothing", 404),
        ("DELETE", "/api/notes/7", 405),
        ("OPTIONS", "/api/notes/7", 204),
        ("GET", "/api/notes/%zz", 400),
    ] {
        let response = client.request(method, path).await;
        assert_eq!(response.status(), expected, "{method} {path}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    for method in ["GET", "HEAD"] {
        let response = client.request(method, "/api/notes/7").await;
        assert_eq!(response.status(), 401, "{method}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_query_is_a_map_or_a_list_of_its_pairs() {
    let list = |request: Request| async move {
        Ok::<_, nova_core::Error>(json(&request.query::<Vec<(String, String)>>()?))
    };
    let map = |request: Request| async move {
        type Map = std::collections::BTreeMap<String, String>;
        Ok::<_, nova_core::Error>(json(&request.query::<Map>()?))
    };
    let app = App::builder().route(("/list", list)).route(("/map", map));
    let client = TestClient::new(app.build().unwrap());

    let list = client.get("/list?b=1&a=%20&b=2").await;
    assert_eq!(list.text(), r#"[["b","1"],["a"," "],["b","2"]]"#);
    let map = client.get("/map?b=1&a=%20").await;
    assert_eq!(map.text(), r#"{"a":" ","b":"1"}"#);
}

#[tokio::test]
async fn what_an_app_in_prod_says_of_a_value_that_nothing_renders_is_nothing() {
    struct Secret;
    let app = App::builder()
        .environment(Environment::Prod)
        .route(("/", |_: Request| async { nova_core::value(Secret) }))
        .route(("/text", |_: Request| async { text("fine") }));
    let client = TestClient::new(app.build().unwrap());
    let response = client.get("/").header("accept", "application/json").await;

    assert_eq!(response.status(), 500);
    let expected = r#"{"title":"Internal Server Error","status":500}"#;
    assert_eq!(response.text(), expected);
    assert_eq!(get(&client, "/text").await, "fine");
}
