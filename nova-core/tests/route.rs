//! Which route answers a request, and what is said when none does.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::testing::{TestClient, TestResponse};
use nova_core::{
    App, AppBuilder, Environment, Group, IntoRoute, Request, Result, RouteOptions, controller,
    methods, text,
};

/// An app of these routes, each of which answers with its own pattern and what it bound.
fn client<R: IntoRoute>(routes: impl IntoIterator<Item = R>) -> TestClient {
    let group = Group::new().routes(routes);
    let app = App::builder().environment(Environment::Prod);
    TestClient::new(actions(app).group(group).build().unwrap())
}

fn actions(builder: AppBuilder) -> AppBuilder {
    builder
        .action("fixed", |_| async { text("fixed") })
        .action("id", |request: Request| async move {
            Ok::<_, nova_core::Error>(format!("id {}", request.binding::<String>("id")?))
        })
        .action("rest", |request: Request| async move {
            Ok::<_, nova_core::Error>(format!("rest {}", request.binding::<String>("rest")?))
        })
        .action("method", |request: Request| async move {
            text(request.method().as_str())
        })
}

async fn get(client: &TestClient, path: &str) -> String {
    let response = client.get(path).await;
    match response.status().as_u16() {
        200 => response.text().to_owned(),
        other => other.to_string(),
    }
}

fn allow(response: &TestResponse) -> &str {
    response.header("allow").unwrap()
}

#[tokio::test]
async fn methods_choose_among_the_routes_of_a_path() {
    let client = client([
        ("/notes", "fixed", methods(["get"])),
        ("/notes", "method", methods(["POST", "put"])),
    ]);

    assert_eq!(client.get("/notes").await.text(), "fixed");
    assert_eq!(client.post("/notes").await.text(), "POST");
    assert_eq!(client.put("/notes").await.text(), "PUT");
}

#[tokio::test]
async fn a_wrong_method_is_405_with_the_right_ones() {
    let client = client([
        ("/notes", "fixed", methods(["get"])),
        ("/notes", "fixed", methods(["post"])),
    ]);
    let response = client.delete("/notes").await;

    assert_eq!(response.status(), 405);
    assert_eq!(allow(&response), "GET, HEAD, POST, OPTIONS");
    assert_eq!(
        response.header("content-type"),
        Some("application/problem+json")
    );
}

#[tokio::test]
async fn head_is_answered_by_get_without_the_body() {
    let client = client([("/notes", "fixed", methods(["get"]))]);
    let response = client.request("HEAD", "/notes").await;

    assert_eq!(response.status(), 200);
    assert_eq!(response.header("content-length"), Some("5"));
    assert!(response.body().is_empty());
}

#[tokio::test]
async fn options_lists_the_methods() {
    let client = client([("/notes", "fixed", methods(["put", "get"]))]);
    let response = client.request("OPTIONS", "/notes").await;

    assert_eq!(response.status(), 204);
    assert_eq!(allow(&response), "PUT, GET, HEAD, OPTIONS");
}

#[tokio::test]
async fn a_route_without_methods_answers_them_all() {
    let client = client([("/any", "method")]);

    for method in ["GET", "POST", "OPTIONS", "TRACE", "INVENTED"] {
        assert_eq!(client.request(method, "/any").await.text(), method);
    }
}

#[tokio::test]
async fn an_unknown_path_is_404() {
    let client = client([("/notes", "fixed")]);
    let response = client.get("/nots").await;

    assert_eq!(response.status(), 404);
    assert_eq!(
        response.header("content-type"),
        Some("application/problem+json")
    );
    let problem: serde_json::Value = response.json();
    assert_eq!(
        problem,
        serde_json::json!({ "title": "Not Found", "status": 404 })
    );
}

#[tokio::test]
async fn static_comes_before_binding_and_binding_before_rest_in_any_order() {
    let mut routes = vec![
        ("/p/{*rest}", "rest"),
        ("/p/{id}", "id"),
        ("/p/{id}/q", "id"),
        ("/p/fixed", "fixed"),
        ("/p/fixed/x/y", "fixed"),
    ];
    for _ in 0..routes.len() {
        routes.rotate_left(1);
        let client = client(routes.clone());
        for (path, expected) in [
            ("/p/fixed", "fixed"),
            ("/p/7", "id 7"),
            ("/p/7/q", "id 7"),
            ("/p/fixed/q", "id fixed"),
            ("/p/7/r", "rest 7/r"),
            ("/p/7/q/r", "rest 7/q/r"),
            ("/p/fixed/x/z", "rest fixed/x/z"),
            ("/p", "rest "),
        ] {
            assert_eq!(get(&client, path).await, expected, "{path}");
        }
    }
}

