//! `/health/live` and `/health/ready`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use nova_core::testing::{TestClient, TestResponse};
use nova_core::{
    App, AppBuilder, Environment, Error, Flow, Group, Plugin, Request, Result, Service,
    ServiceContext,
};
use serde_json::{Value, json};

use super::{Folder, ask, connect};

const ON: &str = "[server]\nhealth = true\nlisten = '127.0.0.1:0'\n";

fn builder(folder: &Folder) -> AppBuilder {
    App::builder().config_file(folder.path().join("nova.toml"))
}

fn told(answer: &TestResponse) -> (u16, Value) {
    let body = serde_json::from_str(answer.text()).unwrap();
    (answer.status().as_u16(), body)
}

#[tokio::test]
async fn an_app_that_is_well_is_live_and_ready() {
    let folder = Folder::new(ON);
    let client = TestClient::new(builder(&folder).build().unwrap());

    let live = client.get("/health/live").await;
    assert_eq!(told(&live), (200, json!({ "status": "live" })));
    assert_eq!(live.header("content-type"), Some("application/json"));
    assert_eq!(live.header("cache-control"), Some("no-store"));
    let ready = client.get("/health/ready").await;
    assert_eq!(told(&ready), (200, json!({ "status": "ready" })));
    let head = client.request("HEAD", "/health/ready").await;
    assert_eq!((head.status().as_u16(), head.text()), (200, ""));
    assert_eq!(client.post("/health/ready").await.status(), 405);
    assert_eq!(client.get("/health/other").await.status(), 404);
}

#[tokio::test]
async fn without_the_setting_nobody_answers() {
    let client = TestClient::new(App::builder().build().unwrap());
    assert_eq!(client.get("/health/live").await.status(), 404);
    assert_eq!(client.get("/health/ready").await.status(), 404);
}

struct Deny;

impl Plugin for Deny {
    async fn pre_request(&self, _request: &mut Request) -> Result<Flow> {
        Ok(Flow::Stop(nova_core::status(403)))
    }
}

#[tokio::test]
async fn plugins_are_not_asked() {
    let folder = Folder::new(ON);
    let app = builder(&folder)
        .plugin("deny", Deny)
        .global_plugins(["deny"])
        .build()
        .unwrap();
    let client = TestClient::new(app);
    assert_eq!(client.get("/health/live").await.status(), 200);
    assert_eq!(client.get("/other").await.status(), 403);
}

#[tokio::test(start_paused = true)]
async fn what_fails_panics_or_hangs_is_not_ready() {
    let folder = Folder::new(ON);
    let app = builder(&folder)
        .ready("fine", || async { Ok(()) })
        .ready("failing", || async {
            Err(Error::new(503, "no route to 10.0.0.7"))
        })
        .ready("panicking", || async { panic!("no more milk") })
        .ready("hanging", std::future::pending::<Result<()>>);
    let app = app.environment(Environment::Dev).build().unwrap();
    let client = TestClient::new(app);

    let (status, body) = told(&client.get("/health/ready").await);

    assert_eq!((status, &body["status"]), (503, &json!("not ready")));
    let check = |name, detail| json!({ "kind": "check", "name": name, "detail": detail });
    let reasons = [
        check("failing", "no route to 10.0.0.7"),
        check("panicking", "it panicked: no more milk"),
        check("hanging", "it has taken longer than 1s"),
    ];
    assert_eq!(body["reasons"], json!(reasons));
    assert_eq!(client.get("/health/live").await.status(), 200);
}

#[tokio::test]
async fn in_prod_the_client_does_not_learn_why() {
    let folder = Folder::new(ON);
    let app = builder(&folder)
        .environment(Environment::Prod)
        .ready("database", || async {
            Err(Error::new(503, "no route to 10.0.0.7"))
        })
        .build()
        .unwrap();
    let answer = TestClient::new(app).get("/health/ready").await;

    let reasons = json!([{ "kind": "check", "name": "database" }]);
    assert_eq!(told(&answer).1["reasons"], reasons);
}

