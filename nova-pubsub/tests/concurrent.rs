//! What threads do to each other: each test runs in thousands of orders of its steps.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test -p nova-pubsub --test concurrent --target-dir target/shuttle`
//! builds the crate over the locks and atomics of `shuttle`, whose scheduler decides at each of them
//! which thread goes on. A failure prints the schedule that leads to it.
#![cfg(shuttle)]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::collections::BTreeSet;
use std::sync::Arc;

use nova_pubsub::{
    Change, Mailbox, MemberId, Message, Monitor, Policy, PubSub, Received, Sink, Taken, Topics,
};
use shuttle::future::block_on;
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::thread;

/// How many orders are tried by chance, and as many that change threads in three places only, which
/// finds other mistakes.
const ORDERS: usize = 2_000;

fn in_many_orders(test: impl Fn() + Send + Sync + 'static) {
    let test = Arc::new(test);
    let again = Arc::clone(&test);
    shuttle::check_random(move || test(), ORDERS);
    shuttle::check_pct(move || again(), ORDERS, 3);
}

fn numbers(mailbox: &mut Mailbox) -> Vec<u32> {
    std::iter::from_fn(|| mailbox.try_recv())
        .map(number)
        .collect()
}

fn number(received: Received) -> u32 {
    match received {
        Received::Message(message) => *message.decode().unwrap(),
        Received::Lagged(lost) => panic!("lost {lost}"),
    }
}

fn member(pubsub: &PubSub, channel: &str) -> Mailbox {
    let mut mailbox = pubsub.mailbox();
    assert!(mailbox.join(channel));
    mailbox
}

fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::spawn(work)
}

#[test]
fn all_members_see_the_same_order_and_each_sender_its_own() {
    in_many_orders(|| {
        let pubsub = PubSub::new();
        let mut members = [member(&pubsub, "notes"), member(&pubsub, "notes")];
        let senders = [0, 10].map(|first| {
            let pubsub = pubsub.new_sender();
            spawn(move || {
                for number in first..first + 3u32 {
                    pubsub.broadcast("notes", "n", &number);
                }
            })
        });
        for sender in senders {
            sender.join().unwrap();
        }

        let [one, other] = members.each_mut().map(numbers);
        assert_eq!(one, other);
        let of = |first: u32| one.iter().filter(move |&&n| n / 10 == first / 10).copied();
        assert!(of(0).eq(0..3) && of(10).eq(10..13), "{one:?}");
    });
}

#[test]
fn a_broadcast_that_returned_before_another_began_precedes_it() {
    in_many_orders(|| {
        let pubsub = PubSub::new();
        let mut mailbox = member(&pubsub, "notes");
        let returned = Arc::new(AtomicBool::new(false));
        let first = {
            let (pubsub, returned) = (pubsub.clone(), returned.clone());
            spawn(move || {
                pubsub.broadcast("notes", "n", &1u32);
                returned.store(true, Ordering::SeqCst);
            })
        };
        let second = {
            let pubsub = pubsub.clone();
            spawn(move || {
                let was_after = returned.load(Ordering::SeqCst);
                pubsub.broadcast("notes", "n", &2u32);
                was_after
            })
        };
        first.join().unwrap();
        if second.join().unwrap() {
            assert_eq!(numbers(&mut mailbox), [1, 2]);
        }
    });
}

#[test]
fn what_a_member_gets_has_no_gap_between_its_join_and_its_leave() {
    in_many_orders(|| {
        let pubsub = PubSub::new();
        let _other = member(&pubsub, "notes");
        let sender = pubsub.clone();
        let sends = spawn(move || {
            for number in 0..4u32 {
                sender.broadcast("notes", "n", &number);
            }
        });
        let mut mailbox = member(&pubsub, "notes");
        pubsub.broadcast("notes", "n", &100u32);
        mailbox.leave("notes");
        pubsub.broadcast("notes", "n", &200u32);
        sends.join().unwrap();

        let got = numbers(&mut mailbox);
        assert!(got.contains(&100) && !got.contains(&200), "{got:?}");
        let sent: Vec<_> = got.into_iter().filter(|&number| number < 100).collect();
        assert!(
            sent.windows(2).all(|pair| pair[1] == pair[0] + 1),
            "{sent:?}"
        );
    });
}

