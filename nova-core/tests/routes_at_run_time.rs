//! Routes that are added, replaced and reloaded while the app runs: checked first, all at once.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nova_core::testing::TestClient;
use nova_core::{App, AppBuilder, Group, Request, Router, methods, text};
use tokio::sync::Notify;

fn builder() -> AppBuilder {
    App::builder()
        .action("one", |_| async { text("one") })
        .action("two", |_| async { text("two") })
}

fn client(app: AppBuilder) -> (TestClient, Router) {
    let app = app.build().unwrap_or_else(|errors| panic!("{errors}"));
    let router = app.router().clone();
    (TestClient::new(app), router)
}

async fn get(client: &TestClient, path: &str) -> String {
    let response = client.get(path).await;
    match response.status().as_u16() {
        200 => response.text().to_owned(),
        other => other.to_string(),
    }
}

fn requests(routes: &[nova_core::RouteInfo]) -> Vec<String> {
    routes.iter().map(|route| route.requests()).collect()
}

#[tokio::test]
async fn added_routes_answer_at_once() {
    let (client, router) = client(builder().route(("/a", "one")));
    let added = Group::new()
        .prefix("/b")
        .route(("/{id}", "two", methods(["get"])));
    let changes = router.add_routes(added).unwrap();

    assert_eq!(get(&client, "/b/7").await, "two");
    assert_eq!(get(&client, "/a").await, "one");
    assert_eq!(requests(&changes.added), ["GET /b/{id}"]);
    assert!(changes.removed.is_empty() && changes.changed.is_empty());
}

#[tokio::test]
async fn a_mistake_in_added_routes_is_told_and_nothing_changes() {
    let (client, router) = client(builder().route(("/a", "one")));
    let wrong = Group::new()
        .route(("/fine", "two"))
        .route(("/a", "two"))
        .route(("/b", "tow"));
    let errors = router.add_routes(wrong).unwrap_err().to_string();

    assert!(
        errors.contains("another route answers some methods of `/a` already"),
        "{errors}"
    );
    assert!(
        errors.contains("a similar name is registered: `two`"),
        "{errors}"
    );
    assert_eq!(get(&client, "/a").await, "one");
    assert_eq!(get(&client, "/fine").await, "404");
    // What was refused is not in the way of what comes later.
    router
        .add_routes(Group::new().route(("/fine", "two")))
        .unwrap();
    assert_eq!(get(&client, "/fine").await, "two");
}

#[tokio::test]
async fn the_whole_table_can_be_replaced() {
    let (client, router) = client(builder().route(("/a", "one")).route(("/b", "one")));
    let groups = [Group::new().route(("/b", "two")).route(("/c", "two"))];
    let changes = router.replace_routes(groups).unwrap();

    for (path, expected) in [("/a", "404"), ("/b", "two"), ("/c", "two")] {
        assert_eq!(get(&client, path).await, expected);
    }
    assert_eq!(requests(&changes.added), ["any /c"]);
    assert_eq!(requests(&changes.removed), ["any /a"]);
    assert_eq!(requests(&changes.changed), ["any /b"]);
    assert!(
        changes
            .to_string()
            .starts_with("1 added, 1 removed, 1 changed\n+ any /c → two")
    );
}

#[tokio::test]
async fn a_request_keeps_the_table_that_it_has_begun_with() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        move |request: Request| {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            async move {
                begun.notify_one();
                go_on.notified().await;
                request.binding::<String>("id")
            }
        }
    };
    let (client, router) = client(builder().action("slow", slow).route(("/slow/{id}", "slow")));
    let request = async { client.get("/slow/7").await.text().to_owned() };
    let replace = async {
        begun.notified().await;
        router
            .replace_routes([Group::new().route(("/a", "one"))])
            .unwrap();
        go_on.notify_one();
    };
    let (answer, ()) = tokio::join!(request, replace);

    assert_eq!(answer, "7");
    assert_eq!(get(&client, "/slow/7").await, "404");
}

#[tokio::test]
async fn a_router_file_with_a_mistake_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("router.toml");
    let write = |route: &str| fs::write(&file, format!("[[group]]\nroutes = [{route}]")).unwrap();
    write(r#"["/a", "one"]"#);
    let (client, router) = client(builder().router_file(&file));

    write(r#"["/a", "two"], ["/b", "twoo"]"#);
    let errors = router.reload().unwrap_err().to_string();
    assert!(
        errors.contains("router.toml:2:33: no action is registered as `twoo`"),
        "{errors}"
    );
    assert_eq!(get(&client, "/a").await, "one");

    write(r#"["/a", "two"]"#);
    let changes = router.reload().unwrap();
    assert_eq!(requests(&changes.changed), ["any /a"]);
    assert_eq!(get(&client, "/a").await, "two");

    fs::remove_file(&file).unwrap();
    let errors = router.reload().unwrap_err().to_string();
    assert!(errors.contains("cannot be read"), "{errors}");
    assert_eq!(get(&client, "/a").await, "two");
}

#[tokio::test]
async fn a_reload_keeps_what_code_has_added() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("router.toml");
    fs::write(&file, "[[group]]\nroutes = [[\"/a\", \"one\"]]").unwrap();
    let (client, router) = client(builder().router_file(&file));
    router
        .add_routes(Group::new().route(("/b", "two")))
        .unwrap();
    assert!(router.reload().unwrap().is_empty());
    assert_eq!(get(&client, "/b").await, "two");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_a_thousand_routes_are_reloaded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("router.toml");
    let write = |action: &str| {
        let routes: Vec<String> = (0..1_000)
            .map(|n| format!("[\"/r{n}/{{id}}\", \"{action}\", {{ methods = [\"get\"] }}]"))
            .collect();
        let text = format!("[[group]]\nroutes = [\n{}\n]", routes.join(",\n"));
        fs::write(&file, text).unwrap();
    };
    write("one");
    let (client, router) = client(builder().router_file(&file));
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let load = async {
        let mut n = 0;
        while !done.load(Ordering::Relaxed) {
            n = (n + 7) % 1_000;
            let answer = get(&client, &format!("/r{n}/x")).await;
            assert!(answer == "one" || answer == "two", "{answer}");
            answered.fetch_add(1, Ordering::Relaxed);
        }
    };
    let reloads = async {
        for action in ["two", "one", "two", "one", "two"] {
            write(action);
            let router = router.clone();
            let changes = tokio::task::spawn_blocking(move || router.reload().unwrap());
            assert_eq!(changes.await.unwrap().changed.len(), 1_000);
        }
        done.store(true, Ordering::Relaxed);
    };
    tokio::join!(load, reloads);

    assert!(answered.load(Ordering::Relaxed) > 0);
    assert_eq!(get(&client, "/r999/x").await, "two");
}
