//! The code of the book's page on routes.

use nova_core::testing::TestClient;
use nova_core::{
    Access, App, Environment, Group, Reply, Request, Result, Router, Security, controller, json,
    methods, redirect, text,
};

struct Token;

impl Security for Token {
    async fn check(&self, request: &mut Request) -> Result<Access> {
        Ok(match request.header("authorization") {
            Some("Bearer right") => Access::Granted,
            _ => Access::denied(),
        })
    }
}

async fn create(request: Request) -> Result<Reply> {
    // ANCHOR: path_for
    let order = 7;
    let path = request.path_for("order", &[("id", &order)])?;
    Ok(redirect(&path).with_status(303))
    // ANCHOR_END: path_for
}

async fn order(request: Request) -> Result<String> {
    request.binding("id")
}

// ANCHOR: extra
#[derive(serde::Deserialize)]
struct Section {
    folder: String,
}

async fn page(request: Request) -> Result<String> {
    let Section { folder } = request.extra()?;
    let id: u32 = request.binding("id")?;
    Ok(format!("page {id} of {folder}"))
}
// ANCHOR_END: extra

// ANCHOR: status
async fn problem(request: Request) -> Reply {
    let status = request.cause().map_or(500, |error| error.status().as_u16());
    let detail = request.cause().and_then(|error| error.detail());
    json(&serde_json::json!({ "status": status, "error": detail }))
}
// ANCHOR_END: status

// ANCHOR: controller
struct Greeter;

controller!("greeter" => Greeter { greet } routes [
    ("/greet/{name}", "greet", methods(["get"])),
]);
// ANCHOR_END: controller

impl Greeter {
    async fn greet(&self, request: Request) -> Result<String> {
        request.binding("name")
    }
}

// ANCHOR: add
/// What a shop opens when it has more to sell.
fn open_department(router: &Router, name: &str) -> Result<()> {
    let goods = format!("all of {name}");
    let department = Group::new().prefix("/departments").route((
        format!("/{name}"),
        move |_: Request| {
            let goods = goods.clone();
            async { text(goods) }
        },
        methods(["get"]),
    ));
    let changes = router.add_routes(department)?;
    tracing::info!("{changes}");
    Ok(())
}
// ANCHOR_END: add

fn app(environment: Environment) -> App {
    let app = App::builder()
        .environment(environment)
        .router_file(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/book/router.toml"
        ))
        .security("auth::token", Token)
        .action("orders::create", create)
        .action("orders::show", order)
        .action("tools", |_| async { text("tools") })
        .action("pages::show", page)
        .action("errors::not_found", |_| async { text("nothing here") })
        .action("errors::broken", |_| async { text("we are sorry") })
        .action("api_errors::problem", problem)
        .controller(Greeter);
    app.build().unwrap_or_else(|errors| panic!("{errors}"))
}

#[tokio::test]
async fn the_routes_of_the_page_answer_as_it_says() {
    let client = TestClient::new(app(Environment::Prod));
    let shop = |method, path| {
        let request = client.request(method, path);
        request.header("host", "shop.example.com")
    };

    assert_eq!(client.get("/news/3").await.text(), "page 3 of news");
    assert_eq!(client.get("/events/4").await.text(), "page 4 of events");
    assert_eq!(client.get("/greet/ann").await.text(), "ann");
    assert_eq!(client.get("/tools").await.text(), "nothing here");

    let created = shop("POST", "/api/orders")
        .header("authorization", "Bearer right")
        .json(&serde_json::json!({}))
        .await;
    assert_eq!(created.header("location"), Some("/api/orders/7"));
    let refused = shop("GET", "/api/orders/7").await;
    assert_eq!(refused.text(), r#"{"error":null,"status":401}"#);
    assert!(refused.header("x-correlation-id").is_some());
    let elsewhere = client.get("/api/orders/7").await;
    assert_eq!(elsewhere.text(), r#"{"error":null,"status":404}"#);
    let long = shop("POST", "/api/orders")
        .header("authorization", "Bearer right")
        .header("content-type", "application/json")
        .body(vec![b' '; 65_537]);
    assert_eq!(long.await.status(), 413);
}

#[tokio::test]
async fn a_department_is_open_as_soon_as_its_route_is_added() {
    let app = app(Environment::Dev);
    let router = app.router().clone();
    let client = TestClient::new(app);
    open_department(&router, "toys").unwrap();

    assert_eq!(client.get("/departments/toys").await.text(), "all of toys");
    assert_eq!(client.get("/tools").await.text(), "tools");
    assert!(open_department(&router, "toys").is_err());
}