#[tokio::test]
async fn bindings_of_different_names_can_stand_at_one_place() {
    let client = client([("/o/{id}/y", "id"), ("/o/{rest}/z", "rest")]);

    assert_eq!(get(&client, "/o/1/y").await, "id 1");
    assert_eq!(get(&client, "/o/2/z").await, "rest 2");
}

#[tokio::test]
async fn novas_notation_works_as_the_other() {
    let pathinfo = |request: Request| async move { request.binding::<String>("pathinfo") };
    let app = actions(App::builder())
        .action("pathinfo", pathinfo)
        .route(("/notes/:id", "id"))
        .route(("/assets/[...]", "pathinfo"));
    let client = TestClient::new(app.build().unwrap());

    assert_eq!(get(&client, "/notes/7").await, "id 7");
    assert_eq!(get(&client, "/assets/css/a.css").await, "css/a.css");
    assert_eq!(get(&client, "/assets").await, "");
}

#[tokio::test]
async fn slashes_count_as_in_nova() {
    let client = client([("/a/b/", "fixed"), ("/n/{id}", "id")]);

    for path in ["/a/b", "/a/b/", "//a//b", "/a///b/"] {
        assert_eq!(get(&client, path).await, "fixed", "{path}");
    }
    for path in ["/a/b//", "//", "/A/b", "/a/./b", "/a/b/c"] {
        assert_eq!(get(&client, path).await, "404", "{path}");
    }
    assert_eq!(get(&client, "//n//x/").await, "id x");
}

#[tokio::test]
async fn bindings_are_decoded_and_bad_encoding_is_400() {
    let client = client([("/n/{id}", "id"), ("/r/{*rest}", "rest")]);

    assert_eq!(get(&client, "/n/a%20b%2Fc").await, "id a b/c");
    assert_eq!(get(&client, "/n/%C3%A9").await, "id é");
    assert_eq!(get(&client, "/r/a%20b/c").await, "rest a b/c");
    for path in ["/n/%", "/n/%zz", "/n/%ff", "/r/x/%e9"] {
        assert_eq!(get(&client, path).await, "400", "{path}");
    }
}

#[tokio::test]
async fn a_prefix_and_a_path_are_two_segments() {
    let group = Group::new()
        .prefix("/api/{id}/")
        .route(("/notes", "id"))
        .route(("/", "id", methods(["get"])));
    let client = TestClient::new(actions(App::builder()).group(group).build().unwrap());

    assert_eq!(get(&client, "/api/7/notes").await, "id 7");
    assert_eq!(get(&client, "/api/8").await, "id 8");
}

#[tokio::test]
async fn a_binding_that_is_no_number_is_404_and_an_unknown_name_500() {
    async fn number(request: Request) -> Result<String> {
        Ok(request.binding::<i64>("id")?.to_string())
    }
    async fn unknown(request: Request) -> Result<String> {
        request.binding("ident")
    }
    let app = App::builder()
        .action("number", number)
        .action("unknown", unknown)
        .route(("/n/{id}", "number"))
        .route(("/u/{id}", "unknown"));
    let client = TestClient::new(app.build().unwrap());

    assert_eq!(get(&client, "/n/-7").await, "-7");
    for id in ["x", "7.0", "99999999999999999999", "%00", "0x7", "%20"] {
        assert_eq!(get(&client, &format!("/n/{id}")).await, "404", "{id}");
    }
    let response = client.get("/n/x").await;
    assert!(response.text().contains("`id` in the path is no integer"));
    assert_eq!(get(&client, "/u/7").await, "500");
}

struct Greeter;

controller!("greeter" => Greeter { greet } routes [
    ("/greet/{name}", "greet", methods(["get"])),
    ("/others", "other::one", RouteOptions::default()),
    (404, "greet"),
]);

impl Greeter {
    async fn greet(&self, request: Request) -> Result<String> {
        request.binding("name")
    }
}

#[tokio::test]
async fn a_controller_brings_its_own_routes() {
    let app = App::builder()
        .controller(Greeter)
        .action("other::one", |_| async { text("one") });
    let client = TestClient::new(app.build().unwrap());

    assert_eq!(get(&client, "/greet/ann").await, "ann");
    assert_eq!(get(&client, "/others").await, "one");
    assert_eq!(client.post("/greet/ann").await.status(), 405);
}

#[test]
fn a_controllers_own_route_that_is_another_ones_too_names_both_places() {
    let app = App::builder()
        .controller(Greeter)
        .action("other::one", |_| async { text("one") })
        .route(("/greet/{id}", "other::one"));
    let errors = app.build().unwrap_err().to_string();
    assert!(
        errors.contains("another route answers some methods of `/greet/{id}`"),
        "{errors}"
    );
    assert_eq!(errors.matches("tests/route.rs:").count(), 2, "{errors}");
}
