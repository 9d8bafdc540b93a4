//! The promises about time, each measured and checked: this fails when one does not hold.
//!
//! `cargo bench -p nova-pubsub --bench promises`. The figure is the best of several rounds, as others
//! on the machine can only make it worse.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nova_pubsub::{Mailbox, Member, MemberId, Message, PubSub, Received, Sink, Taken, Topics};
use tokio::runtime::Runtime;

const MEMBERS: usize = 10_000;
const ROUNDS: usize = 20;

fn main() -> ExitCode {
    let millis = Duration::from_millis;
    let kept = [
        check(
            "10,000 mailboxes leave at once",
            millis(50),
            mailboxes_leave,
        ),
        check(
            "10,000 members of a sink leave at once",
            millis(50),
            members_leave,
        ),
        check(
            "a broadcast to 10,000 with messages waiting",
            millis(1),
            broadcast_to_backlog,
        ),
        check("a broadcast to 10,000 tasks, one worker", millis(1), || {
            broadcast_to_tasks(1)
        }),
        check(
            "a broadcast to 10,000 tasks, two workers",
            millis(1),
            || broadcast_to_tasks(2),
        ),
        check(
            "a broadcast to 10,000 behind two sinks",
            Duration::from_micros(10),
            broadcast_to_sinks,
        ),
        joins_are_constant(),
    ];
    match kept.iter().all(|kept| *kept) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn check(what: &str, promised: Duration, measure: impl Fn() -> Duration) -> bool {
    let best = (0..ROUNDS).map(|_| measure()).min().unwrap_or_default();
    let kept = best < promised;
    let verdict = if kept { "kept" } else { "BROKEN" };
    println!("{what}: {best:.2?} (promised: {promised:?}): {verdict}");
    kept
}

fn mailboxes(pubsub: &PubSub) -> Vec<Mailbox> {
    (0..MEMBERS)
        .map(|_| {
            let mut mailbox = pubsub.mailbox();
            mailbox.join("channel");
            mailbox
        })
        .collect()
}

fn mailboxes_leave() -> Duration {
    let pubsub = PubSub::new();
    let mailboxes = mailboxes(&pubsub);
    let start = Instant::now();
    drop(mailboxes);
    let took = start.elapsed();
    assert!(pubsub.get_local_members("channel").is_empty());
    took
}

fn members_leave() -> Duration {
    let pubsub = PubSub::new();
    let members = members(&pubsub, 2);
    let start = Instant::now();
    drop(members);
    let took = start.elapsed();
    assert!(pubsub.get_local_members("channel").is_empty());
    took
}

fn broadcast_to_backlog() -> Duration {
    let pubsub = PubSub::new();
    let mailboxes = mailboxes(&pubsub);
    let times = (0..50u32).map(|number| {
        let start = Instant::now();
        black_box(pubsub.broadcast("channel", "topic", &number));
        start.elapsed()
    });
    let median = median(times.collect());
    drop(mailboxes);
    median
}

/// All of them wait, so each has to be woken.
fn broadcast_to_tasks(workers: usize) -> Duration {
    let runtime: Runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .build()
        .expect("a runtime starts");
    let pubsub = PubSub::new();
    let got = Arc::new(tokio::sync::Semaphore::new(0));
    for mut mailbox in mailboxes(&pubsub) {
        let got = Arc::clone(&got);
        runtime.spawn(async move {
            got.add_permits(1);
            while let Some(Received::Message(_)) = mailbox.recv().await {
                got.add_permits(1);
            }
        });
    }
    let all = || async {
        let permits = got.acquire_many(MEMBERS as u32).await;
        permits.expect("nobody closes it").forget();
        // The last to tell may not wait yet.
        tokio::task::yield_now().await;
    };
    runtime.block_on(async {
        let sender = pubsub.new_sender();
        all().await;
        let mut times = Vec::new();
        for number in 0..50u32 {
            let sender = sender.clone();
            let broadcast = tokio::spawn(async move {
                let start = Instant::now();
                black_box(sender.broadcast("channel", "topic", &number));
                start.elapsed()
            });
            times.push(broadcast.await.expect("it does not panic"));
            all().await;
        }
        median(times)
    })
}

struct Nothing;

impl Sink for Nothing {
    fn joined(&self, _: &Arc<str>, _: MemberId, _: &Topics) {}
    fn left(&self, _: &Arc<str>, _: MemberId) {}
    fn message(&self, message: &Message, _: Option<MemberId>) -> Taken {
        black_box(message.clone());
        Taken::all()
    }
    fn sent(&self, _: MemberId, _: &Message) -> Taken {
        Taken::all()
    }
}

fn members(pubsub: &PubSub, sinks: usize) -> Vec<Member> {
    let doors: Vec<_> = (0..sinks).map(|_| pubsub.sink(Arc::new(Nothing))).collect();
    (0..MEMBERS)
        .map(|number| {
            let mut member = doors[number % sinks].member();
            member.join("channel");
            member
        })
        .collect()
}

fn broadcast_to_sinks() -> Duration {
    let pubsub = PubSub::new();
    let members = members(&pubsub, 2);
    let times = (0..50u32).map(|number| {
        let start = Instant::now();
        black_box(pubsub.broadcast("channel", "topic", &number));
        start.elapsed()
    });
    let median = median(times.collect());
    drop(members);
    median
}

/// Joins and leaves cost on a channel of 100,000 what they cost on one of 1,000, but for what the
/// processor's caches make of it.
fn joins_are_constant() -> bool {
    let cost = |members: usize| {
        let pubsub = PubSub::new();
        let mut there: Vec<_> = (0..members).map(|_| pubsub.mailbox()).collect();
        there.iter_mut().for_each(|mailbox| {
            mailbox.join("channel");
        });
        let mut guests: Vec<_> = (0..1000).map(|_| pubsub.mailbox()).collect();
        let times = (0..ROUNDS).map(|_| {
            let start = Instant::now();
            for guest in &mut guests {
                guest.join("channel");
            }
            for guest in &mut guests {
                guest.leave("channel");
            }
            start.elapsed() / 2000
        });
        times.min().unwrap_or_default()
    };
    let (small, large) = (cost(1_000), cost(100_000));
    let kept = large < small * 5;
    let verdict = if kept { "kept" } else { "BROKEN" };
    println!("a join or leave: {small:?} among 1,000, {large:?} among 100,000: {verdict}");
    kept
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
