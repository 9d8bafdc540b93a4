//! What runs before and after a controller, in which order, and what a failure does.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::HeaderValue;
use nova_core::testing::TestClient;
use nova_core::{
    Access, App, AppBuilder, CorsOptions, CorsPlugin, Environment, Error, Flow, Group, Head,
    Plugin, Request, Response, ResponseBody, Result, Security, methods, status, text,
};

/// Writes down what happens, and does as it is told.
struct Scribe {
    name: &'static str,
    log: Log,
    before: fn() -> Result<Flow>,
}

type Log = Arc<Mutex<Vec<String>>>;

impl Plugin for Scribe {
    async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
        self.log
            .lock()
            .unwrap()
            .push(format!("{} before", self.name));
        request.extensions_mut().insert(self.name);
        (self.before)()
    }

    async fn post_request(&self, head: &Head, response: &mut Response) -> Result<Flow> {
        let seen = head.extensions().get::<&'static str>().copied();
        self.log.lock().unwrap().push(format!(
            "{} after {}",
            self.name,
            response.status().as_u16()
        ));
        if let Some(last) = seen {
            response
                .headers_mut()
                .append("x-last", HeaderValue::from_static(last));
        }
        Ok(Flow::Continue)
    }
}

fn go_on() -> Result<Flow> {
    Ok(Flow::Continue)
}

fn builder(log: &Log, first: fn() -> Result<Flow>) -> AppBuilder {
    let scribe = |name, before| Scribe {
        name,
        log: Arc::clone(log),
        before,
    };
    let calls = Arc::clone(log);
    App::builder()
        .environment(Environment::Prod)
        .plugin("first", scribe("first", first))
        .plugin("second", scribe("second", go_on))
        .global_plugins(["first", "second"])
        .action("hello", move |_| {
            calls.lock().unwrap().push("controller".to_owned());
            async { text("hello") }
        })
        .route(("/hello", "hello", methods(["get"])))
}

fn entries(log: &Log) -> Vec<String> {
    std::mem::take(&mut log.lock().unwrap())
}

#[tokio::test]
async fn plugins_run_in_order_before_and_after_the_controller() {
    let log = Log::default();
    let client = TestClient::new(builder(&log, go_on).build().unwrap());
    let response = client.get("/hello").await;

    assert_eq!(response.text(), "hello");
    assert_eq!(response.header("x-last"), Some("second"));
    assert_eq!(
        entries(&log),
        [
            "first before",
            "second before",
            "controller",
            "first after 200",
            "second after 200"
        ]
    );
}

#[tokio::test]
async fn stop_answers_without_calling_the_controller() {
    let log = Log::default();
    let stop = || Ok(Flow::Stop(status(403)));
    let client = TestClient::new(builder(&log, stop).build().unwrap());

    assert_eq!(client.get("/hello").await.status(), 403);
    assert_eq!(
        entries(&log),
        ["first before", "first after 403", "second after 403"]
    );
}

#[tokio::test]
async fn an_error_is_the_answer_and_ends_the_request() {
    let log = Log::default();
    let fail = || Err(Error::new(400, "no"));
    let client = TestClient::new(builder(&log, fail).build().unwrap());
    let response = client.get("/hello").await;

    assert_eq!(response.status(), 400);
    assert!(response.text().contains("no"));
    assert_eq!(
        entries(&log),
        ["first before", "first after 400", "second after 400"]
    );
}

#[tokio::test]
async fn a_panic_is_a_500_that_tells_nothing_and_ends_the_request() {
    let log = Log::default();
    let client = TestClient::new(builder(&log, || panic!("a secret")).build().unwrap());
    let response = client.get("/hello").await;

    assert_eq!(response.status(), 500);
    assert!(!response.text().contains("secret"));
    assert_eq!(
        entries(&log),
        ["first before", "first after 500", "second after 500"]
    );
}

#[tokio::test]
async fn stop_with_nothing_to_say_is_an_empty_204() {
    let stop = || Ok(Flow::Stop(status(204)));
    let client = TestClient::new(builder(&Log::default(), stop).build().unwrap());
    let response = client.get("/hello").await;

    assert_eq!(response.status(), 204);
    assert_eq!(response.text(), "");
    assert_eq!(response.header("content-length"), None);
}

/// In Nova, a break was a 500.
#[tokio::test]
async fn break_goes_past_the_other_plugins_to_the_controller() {
    let log = Log::default();
    let client = TestClient::new(builder(&log, || Ok(Flow::Break)).build().unwrap());

    assert_eq!(client.get("/hello").await.text(), "hello");
    assert_eq!(
        entries(&log),
        [
            "first before",
            "controller",
            "first after 200",
            "second after 200"
        ]
    );
}

/// Lets nobody pass.
struct Closed;

