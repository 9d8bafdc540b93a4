//! From the first request to the last one: when plugins begin and stop.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::sync::{Arc, Mutex};

use nova_core::testing::TestClient;
use nova_core::{
    App, AppBuilder, Flow, Group, Plugin, PluginContext, Request, Result, Service, ServiceContext,
    text,
};
use tokio::net::TcpListener;
use tokio::sync::Notify;

type Log = Arc<Mutex<Vec<String>>>;

/// Writes down its life.
struct Mortal {
    name: &'static str,
    log: Log,
}

impl Mortal {
    fn new(name: &'static str, log: &Log) -> Self {
        let log = Arc::clone(log);
        Mortal { name, log }
    }

    fn write(&self, what: &str) {
        let name = self.name;
        self.log.lock().unwrap().push(format!("{name} {what}"));
    }
}

impl Plugin for Mortal {
    async fn pre_request(&self, _request: &mut Request) -> Result<Flow> {
        self.write("runs");
        Ok(Flow::Continue)
    }

    fn init(&self, context: &PluginContext) -> Result<()> {
        match self.name {
            "fails" => return Err(std::io::Error::other("no milk").into()),
            "panics" => panic!("sour milk"),
            _ => {}
        }
        let limit = context.config().server.body_limit;
        context.pubsub().broadcast("lives", "begun", self.name);
        self.write(&format!("begins, limit {limit}"));
        Ok(())
    }

    async fn stop(&self) {
        match self.name {
            "hangs" => std::future::pending().await,
            "breaks" => panic!("spilt milk"),
            _ => self.write("stops"),
        }
    }
}

/// Writes down its end.
struct Worker(Log);

impl Service for Worker {
    async fn run(&self, context: ServiceContext) -> Result<()> {
        context.stopping().wait().await;
        self.0.lock().unwrap().push("the service stops".to_owned());
        Ok(())
    }
}

async fn hello(_: Request) -> &'static str {
    "hello"
}

