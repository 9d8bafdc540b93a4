//! What a group of routes says for all of them: host, environment, plugins, limits; and what an
//! option says for one.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::testing::TestClient;
use nova_core::{
    App, AppBuilder, Environment, Flow, Group, Plugin, Request, Result, RouteOptions, methods, text,
};
use serde::Deserialize;

/// Notes its name, so that an action can tell which plugins ran.
struct Mark(&'static str);

#[derive(Clone, Default)]
struct Marks(Vec<&'static str>);

impl Plugin for Mark {
    async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
        let mut marks = request
            .extensions()
            .get::<Marks>()
            .cloned()
            .unwrap_or_default();
        marks.0.push(self.0);
        request.extensions_mut().insert(marks);
        Ok(Flow::Continue)
    }
}

fn builder() -> AppBuilder {
    App::builder()
        .action("marks", |request: Request| async move {
            let marks = request.extensions().get::<Marks>().cloned();
            marks.unwrap_or_default().0.join(" ")
        })
        .action("one", |_| async { text("one") })
        .action("two", |_| async { text("two") })
        .action("folder", |request: Request| async move {
            #[derive(Deserialize)]
            struct Extra {
                folder: String,
                depth: u8,
            }
            let extra: Extra = request.extra()?;
            Ok::<_, nova_core::Error>(format!("{} {}", extra.folder, extra.depth))
        })
}

/// The app with this `router.toml`, in this environment.
fn client_in(environment: Environment, router: &str) -> TestClient {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("router.toml");
    std::fs::write(&file, router).unwrap();
    let mut app = builder().environment(environment).router_file(file);
    for name in ["a", "b"] {
        if router.contains(&format!("{name:?}")) {
            app = app.plugin(name, Mark(name));
        }
    }
    TestClient::new(app.build().unwrap_or_else(|errors| panic!("{errors}")))
}

fn client(router: &str) -> TestClient {
    client_in(Environment::Dev, router)
}

async fn get(client: &TestClient, host: &str, path: &str) -> String {
    let response = client.get(path).header("host", host).await;
    match response.status().as_u16() {
        200 => response.text().to_owned(),
        other => other.to_string(),
    }
}

const HOSTS: &str = r#"
[[group]]
routes = [["/", "one"], ["/shared", "one", { methods = ["get"] }], ["/{id}/x", "one"], ["/m", "one"], [404, "one"]]
[[group]]
host = "api.Example.com"
routes = [["/", "two", { methods = ["get"] }], ["/own", "two"], ["/y/x", "two"], ["/m", "two", { methods = ["get"] }], [404, "two"]]
[[group]]
host = "*.example.com"
routes = [["/", "marks"], ["/below", "marks"]]
"#;

#[tokio::test]
async fn the_routes_of_a_host_come_before_equal_ones_of_no_host() {
    let client = client(HOSTS);
    for (host, path, expected) in [
        ("api.example.com", "/", "two"),
        ("API.example.com:8080", "/", "two"),
        ("elsewhere.org", "/", "one"),
        ("www.example.com", "/", ""),
        ("example.com", "/", "one"),
        // Where a host names a group, its requests still see all other routes.
        ("api.example.com", "/shared", "one"),
        ("api.example.com", "/below", ""),
        ("api.example.com", "/z/x", "one"),
        ("api.example.com", "/y/x", "two"),
        ("www.example.com", "/y/x", "one"),
    ] {
        assert_eq!(get(&client, host, path).await, expected, "{host}{path}");
    }
    for (host, expected) in [("api.example.com", "two"), ("elsewhere.org", "one")] {
        let response = client.get("/none").header("host", host).await;
        assert_eq!(
            (response.status().as_u16(), response.text()),
            (404, expected)
        );
    }
    assert_eq!(get(&client, "elsewhere.org", "/own").await, "404");
}

#[tokio::test]
async fn the_target_of_a_request_names_its_host_before_the_header_does() {
    let client = client(HOSTS);
    let target = "http://api.example.com/own";
    assert_eq!(get(&client, "elsewhere.org", target).await, "two");
}

#[tokio::test]
async fn a_method_that_a_host_lacks_is_answered_by_the_route_of_no_host() {
    let client = client(HOSTS);
    let response = client.post("/m").header("host", "api.example.com").await;
    assert_eq!(response.text(), "one");
    assert_eq!(get(&client, "api.example.com", "/m").await, "two");
}

#[tokio::test]
async fn a_group_has_its_routes_in_its_environments_only() {
    let router = r#"
[[group]]
env = "dev"
routes = [["/tools", "one"]]
[[group]]
env = ["prod", "dev"]
routes = [["/both", "one"]]
[[group]]
env = "prod"
routes = [["/tools", "two"]]
"#;
    let tools = async |environment| get(&client_in(environment, router), "x", "/tools").await;
    assert_eq!(tools(Environment::Dev).await, "one");
    assert_eq!(tools(Environment::Prod).await, "two");
    assert_eq!(get(&client(router), "x", "/both").await, "one");
}

#[tokio::test]
async fn plugins_add_runs_behind_the_global_list_and_plugins_in_place_of_it() {
    let client = client(
        r#"
plugins = ["a"]
[[group]]
routes = [["/global", "marks"]]
[[group]]
plugins_add = ["b"]
routes = [["/added", "marks"]]
[[group]]
plugins = ["b"]
routes = [["/own", "marks"]]
"#,
    );
    assert_eq!(get(&client, "x", "/global").await, "a");
    assert_eq!(get(&client, "x", "/added").await, "a b");
    assert_eq!(get(&client, "x", "/own").await, "b");
}

#[tokio::test]
async fn extra_is_data_for_the_controller() {
    let client = client(
        r#"
[[group]]
routes = [
    ["/news", "folder", { extra = { folder = "news", depth = 2 } }],
    ["/none", "folder"],
    ["/wrong", "folder", { extra = "news" }],
]
"#,
    );
    assert_eq!(get(&client, "x", "/news").await, "news 2");
    assert_eq!(get(&client, "x", "/none").await, "500");
    assert_eq!(get(&client, "x", "/wrong").await, "500");
}

#[tokio::test]
async fn a_group_in_rust_says_the_same_as_one_in_the_file() {
    #[derive(serde::Serialize)]
    struct Extra {
        folder: &'static str,
        depth: u8,
    }
    let extra = Extra {
        folder: "events",
        depth: 1,
    };
    let app = builder()
        .environment(Environment::Prod)
        .plugin("a", Mark("a"))
        .plugin("b", Mark("b"))
        .global_plugins(["a"])
        .group(
            Group::new()
                .host("api.example.com")
                .plugins_add(["b"])
                .route(("/", "marks"))
                .route(("/extra", "folder", RouteOptions::default().extra(&extra)))
                .route((404, "two")),
        )
        .group(
            Group::new()
                .environments([Environment::Dev])
                .route(("/tools", "one")),
        )
        .group(
            Group::new()
                .body_limit(4)
                .route(("/body", body, methods(["post"]))),
        );
    let client = TestClient::new(app.build().unwrap());

    assert_eq!(get(&client, "api.example.com", "/").await, "a b");
    assert_eq!(get(&client, "api.example.com", "/extra").await, "events 1");
    assert_eq!(get(&client, "x", "/extra").await, "404");
    assert_eq!(get(&client, "x", "/tools").await, "404");
    let nothing = client.get("/z").header("host", "api.example.com").await;
    assert_eq!((nothing.status().as_u16(), nothing.text()), (404, "two"));
    assert_eq!(client.post("/body").body("1234").await.status(), 200);
    assert_eq!(client.post("/body").body("12345").await.status(), 413);
}

async fn body(mut request: Request) -> Result<String> {
    Ok(request.body().await?.len().to_string())
}

#[tokio::test]
async fn the_limits_of_a_group_take_the_place_of_the_apps() {
    let app = |limits: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("router.toml");
        let router = format!("[[group]]\n{limits}\nroutes = [[\"/\", \"body\"]]");
        std::fs::write(&file, router).unwrap();
        let app = builder().action("body", body).router_file(file);
        TestClient::new(app.build().unwrap())
    };
    let more = vec![b'x'; 2 * 1024 * 1024 + 1];
    assert_eq!(app("").post("/").body(more.clone()).await.status(), 413);
    let wider = app("limits = { body_limit = 3_000_000 }");
    assert_eq!(wider.post("/").body(more).await.status(), 200);
    let narrower = app("limits = { body_limit = 10 }");
    assert_eq!(narrower.post("/").body("0123456789").await.status(), 200);
    assert_eq!(narrower.post("/").body("0123456789a").await.status(), 413);
}