#[test]
fn no_wake_up_is_lost() {
    in_many_orders(|| {
        let pubsub = PubSub::new();
        let mut mailbox = member(&pubsub, "notes");
        let takes = spawn(move || {
            block_on(async {
                let mut got = Vec::new();
                while let Some(received) = mailbox.recv().await {
                    got.push(number(received));
                }
                got
            })
        });
        for number in 0..3u32 {
            pubsub.broadcast("notes", "n", &number);
        }
        pubsub.close();

        assert_eq!(takes.join().unwrap(), [0, 1, 2]);
    });
}

#[test]
fn a_member_that_ends_while_it_joins_is_on_no_channel() {
    in_many_orders(|| {
        let pubsub = PubSub::new();
        let mut mailbox = pubsub.mailbox_with(1, Policy::Disconnect);
        mailbox.join("notes");
        let sender = pubsub.clone();
        let sends = spawn(move || {
            sender.broadcast("notes", "n", &1u32);
            sender.broadcast("notes", "n", &2u32);
        });
        mailbox.join("others");
        sends.join().unwrap();

        assert!(pubsub.get_local_members("notes").is_empty());
        assert!(pubsub.get_local_members("others").is_empty());
        drop(mailbox);
        assert!(pubsub.inspect().channels.is_empty());
    });
}

#[test]
fn nobody_is_there_after_the_close_whoever_joins_meanwhile() {
    in_many_orders(|| {
        let pubsub = PubSub::new();
        let worker = pubsub.scoped();
        let (joining, late) = (pubsub.clone(), worker.clone());
        let joins = spawn(move || {
            let mut mailbox = joining.mailbox();
            mailbox.join("notes");
            block_on(mailbox.recv()).is_none()
        });
        let joins_late = spawn(move || {
            let mut mailbox = late.mailbox();
            let mut behind = late.sink(Arc::new(Tape::default())).member();
            mailbox.join("notes");
            behind.join("notes");
            block_on(mailbox.recv()).is_none()
        });
        worker.close();
        assert!(joins_late.join().unwrap());
        pubsub.close();
        assert!(joins.join().unwrap());

        assert!(pubsub.get_local_members("notes").is_empty());
        assert_eq!(pubsub.inspect().members, 0);
    });
}

#[test]
fn a_scope_that_is_closed_has_no_members_while_their_owners_live_on() {
    in_many_orders(|| {
        let pubsub = PubSub::new();
        let worker = pubsub.scoped();
        let late = worker.clone();
        let joins = spawn(move || {
            let mut mailbox = late.mailbox();
            let mut behind = late.sink(Arc::new(Tape::default())).member();
            mailbox.join("notes");
            behind.join("notes");
            (mailbox, behind)
        });
        worker.close();
        let _owned = joins.join().unwrap();

        assert!(pubsub.get_local_members("notes").is_empty());
    });
}

#[test]
fn a_monitor_misses_no_change_and_tells_none_twice() {
    in_many_orders(|| {
        let pubsub = PubSub::new();
        let come_and_go = [0, 1].map(|_| {
            let pubsub = pubsub.clone();
            spawn(move || {
                let mut mailbox = member(&pubsub, "notes");
                mailbox.leave("notes");
                mailbox.join("notes");
                mailbox
            })
        });
        let mut monitor = pubsub.monitor("notes");
        let mut seen = BTreeSet::from_iter(monitor.members().to_vec());
        let owned = come_and_go.map(|thread| thread.join().unwrap());
        follow(&mut monitor, &mut seen);

        assert_eq!(seen, BTreeSet::from(owned.each_ref().map(Mailbox::id)));
        drop(owned);
        follow(&mut monitor, &mut seen);
        assert_eq!(seen, BTreeSet::new());
    });
}