fn app(log: &Log, plugins: &[&'static str]) -> AppBuilder {
    let mut app = App::builder().service("worker", Worker(Arc::clone(log)));
    for name in plugins {
        app = app.plugin(name, Mortal::new(name, log));
    }
    app.global_plugins(plugins.iter().copied())
        .route(("/hello", hello))
}

fn entries(log: &Log) -> Vec<String> {
    std::mem::take(&mut log.lock().unwrap())
}

#[tokio::test]
async fn plugins_begin_in_order_before_the_first_request_and_stop_in_reverse_before_the_services() {
    let log = Log::default();
    let app = app(&log, &["first", "second"]).build().unwrap();
    let mut mailbox = app.pubsub().mailbox();
    mailbox.join("lives");
    assert!(entries(&log).is_empty(), "an app that is only built");

    let client = TestClient::new(app);
    client.get("/hello").await;
    client.get("/hello").await;
    client.stop().await;

    assert_eq!(
        entries(&log),
        [
            "first begins, limit 2097152",
            "second begins, limit 2097152",
            "first runs",
            "second runs",
            "first runs",
            "second runs",
            "second stops",
            "first stops",
            "the service stops"
        ]
    );
    assert!(mailbox.try_recv().is_some());
}

#[tokio::test]
async fn a_value_that_several_lists_have_lives_once() {
    let log = Log::default();
    let own = Group::new().plugins(["only"]).route(("/own", hello));
    let client = TestClient::new(app(&log, &["only"]).group(own).build().unwrap());
    client.stop().await;

    let lives = entries(&log);
    assert_eq!(lives[0], "only begins, limit 2097152");
    assert_eq!(lives[1..], ["only stops", "the service stops"]);
}

#[tokio::test]
async fn a_plugin_that_does_not_begin_stops_the_start_and_is_named_with_its_place() {
    for (name, why) in [("fails", "no milk"), ("panics", "it panicked: sour milk")] {
        let log = Log::default();
        let app = app(&log, &["first", name, "third"]).build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ended = app.serve(listener, std::future::pending()).await;
        let told = ended.unwrap_err().to_string();

        let place = "tests/plugin_life.rs:";
        let message = format!(": the plugin `{name}` does not start: {why}");
        assert!(told.contains(place) && told.ends_with(&message), "{told}");
        assert_eq!(
            entries(&log),
            [
                "first begins, limit 2097152",
                "first stops",
                "the service stops"
            ]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_does_not_stop_in_time_or_panics_keeps_nobody_else() {
    let log = Log::default();
    let app = app(&log, &["first", "hangs", "breaks", "last"]);
    let client = TestClient::new(app.build().unwrap());
    entries(&log);
    client.stop().await;

    assert_eq!(
        entries(&log),
        ["last stops", "first stops", "the service stops"]
    );
}

#[tokio::test]
async fn a_new_plugin_begins_before_its_routes_are_there_and_a_mistake_changes_nothing() {
    let log = Log::default();
    let app = app(&log, &["first"]).build().unwrap();
    let router = app.router().clone();
    let client = TestClient::new(app);
    entries(&log);
    let group = |name: &'static str| {
        Group::new()
            .plugin(name, Mortal::new(name, &log))
            .route(("/late", hello))
    };

    let told = router.add_routes(group("fails")).unwrap_err().to_string();
    assert!(told.contains("the plugin `fails` does not start: no milk"));
    assert_eq!(client.get("/late").await.status(), 404);
    assert_eq!(entries(&log), ["first runs"]);

    router.add_routes(group("late")).unwrap();
    assert_eq!(client.get("/late").await.text(), "hello");
    client.stop().await;
    assert_eq!(
        entries(&log),
        [
            "late begins, limit 2097152",
            "late runs",
            "late stops",
            "first stops",
            "the service stops"
        ]
    );
}

#[tokio::test]
async fn a_plugin_that_is_taken_out_stops_when_the_last_request_with_it_is_answered() {
    let log = Log::default();
    let (began, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begin, proceed) = (Arc::clone(&began), Arc::clone(&go_on));
    let slow = move |_: Request| {
        let (begin, proceed) = (Arc::clone(&begin), Arc::clone(&proceed));
        async move {
            begin.notify_one();
            proceed.notified().await;
            text("slow")
        }
    };
    let group = Group::new()
        .plugin("old", Mortal::new("old", &log))
        .route(("/slow", slow));
    let app = App::builder().group(group).build().unwrap();
    let router = app.router().clone();
    let client = TestClient::new(app);
    let answered = async {
        assert_eq!(client.get("/slow").await.text(), "slow");
    };
    let replaced = async {
        began.notified().await;
        let new = Group::new()
            .plugin("new", Mortal::new("new", &log))
            .route(("/hello", hello));
        router.replace_routes([new]).unwrap();
        assert_eq!(client.get("/hello").await.text(), "hello");
        let before = [
            "old begins, limit 2097152",
            "old runs",
            "new begins, limit 2097152",
            "new runs",
        ];
        assert_eq!(entries(&log), before);
        go_on.notify_one();
    };
    tokio::join!(answered, replaced);
    while log.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(entries(&log), ["old stops"]);
    client.stop().await;
    assert_eq!(entries(&log), ["new stops"]);
}

#[tokio::test]
async fn the_plugins_of_a_mounted_app_live_with_the_app_that_mounts_it() {
    let log = Log::default();
    let inner = Arc::clone(&log);
    let admin = move || {
        App::builder()
            .plugin("inner", Mortal::new("inner", &inner))
            .global_plugins(["inner"])
            .route(("/", hello))
    };
    let outer = Group::new().prefix("/admin").app("admin");
    let app = app(&log, &["outer"]).mount("admin", admin).group(outer);
    let client = TestClient::new(app.build().unwrap());
    assert_eq!(client.get("/admin").await.text(), "hello");
    client.stop().await;
    assert_eq!(
        entries(&log),
        [
            "outer begins, limit 2097152",
            "inner begins, limit 2097152",
            "outer runs",
            "inner runs",
            "inner stops",
            "outer stops",
            "the service stops"
        ]
    );
}
