//! Who is on a channel, from when, and until when.

use std::sync::Arc;
use std::task::{Context, Wake};
use std::time::Instant;

use nova_pubsub::{Mailbox, PubSub, Received};

fn topics(mailbox: &mut Mailbox) -> Vec<String> {
    std::iter::from_fn(|| mailbox.try_recv())
        .map(|received| match received {
            Received::Message(message) => message.topic().to_owned(),
            Received::Lagged(lost) => format!("lost {lost}"),
        })
        .collect()
}

#[test]
fn an_unknown_channel_has_no_members_and_takes_any_broadcast() {
    let pubsub = PubSub::new();

    assert!(pubsub.get_local_members("nobody").is_empty());
    assert_eq!(pubsub.broadcast("nobody", "hello", &1).members, 0);
    assert_eq!(pubsub.stats().broadcasts, 0);
}

#[test]
fn a_broadcast_after_join_has_returned_arrives() {
    let pubsub = PubSub::new();
    let mut mailbox = pubsub.mailbox();
    pubsub.broadcast("notes", "before", &1);
    assert!(mailbox.join("notes"));
    pubsub.broadcast("notes", "after", &1);

    assert_eq!(topics(&mut mailbox), ["after"]);
}

#[test]
fn joining_twice_is_one_membership() {
    let pubsub = PubSub::new();
    let mut mailbox = pubsub.mailbox();
    assert!(mailbox.join("notes"));
    assert!(!mailbox.join("notes"));
    pubsub.broadcast("notes", "once", &1);

    assert_eq!(topics(&mut mailbox), ["once"]);
    assert_eq!(pubsub.get_local_members("notes"), [mailbox.id()]);
    assert!(mailbox.leave("notes"));
    assert!(pubsub.get_local_members("notes").is_empty());
}

#[test]
fn leaving_says_whether_it_was_a_member_and_keeps_what_arrived() {
    let pubsub = PubSub::new();
    let mut mailbox = pubsub.mailbox();
    assert!(!mailbox.leave("notes"));
    mailbox.join("notes");
    pubsub.broadcast("notes", "kept", &1);
    assert!(mailbox.leave("notes"));
    pubsub.broadcast("notes", "missed", &1);

    assert_eq!(topics(&mut mailbox), ["kept"]);
}

#[test]
fn members_that_leave_in_any_order_take_nobody_with_them() {
    let pubsub = PubSub::new();
    let mut mailboxes: Vec<_> = (0..5).map(|_| pubsub.mailbox()).collect();
    for mailbox in &mut mailboxes {
        mailbox.join("notes");
    }
    mailboxes.remove(0);
    mailboxes.remove(1);
    mailboxes[2].leave("notes");

    assert_eq!(pubsub.broadcast("notes", "left", &1).members, 2);
    assert_eq!(topics(&mut mailboxes[0]), ["left"]);
    assert_eq!(topics(&mut mailboxes[1]), ["left"]);
    assert!(topics(&mut mailboxes[2]).is_empty());
}

#[tokio::test]
async fn a_member_is_gone_with_its_mailbox() {
    let pubsub = PubSub::new();
    let mut dropped = pubsub.mailbox();
    dropped.join("a");
    dropped.join("b");
    drop(dropped);
    let mut panicking = pubsub.mailbox();
    panicking.join("a");
    let panicked = tokio::spawn(async move {
        let _mailbox = panicking;
        panic!("the member panics");
    });
    assert!(panicked.await.is_err());

    assert!(pubsub.get_local_members("a").is_empty());
    let members = pubsub.get_members("b").await;
    assert!(members.ids.is_empty());
    assert!(members.complete);
}

#[tokio::test]
async fn close_ends_every_mailbox_after_what_had_arrived() {
    let pubsub = PubSub::new();
    let mut mailbox = pubsub.mailbox();
    mailbox.join("notes");
    pubsub.broadcast("notes", "last", &1);
    let waiting = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(Received::Message(message)) = mailbox.recv().await {
            seen.push(message.topic().to_owned());
        }
        seen
    });
    tokio::task::yield_now().await; // it has taken `last` and waits
    pubsub.close();

    assert_eq!(waiting.await.unwrap(), ["last"]);
    assert!(!pubsub.mailbox().join("notes"));
    assert_eq!(pubsub.broadcast("notes", "late", &1).members, 0);
}

