//! The cost of a delivered message: a channel of mailboxes beside tokio's broadcast channel.
//!
//! `cargo bench -p nova-pubsub --bench fan_out`. Both run interleaved in one process; what counts
//! is the ratio. Half of the messages are taken by tasks that wait for them, as members do.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::{Duration, Instant};

use nova_pubsub::{PubSub, Received};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

const ROUNDS: usize = 9;
const MESSAGES: usize = 200;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime starts");
    println!("members   mailboxes ns   tokio broadcast ns   ratio (nova / tokio)");
    for members in [10, 100, 1_000, 10_000] {
        let (mut nova, mut tokio) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            nova.push(runtime.block_on(mailboxes(members)));
            tokio.push(runtime.block_on(tokio_broadcast(members)));
        }
        let deliveries = (members * MESSAGES) as f64;
        let per_delivery = |times: &mut Vec<Duration>| {
            times.sort();
            times[ROUNDS / 2].as_nanos() as f64 / deliveries
        };
        let (nova, tokio) = (per_delivery(&mut nova), per_delivery(&mut tokio));
        println!(
            "{members:>7}   {nova:>12.0}   {tokio:>18.0}   {:.2}",
            nova / tokio
        );
    }
}

async fn mailboxes(members: usize) -> Duration {
    let pubsub = PubSub::new();
    let tasks: Vec<_> = (0..members)
        .map(|_| {
            let mut mailbox = pubsub.mailbox();
            mailbox.join("channel");
            tokio::spawn(async move {
                let mut got = 0;
                while let Some(Received::Message(_)) = mailbox.recv().await {
                    got += 1;
                }
                got
            })
        })
        .collect();
    tokio::task::yield_now().await;
    let start = Instant::now();
    for number in 0..MESSAGES as u64 {
        pubsub.broadcast("channel", "topic", &number);
        if number % 2 == 1 {
            tokio::task::yield_now().await;
        }
    }
    pubsub.close();
    for task in tasks {
        assert_eq!(task.await.expect("a member does not panic"), MESSAGES);
    }
    start.elapsed()
}

async fn tokio_broadcast(members: usize) -> Duration {
    let (sender, _) = broadcast::channel(1024);
    let tasks: Vec<_> = (0..members)
        .map(|_| {
            let mut receiver = sender.subscribe();
            tokio::spawn(async move {
                let mut got = 0;
                loop {
                    match receiver.recv().await {
                        Ok(_) => got += 1,
                        Err(RecvError::Closed) => break got,
                        Err(RecvError::Lagged(_)) => {}
                    }
                }
            })
        })
        .collect();
    tokio::task::yield_now().await;
    let start = Instant::now();
    for number in 0..MESSAGES as u64 {
        let _ = sender.send(std::sync::Arc::new(number));
        if number % 2 == 1 {
            tokio::task::yield_now().await;
        }
    }
    drop(sender);
    for task in tasks {
        assert_eq!(task.await.expect("a member does not panic"), MESSAGES);
    }
    start.elapsed()
}
