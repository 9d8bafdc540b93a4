use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use nova_core::testing::TestClient;
use nova_core::{Access, App, Flow, Plugin, Reply, Request, Result, Security};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::{assert_wrong, router};

/// Takes its time where the query says so.
struct Slow;

async fn wait_in(place: &str, request: &Request) {
    if request.uri().query() == Some(place) {
        sleep(Duration::from_secs(60)).await;
    }
}

impl Plugin for Slow {
    async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
        wait_in("plugin", request).await;
        Ok(Flow::Continue)
    }
}

impl Security for Slow {
    async fn check(&self, request: &mut Request) -> Result<Access> {
        wait_in("security", request).await;
        Ok(Access::Granted)
    }
}

async fn hello(request: Request) -> &'static str {
    wait_in("controller", &request).await;
    "hello"
}

async fn flow(_: Request) -> Reply {
    nova_core::stream(stream::unfold(0, |sent| async move {
        sleep(Duration::from_secs(20)).await;
        (sent < 3).then_some((Ok::<_, nova_core::Error>("piece "), sent + 1))
    }))
}

fn client(plugins: &str) -> TestClient {
    let app = App::builder()
        .plugin("slow", Slow)
        .security("slow", Slow)
        .action("hello", hello)
        .action("flow", flow);
    let router = router(plugins, r#"["/", "hello"], ["/flow", "flow"]"#);
    super::client(app, &format!("{router}security = \"slow\"\n"))
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_a_503() {
    let client = client(r#"["timeout", { after = "10s" }], "slow""#);
    for place in ["plugin", "security", "controller"] {
        let before = Instant::now();
        let response = client.get(&format!("/?{place}")).await;
        assert_eq!(response.status(), 503, "{place}");
        assert_eq!(before.elapsed().as_secs(), 10, "{place}");
    }
    assert_eq!(client.get("/").await.text(), "hello");
}

#[tokio::test(start_paused = true)]
async fn without_the_plugin_before_it_nothing_is_late() {
    let client = client(r#""slow", ["timeout", { after = "10s" }]"#);
    assert_eq!(client.get("/?plugin").await.status(), 200);
    assert_eq!(client.get("/?controller").await.status(), 503);
}

#[tokio::test(start_paused = true)]
async fn of_several_the_one_that_is_due_first_counts() {
    for plugins in [
        r#"["timeout", { after = 5 }], ["timeout", { after = 50 }], "slow""#,
        r#"["timeout", { after = 50 }], ["timeout", { after = 5 }], "slow""#,
    ] {
        let client = client(plugins);
        let before = Instant::now();
        assert_eq!(client.get("/?controller").await.status(), 503);
        assert_eq!(before.elapsed().as_secs(), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_has_begun_is_not_cut() {
    let client = client(r#"["timeout", { after = 10 }], "slow""#);
    let before = Instant::now();
    assert_eq!(client.get("/flow").await.text(), "piece piece piece ");
    assert!(before.elapsed().as_secs() >= 60);
}

#[tokio::test(start_paused = true)]
async fn what_was_left_to_be_completed_goes_on() {
    let done = Arc::new(Notify::new());
    let notify = Arc::clone(&done);
    let app = App::builder().action("complete", move |request: Request| {
        let notify = Arc::clone(&notify);
        async move {
            let work = request.complete(async move {
                sleep(Duration::from_secs(60)).await;
                notify.notify_one();
                Ok(())
            });
            work.await
        }
    });
    let router = router(r#"["timeout", { after = 10 }]"#, r#"["/", "complete"]"#);
    let client = super::client(app, &router);
    assert_eq!(client.get("/").await.status(), 503);
    done.notified().await;
}

#[test]
fn no_time_at_all_is_a_mistake() {
    let message = "`after` is wrong: it should be longer than nothing";
    assert_wrong(r#"["timeout", { after = 0 }]"#, message);
}
