//! Services: they start with the app, are restarted, stop in reverse order, and can stop the app.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nova_core::pubsub::Received;
use nova_core::testing::TestClient;
use nova_core::{App, Error, Result, Service, ServiceContext};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Tells when it starts and when it stops.
struct Herald {
    name: &'static str,
    log: mpsc::UnboundedSender<String>,
}

impl Service for Herald {
    async fn run(&self, context: ServiceContext) -> Result<()> {
        let mut mailbox = context.pubsub().mailbox();
        let joined = mailbox.join("heralds");
        let _ = self.log.send(format!("{} starts {joined}", self.name));
        context.stopping().wait().await;
        let heard = context.pubsub().broadcast("still open", "bye", &1).members == 1;
        let _ = self.log.send(format!("{} stops {heard}", self.name));
        Ok(())
    }
}

#[tokio::test]
async fn services_stop_in_reverse_order_and_the_pubsub_last() {
    let (log, mut told) = mpsc::unbounded_channel();
    let herald = |name| Herald {
        name,
        log: log.clone(),
    };
    let app = App::builder()
        .service("a", herald("a"))
        .service("b", herald("b"))
        .build()
        .unwrap();
    let pubsub = app.pubsub().clone();
    let mut witness = pubsub.mailbox();
    witness.join("still open");
    let client = TestClient::new(app);
    let mut started = [told.recv().await.unwrap(), told.recv().await.unwrap()];
    started.sort();
    assert_eq!(started, ["a starts true", "b starts true"]);

    client.stop().await;

    assert_eq!(told.recv().await.unwrap(), "b stops true");
    assert_eq!(told.recv().await.unwrap(), "a stops true");
    assert!(!pubsub.mailbox().join("heralds"), "the pub/sub is closed");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_listens_ends_when_the_app_stops() {
    struct Listener(mpsc::UnboundedSender<String>);
    impl Service for Listener {
        async fn run(&self, context: ServiceContext) -> Result<()> {
            let mut mailbox = context.pubsub().mailbox();
            mailbox.join("notes");
            let _ = self.0.send("listening".to_owned());
            while let Some(received) = mailbox.recv().await {
                if let Received::Message(message) = received {
                    let _ = self.0.send(message.topic().to_owned());
                }
            }
            Ok(())
        }
    }
    let (log, mut told) = mpsc::unbounded_channel();
    let app = App::builder().service("listener", Listener(log)).build();
    let client = TestClient::new(app.unwrap());
    assert_eq!(told.recv().await.unwrap(), "listening");

    client.pubsub().broadcast("notes", "note_created", &1);
    assert_eq!(told.recv().await.unwrap(), "note_created");
    client.pubsub().broadcast("notes", "note_updated", &1);
    let before = Instant::now();
    client.stop().await;
    assert_eq!(
        before.elapsed(),
        Duration::ZERO,
        "it did not wait for a time-out"
    );
    assert_eq!(
        told.recv().await.unwrap(),
        "note_updated",
        "what has arrived is taken"
    );
}

/// Panics before there is a future.
struct AtOnce(Arc<AtomicUsize>);

impl Service for AtOnce {
    fn run(&self, _context: ServiceContext) -> impl Future<Output = Result<()>> + Send {
        assert!(self.0.fetch_add(1, Ordering::SeqCst) > 0, "the first time");
        async { Ok(()) }
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_panics_before_it_runs_starts_again_too() {
    let runs = Arc::new(AtomicUsize::new(0));
    let app = App::builder().service("at once", AtOnce(Arc::clone(&runs)));
    let client = TestClient::new(app.build().unwrap());
    tokio::time::sleep(Duration::from_secs(1)).await;

    assert_eq!(runs.load(Ordering::SeqCst), 2);
    client.stop().await;
}

/// Fails in its own way for the first so many runs.
struct Fails {
    runs: Arc<AtomicUsize>,
    failures: usize,
    how: fn() -> Result<()>,
}

impl Service for Fails {
    async fn run(&self, context: ServiceContext) -> Result<()> {
        if self.runs.fetch_add(1, Ordering::SeqCst) < self.failures {
            return (self.how)();
        }
        context.stopping().wait().await;
        Ok(())
    }
}

fn failing(failures: usize, how: fn() -> Result<()>) -> (App, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let service = Fails {
        runs: Arc::clone(&runs),
        failures,
        how,
    };
    (
        App::builder().service("fails", service).build().unwrap(),
        runs,
    )
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_or_panics_starts_again_after_growing_pauses() {
    for how in [
        (|| Err(Error::new(500, "broken"))) as fn() -> Result<()>,
        || panic!("broken"),
    ] {
        let (app, runs) = failing(3, how);
        let client = TestClient::new(app);
        let start = Instant::now();
        while runs.load(Ordering::SeqCst) < 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }

        let paused = start.elapsed();
        assert!(
            (700..800).contains(&paused.as_millis()),
            "100 + 200 + 400 ms, not {paused:?}"
        );
        client.stop().await;
        assert_eq!(runs.load(Ordering::SeqCst), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn more_than_five_restarts_in_a_minute_stop_the_app_with_the_reason() {
    let (app, runs) = failing(usize::MAX, || panic!("no more milk"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let failed = app
        .serve(listener, std::future::pending())
        .await
        .unwrap_err();

    assert_eq!(
        runs.load(Ordering::SeqCst),
        6,
        "one start and five restarts"
    );
    assert_eq!(
        failed.to_string(),
        "the service `fails` failed more than 5 times within 60 s, at last because: it panicked: \
         no more milk"
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_returns_ok_is_not_started_again() {
    let (app, runs) = failing(1, || Ok(()));
    let client = TestClient::new(app);
    tokio::time::sleep(Duration::from_secs(60)).await;

    assert_eq!(runs.load(Ordering::SeqCst), 1);
    client.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_stop_is_dropped_in_the_end() {
    struct Deaf;
    impl Service for Deaf {
        async fn run(&self, _context: ServiceContext) -> Result<()> {
            std::future::pending().await
        }
    }
    let app = App::builder().service("deaf", Deaf).build().unwrap();
    let client = TestClient::new(app);
    let start = Instant::now();
    client.stop().await;

    assert_eq!(start.elapsed().as_secs(), 15);
}

/// Takes its time to stop.
struct Slow(Duration, mpsc::UnboundedSender<&'static str>);

impl Service for Slow {
    async fn run(&self, context: ServiceContext) -> Result<()> {
        context.stopping().wait().await;
        tokio::time::sleep(self.0).await;
        let _ = self.1.send("done");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_takes_its_time_leaves_some_to_the_others() {
    let (log, mut told) = mpsc::unbounded_channel();
    let (slow, quick) = (Duration::from_secs(60), Duration::from_secs(1));
    let app = App::builder()
        .service("quick", Slow(quick, log.clone()))
        .service("slow", Slow(slow, log));
    let client = TestClient::new(app.build().unwrap());
    tokio::task::yield_now().await;
    let before = Instant::now();
    client.stop().await;

    assert_eq!(
        told.try_recv().unwrap(),
        "done",
        "the quick one had its second"
    );
    assert!(told.try_recv().is_err());
    assert_eq!(before.elapsed(), Duration::from_secs(15));
}