#[tokio::test]
async fn close_ends_a_mailbox_that_is_on_no_channel() {
    let pubsub = PubSub::new();
    let mut mailbox = pubsub.mailbox();
    let waiting = tokio::spawn(async move { mailbox.recv().await.is_none() });
    tokio::task::yield_now().await; // it waits
    pubsub.close();

    assert!(waiting.await.unwrap());
    assert!(pubsub.mailbox().recv().await.is_none());
}

#[test]
fn a_waker_may_use_the_channel_that_wakes_it() {
    struct Asks(PubSub);
    impl Wake for Asks {
        fn wake(self: Arc<Self>) {
            assert_eq!(self.0.get_local_members("notes").len(), 1);
        }
    }
    let pubsub = PubSub::new();
    let mut mailbox = pubsub.mailbox();
    mailbox.join("notes");
    let waker = Arc::new(Asks(pubsub.clone())).into();
    assert!(
        mailbox
            .poll_recv(&mut Context::from_waker(&waker))
            .is_pending()
    );

    assert_eq!(pubsub.broadcast("notes", "topic", &1).members, 1);
}

#[test]
fn two_nodes_share_nothing() {
    let (one, other) = (PubSub::new(), PubSub::new());
    let mut mailbox = one.mailbox();
    mailbox.join("notes");
    other.broadcast("notes", "elsewhere", &1);

    assert!(topics(&mut mailbox).is_empty());
    assert_ne!(one.node(), other.node());
}

#[tokio::test]
async fn a_scope_ends_its_own_mailboxes_and_no_others() {
    let pubsub = PubSub::new();
    let worker = pubsub.scoped();
    let mut own = worker.mailbox();
    let mut made_by_own = own.pubsub().mailbox();
    let mut others = pubsub.mailbox();
    for mailbox in [&mut own, &mut made_by_own, &mut others] {
        assert!(mailbox.join("notes"));
    }
    assert_eq!(pubsub.broadcast("notes", "first", &1).members, 3);
    worker.close();
    assert_eq!(pubsub.broadcast("notes", "second", &2).members, 1);

    for mailbox in [&mut own, &mut made_by_own] {
        assert!(
            matches!(mailbox.recv().await, Some(Received::Message(_))),
            "what had arrived"
        );
        assert!(mailbox.recv().await.is_none());
        assert!(!mailbox.join("others"));
    }
    let mut late = worker.mailbox();
    assert!(!late.join("notes"));
    assert!(late.recv().await.is_none());
    assert!(matches!(others.try_recv(), Some(Received::Message(_))));
    assert!(matches!(others.try_recv(), Some(Received::Message(_))));
    assert!(pubsub.mailbox().join("notes"));
    drop((own, made_by_own, late));
    assert_eq!(pubsub.get_local_members("notes"), [others.id()]);
}

#[tokio::test]
async fn who_waits_is_woken_when_its_scope_ends() {
    let pubsub = PubSub::new();
    let worker = pubsub.scoped();
    let mut mailbox = worker.mailbox();
    mailbox.join("notes");
    let waits = tokio::spawn(async move { mailbox.recv().await.is_none() });
    tokio::task::yield_now().await;
    worker.close();
    assert!(waits.await.unwrap());
}

#[test]
fn the_time_in_which_all_members_leave_grows_with_their_number_and_no_faster() {
    let pubsub = PubSub::new();
    let all_leave = |members: usize| {
        let mut mailboxes: Vec<_> = (0..members).map(|_| pubsub.mailbox()).collect();
        for mailbox in &mut mailboxes {
            mailbox.join("notes");
        }
        assert_eq!(pubsub.get_local_members("notes").len(), members);
        let start = Instant::now();
        drop(mailboxes);
        let took = start.elapsed();
        assert!(pubsub.get_local_members("notes").is_empty());
        took
    };
    // The best of some, as others on the machine can only make it worse. Sixteen times as many would take
    // 256 times as long if each had to look for itself among the others.
    let best = |members| (0..5).map(|_| all_leave(members)).min().unwrap();
    let (few, many) = (best(1_000), best(16_000));
    assert!(many < few * 100, "{few:?}, {many:?}");
}
