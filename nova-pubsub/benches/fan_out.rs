//! The cost of a delivered message: a channel of mailboxes beside tokio's broadcast channel.
//!
//! `cargo bench -p nova-pubsub --bench fan_out`. Both run interleaved in one process; what counts is
//! the ratio. Each member is a task. In one pattern all wait for the message, and the next is sent when
//! all have it; in the other, 200 messages are sent as fast as can be, so that most find a queue.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nova_pubsub::{PubSub, Received};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast};

const ROUNDS: usize = 9;
const MESSAGES: usize = 200;

#[derive(Clone, Copy)]
enum Pattern {
    EachWaitedFor,
    Burst,
}

fn main() {
    println!(
        "pattern           members   workers   mailboxes ns   tokio broadcast ns   nova / tokio"
    );
    for pattern in [Pattern::EachWaitedFor, Pattern::Burst] {
        for members in [10, 100, 1_000, 10_000] {
            for workers in [0, 2] {
                compare(pattern, members, workers);
            }
        }
    }
}

fn compare(pattern: Pattern, members: usize, workers: usize) {
    let runtime = runtime(workers);
    let (mut nova, mut tokio) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        nova.push(runtime.block_on(mailboxes(pattern, members)));
        tokio.push(runtime.block_on(tokio_broadcast(pattern, members)));
    }
    let deliveries = (members * MESSAGES) as f64;
    let per_delivery = |times: &mut Vec<Duration>| {
        times.sort();
        times[ROUNDS / 2].as_nanos() as f64 / deliveries
    };
    let (nova, tokio) = (per_delivery(&mut nova), per_delivery(&mut tokio));
    let pattern = match pattern {
        Pattern::EachWaitedFor => "each waited for",
        Pattern::Burst => "burst",
    };
    println!(
        "{pattern:<17} {members:>7}   {workers:>7}   {nova:>12.0}   {tokio:>18.0}   {:>12.2}",
        nova / tokio
    );
}

/// One without workers runs all on the thread that waits for it.
fn runtime(workers: usize) -> Runtime {
    match workers {
        0 => Builder::new_current_thread().build(),
        workers => Builder::new_multi_thread().worker_threads(workers).build(),
    }
    .expect("a runtime starts")
}

/// Counts what members have got, and tells when all have.
#[derive(Clone)]
struct Tally {
    got: Arc<AtomicUsize>,
    all: Arc<Notify>,
    members: usize,
}

impl Tally {
    fn of(members: usize) -> Self {
        Tally {
            got: Arc::default(),
            all: Arc::default(),
            members,
        }
    }

    fn one_more(&self) {
        let got = self.got.fetch_add(1, Ordering::Relaxed) + 1;
        if got.is_multiple_of(self.members) {
            self.all.notify_one();
        }
    }
}

/// Sends as the pattern says, and gives how long it took until all had all.
async fn drive(pattern: Pattern, tally: Tally, mut send: impl FnMut(u64)) -> Duration {
    tally.all.notified().await; // all are there
    let sending = async move {
        let start = Instant::now();
        for number in 0..MESSAGES as u64 {
            send(number);
            if let Pattern::EachWaitedFor = pattern {
                tally.all.notified().await;
            } else if number % 2 == 1 {
                tokio::task::yield_now().await;
            }
        }
        (start, tally)
    };
    let (start, tally) = sending.await;
    while tally.got.load(Ordering::Relaxed) < tally.members * (MESSAGES + 1) {
        tally.all.notified().await;
    }
    start.elapsed()
}

/// In a task, as a broadcast usually is.
async fn in_a_task(work: impl Future<Output = Duration> + Send + 'static) -> Duration {
    tokio::spawn(work).await.expect("it does not panic")
}

async fn mailboxes(pattern: Pattern, members: usize) -> Duration {
    let pubsub = PubSub::new();
    let tally = Tally::of(members);
    for _ in 0..members {
        let mut mailbox = pubsub.mailbox();
        mailbox.join("channel");
        let tally = tally.clone();
        tokio::spawn(async move {
            tally.one_more();
            while let Some(received) = mailbox.recv().await {
                assert!(matches!(received, Received::Message(_)));
                tally.one_more();
            }
        });
    }
    let sender = pubsub.clone();
    let took = in_a_task(drive(pattern, tally, move |number| {
        sender.broadcast("channel", "topic", &number);
    }))
    .await;
    pubsub.close();
    took
}

async fn tokio_broadcast(pattern: Pattern, members: usize) -> Duration {
    let (sender, _) = broadcast::channel(1024);
    let tally = Tally::of(members);
    for _ in 0..members {
        let mut receiver = sender.subscribe();
        let tally = tally.clone();
        tokio::spawn(async move {
            tally.one_more();
            loop {
                match receiver.recv().await {
                    Ok(_) => tally.one_more(),
                    Err(RecvError::Closed) => break,
                    Err(RecvError::Lagged(lost)) => panic!("lost {lost}"),
                }
            }
        });
    }
    in_a_task(drive(pattern, tally, move |number| {
        let _ = sender.send(Arc::new(number));
    }))
    .await
}