fn follow(monitor: &mut Monitor, seen: &mut BTreeSet<MemberId>) {
    while let Some(change) = monitor.try_recv() {
        let is_one = match change {
            Change::Joined(member) => seen.insert(member),
            Change::Left(member) => seen.remove(&member),
            other => panic!("{other:?}"),
        };
        assert!(is_one, "{change:?}");
    }
}

/// A sink that writes down what it hears.
#[derive(Default)]
struct Tape(Mutex<Vec<Heard>>);

#[derive(Debug, Clone, Copy)]
enum Heard {
    Joined(MemberId),
    Left(MemberId),
    Message(u32),
}

impl Tape {
    fn note(&self, heard: Heard) {
        self.0.lock().unwrap().push(heard);
    }
}

impl Sink for Tape {
    fn joined(&self, _: &Arc<str>, member: MemberId, _: &Topics) {
        self.note(Heard::Joined(member));
    }
    fn left(&self, _: &Arc<str>, member: MemberId) {
        self.note(Heard::Left(member));
    }
    fn message(&self, message: &Message, _: Option<MemberId>) -> Taken {
        self.note(Heard::Message(*message.decode().unwrap()));
        Taken::all()
    }
    fn sent(&self, _: MemberId, _: &Message) -> Taken {
        Taken::all()
    }
}

#[test]
fn a_sink_hears_the_same_order_as_mailboxes_and_knows_whom_each_message_is_for() {
    in_many_orders(|| {
        let pubsub = PubSub::new();
        let mut mailbox = member(&pubsub, "notes");
        let tape = Arc::new(Tape::default());
        let door = pubsub.sink(tape.clone());
        let mut stays = door.member();
        stays.join("notes");
        let comes_and_goes = spawn(move || {
            let mut member = door.member();
            member.join("notes");
            member.leave("notes");
        });
        let sends = [0, 10].map(|first| {
            let pubsub = pubsub.clone();
            spawn(move || {
                let numbers = [first, first + 1];
                numbers.map(|n: u32| (n, pubsub.broadcast("notes", "n", &n).members))
            })
        });
        let mut reports = sends.map(|sends| sends.join().unwrap()).concat();
        comes_and_goes.join().unwrap();

        let mut there = BTreeSet::new();
        let mut heard = Vec::new();
        for event in tape.0.lock().unwrap().iter().copied() {
            match event {
                Heard::Joined(member) => assert!(there.insert(member)),
                Heard::Left(member) => assert!(there.remove(&member)),
                Heard::Message(number) => heard.push((number, there.len() + 1)),
            }
        }
        let order: Vec<_> = heard.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers(&mut mailbox), order);
        heard.sort_unstable();
        reports.sort_unstable();
        assert_eq!(heard, reports, "each report counts those who were there");
    });
}

#[test]
fn losses_are_counted_once_whoever_takes_meanwhile() {
    in_many_orders(|| {
        for policy in [Policy::DropOldest, Policy::DropNewest] {
            let pubsub = PubSub::new();
            let mut mailbox = pubsub.mailbox_with(1, policy);
            mailbox.join("notes");
            let sender = pubsub.clone();
            let sends = spawn(move || {
                let report = |n: u32| sender.broadcast("notes", "n", &n).lost as u64;
                (0..3).map(report).sum::<u64>()
            });
            let mut taken = Vec::new();
            taken.extend(mailbox.try_recv());
            let reported = sends.join().unwrap();
            taken.extend(std::iter::from_fn(|| mailbox.try_recv()));

            let (mut messages, mut lost) = (0, 0);
            for received in taken {
                match received {
                    Received::Message(_) => messages += 1,
                    Received::Lagged(n) => lost += n,
                }
            }
            assert_eq!((messages + lost, lost), (3, reported), "{policy:?}");
            assert_eq!(pubsub.stats().lost, lost);
        }
    });
}