#[tokio::test(start_paused = true)]
async fn checks_run_once_a_second_however_many_ask() {
    let folder = Folder::new(ON);
    let runs = Arc::new(AtomicUsize::new(0));
    let is_well = Arc::new(AtomicBool::new(false));
    let (counted, well) = (Arc::clone(&runs), Arc::clone(&is_well));
    let app = builder(&folder).ready("counted", move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let is_well = well.load(Ordering::SeqCst);
        async move { is_well.then_some(()).ok_or_else(|| Error::new(503, "no")) }
    });
    let client = TestClient::new(app.build().unwrap());

    let ask = || async { client.get("/health/ready").await.status().as_u16() };
    let first = tokio::join!(ask(), ask(), ask());
    assert_eq!((first, runs.load(Ordering::SeqCst)), ((503, 503, 503), 1));
    is_well.store(true, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!((ask().await, runs.load(Ordering::SeqCst)), (200, 2));
}

/// Fails at once, until it is well.
struct Failing(Arc<AtomicBool>);

impl Service for Failing {
    async fn run(&self, context: ServiceContext) -> Result<()> {
        if !self.0.load(Ordering::SeqCst) {
            return Err(Error::new(503, "not yet"));
        }
        context.stopping().wait().await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_waits_to_start_again_is_told_until_it_has() {
    let folder = Folder::new(ON);
    let is_well = Arc::new(AtomicBool::new(false));
    let app = builder(&folder).service("indexer", Failing(Arc::clone(&is_well)));
    let client = TestClient::new(app.build().unwrap());

    tokio::time::sleep(Duration::from_millis(50)).await;
    let (status, body) = told(&client.get("/health/ready").await);
    let reasons = json!([{ "kind": "service", "name": "indexer" }]);
    assert_eq!((status, &body["reasons"]), (503, &reasons));
    is_well.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(client.get("/health/ready").await.status(), 200);
}

#[tokio::test]
async fn a_check_of_a_mounted_app_has_its_name_and_no_two_have_the_same() {
    let folder = Folder::new(ON);
    let inner = || App::builder().ready("database", || async { Err(Error::new(503, "no")) });
    let app = builder(&folder)
        .mount("admin", inner)
        .group(Group::new().prefix("/admin").app("admin"))
        .build()
        .unwrap();
    let answer = TestClient::new(app).get("/health/ready").await;
    assert_eq!(told(&answer).1["reasons"][0]["name"], "admin::database");

    let twice = builder(&folder)
        .ready("database", || async { Ok(()) })
        .ready("database", || async { Ok(()) });
    let told = twice.build().unwrap_err().to_string();
    assert!(
        told.contains("health.rs:") && told.contains("`database`"),
        "{told}"
    );
}

#[tokio::test]
async fn a_stop_is_told_before_nobody_can_connect_any_more() {
    let folder = Folder::new(&format!("{ON}shutdown_delay = '1h'\n"));
    let served = folder.serve().await;
    let url = served.urls[0].clone();
    let ready = ask(connect(&url).await, "/health/ready", "").await;
    assert!(ready.starts_with("HTTP/1.1 200 OK\r\n"), "{ready}");

    served.stop.send(()).unwrap();
    // The stop is on its way to the server's task.
    let ready = loop {
        let ready = ask(connect(&url).await, "/health/ready", "").await;
        if !ready.starts_with("HTTP/1.1 200 ") {
            break ready;
        }
    };
    assert!(ready.starts_with("HTTP/1.1 503 "), "{ready}");
    let expected = r#"{"status":"not ready","reasons":[{"kind":"stopping"}]}"#;
    assert!(ready.ends_with(expected), "{ready}");
    let answer = ask(connect(&url).await, "/", "").await;
    assert!(answer.ends_with("hello"), "{answer}");
    let live = ask(connect(&url).await, "/health/live", "").await;
    assert!(live.starts_with("HTTP/1.1 200 OK\r\n"), "{live}");

    tokio::time::pause(); // an hour is over as soon as nothing else is to do
    served.ended.await.unwrap().unwrap();
    let address = url.strip_prefix("http://").unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