impl Security for Closed {
    async fn check(&self, _request: &mut Request) -> Result<Access> {
        Ok(Access::denied())
    }
}

#[tokio::test]
async fn break_does_not_go_past_the_security_function() {
    let log = Log::default();
    let app = builder(&log, || Ok(Flow::Break)).security("closed", Closed);
    let closed = Group::new().security("closed").route(("/closed", "hello"));
    let client = TestClient::new(app.group(closed).build().unwrap());

    assert_eq!(client.get("/closed").await.status(), 401);
    assert!(!entries(&log).contains(&"controller".to_owned()));
}

/// In Nova, a plugin that crashed ran a second time, for the page of the error.
#[tokio::test]
async fn a_panic_runs_no_plugin_twice() {
    let log = Log::default();
    let page = Group::new().route((500, |_: Request| async { text("broken") }));
    let app = builder(&log, || panic!("a secret")).group(page);
    let client = TestClient::new(app.build().unwrap());
    let response = client.get("/hello").await;

    assert_eq!(
        (response.status().as_u16(), response.text()),
        (500, "broken")
    );
    assert_eq!(
        entries(&log),
        ["first before", "first after 500", "second after 500"]
    );
}

#[tokio::test]
async fn global_plugins_see_404_405_and_options_too() {
    let log = Log::default();
    let client = TestClient::new(builder(&log, go_on).build().unwrap());

    for (method, path, expected) in [
        ("GET", "/nothing", 404),
        ("POST", "/hello", 405),
        ("OPTIONS", "/hello", 204),
    ] {
        let response = client.request(method, path).await;
        assert_eq!(response.status(), expected);
        assert_eq!(response.header("x-last"), Some("second"));
        assert_eq!(
            entries(&log),
            [
                "first before".to_owned(),
                "second before".to_owned(),
                format!("first after {expected}"),
                format!("second after {expected}"),
            ]
        );
    }
}

#[tokio::test]
async fn a_groups_own_list_replaces_the_global_one() {
    let log = Log::default();
    let own = Group::new().plugins(["second"]).route(("/own", "hello"));
    let none = Group::new()
        .plugins(Vec::<String>::new())
        .route(("/none", "hello"));
    let app = builder(&log, go_on).group(own).group(none);
    let client = TestClient::new(app.build().unwrap());

    client.get("/own").await;
    assert_eq!(
        entries(&log),
        ["second before", "controller", "second after 200"]
    );
    client.get("/none").await;
    assert_eq!(entries(&log), ["controller"]);
}

/// Fails after the answer, in one way or the other.
struct FailsAfter(fn() -> Result<Flow>);

impl Plugin for FailsAfter {
    async fn post_request(&self, _head: &Head, _response: &mut Response) -> Result<Flow> {
        (self.0)()
    }
}

#[tokio::test]
async fn a_failure_after_the_answer_takes_its_place() {
    for (failure, expected) in [
        (
            (|| Err(Error::new(409, "late"))) as fn() -> Result<Flow>,
            409,
        ),
        (|| panic!("late"), 500),
    ] {
        let log = Log::default();
        let app = builder(&log, go_on)
            .plugin("fails", FailsAfter(failure))
            .group(
                Group::new()
                    .plugins(["fails", "second"])
                    .route(("/fails", "hello")),
            );
        let client = TestClient::new(app.build().unwrap());

        assert_eq!(client.get("/fails").await.status(), expected);
        assert!(entries(&log).contains(&format!("second after {expected}")));
    }
}

/// Ends the stage behind the controller.
struct EndsAfter(fn() -> Flow);

impl Plugin for EndsAfter {
    async fn post_request(&self, _head: &Head, response: &mut Response) -> Result<Flow> {
        let seen = HeaderValue::from_static("yes");
        response.headers_mut().insert("x-ended", seen);
        Ok((self.0)())
    }
}

#[tokio::test]
async fn behind_the_controller_break_and_stop_go_past_the_other_plugins() {
    for (flow, body, header) in [
        ((|| Flow::Break) as fn() -> Flow, "hello", Some("yes")),
        (|| Flow::Stop(text("instead")), "instead", None),
    ] {
        let log = Log::default();
        let ends = Group::new()
            .plugin("ends", EndsAfter(flow))
            .plugins(["second", "first"])
            .route(("/ends", "hello"));
        let client = TestClient::new(builder(&log, go_on).group(ends).build().unwrap());
        let response = client.get("/ends").await;

        assert_eq!(response.text(), body);
        assert_eq!(response.header("x-ended"), header);
        assert_eq!(
            entries(&log),
            ["second before", "first before", "controller"]
        );
    }
}

#[tokio::test]
async fn a_reply_that_cannot_be_rendered_behind_the_controller_is_a_500() {
    let ends = Group::new()
        .plugin("ends", EndsAfter(|| Flow::Stop(status(1000))))
        .route(("/ends", "hello"));
    let app = builder(&Log::default(), go_on).group(ends);
    let client = TestClient::new(app.build().unwrap());

    assert_eq!(client.get("/ends").await.status(), 500);
}

#[tokio::test]
async fn an_error_behind_the_controller_keeps_what_earlier_plugins_have_said() {
    let page = |_| async {
        let reply = text("hello").header("etag", "\"1\"");
        let reply = reply.header("cache-control", "max-age=60");
        reply
            .header("location", "/there")
            .header("content-language", "en")
    };
    type Fails = fn() -> Result<Flow>;
    let failing: [(Fails, u16); 2] = [
        (|| Err(Error::new(503, "behind the controller")), 503),
        (|| panic!("behind the controller"), 500),
    ];
    for (fails, status) in failing {
        let cors = CorsPlugin::new(CorsOptions {
            origins: vec!["https://app.example.com".to_owned()],
            ..CorsOptions::default()
        });
        let group = Group::new()
            .plugin("cors", cors)
            .plugins(["correlation"])
            .plugin("fails", FailsAfter(fails))
            .route(("/", page));
        let client = TestClient::new(App::builder().group(group).build().unwrap());
        let request = client.get("/").header("origin", "https://app.example.com");
        let response = request.await;

        assert_eq!(response.status(), status);
        let origin = response.header("access-control-allow-origin");
        assert_eq!(origin, Some("https://app.example.com"));
        assert!(response.header("x-correlation-id").is_some());
        let vary: Vec<_> = response.headers().get_all("vary").iter().collect();
        assert_eq!(vary, ["origin", "accept"]);
        for gone in ["etag", "location", "content-language"] {
            assert_eq!(response.header(gone), None, "{gone} is about the page");
        }
        assert_ne!(response.header("cache-control"), Some("max-age=60"));
    }
}

/// Says something of the answer that is not so, or makes it none.
struct Lies;

impl Plugin for Lies {
    async fn post_request(&self, head: &Head, response: &mut Response) -> Result<Flow> {
        match head.path() {
            "/short" => {
                let length = HeaderValue::from_static("3");
                response.headers_mut().insert("content-length", length);
            }
            _ => *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS,
        }
        Ok(Flow::Continue)
    }
}

#[tokio::test]
async fn a_plugin_cannot_break_the_connection() {
    let lies = Group::new()
        .plugins(["lies"])
        .routes([("/short", "hello"), ("/switch", "hello")]);
    let app = builder(&Log::default(), go_on)
        .plugin("lies", Lies)
        .group(lies);
    let client = TestClient::new(app.build().unwrap());

    assert_eq!(client.get("/short").await.text(), "hello");
    assert_eq!(client.get("/switch").await.status(), 500);
}

/// Puts something else in the place of every answer.
struct Replaces;

impl Plugin for Replaces {
    async fn post_request(&self, head: &Head, response: &mut Response) -> Result<Flow> {
        *response.body_mut() = ResponseBody::from(format!("replaced {}", head.path()));
        Ok(Flow::Continue)
    }
}

#[tokio::test]
async fn the_answer_can_be_changed_after_the_controller() {
    let app = builder(&Log::default(), go_on)
        .plugin("replaces", Replaces)
        .group(
            Group::new()
                .plugins(["replaces"])
                .route(("/replaced", "hello")),
        );
    let response = TestClient::new(app.build().unwrap()).get("/replaced").await;

    assert_eq!(response.text(), "replaced /replaced");
    assert_eq!(response.header("content-length"), Some("18"));
}

#[tokio::test]
async fn options_in_the_router_file_make_the_plugin() {
    #[derive(Default, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Options {
        status: u16,
    }
    struct Answers(u16);
    impl Plugin for Answers {
        async fn pre_request(&self, _request: &mut Request) -> Result<Flow> {
            Ok(Flow::Stop(status(self.0)))
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("router.toml");
    let router = r#"
        plugins = [["answers", { status = 418 }]]
        [[group]]
        routes = [["/a", "hello"]]
        [[group]]
        plugins = [["answers", { status = 451 }]]
        routes = [["/b", "hello"]]
    "#;
    std::fs::write(&file, router).unwrap();
    let made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&made);
    let app = App::builder()
        .action("hello", |_| async { text("hello") })
        .plugin_with("answers", move |options: Options| {
            counted.fetch_add(1, Ordering::Relaxed);
            Answers(options.status)
        })
        .router_file(file);
    let client = TestClient::new(app.build().unwrap());

    assert_eq!(client.get("/a").await.status(), 418);
    assert_eq!(client.get("/b").await.status(), 451);
    assert_eq!(made.load(Ordering::Relaxed), 2);
}
