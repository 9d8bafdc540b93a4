//! Who sees members come and go.

use nova_pubsub::{Change, Monitor, Policy, PubSub, Received};

fn changes(monitor: &mut Monitor) -> Vec<Change> {
    std::iter::from_fn(|| monitor.try_recv()).collect()
}

#[test]
fn a_monitor_has_those_who_are_there_and_then_each_change() {
    let pubsub = PubSub::new();
    let (mut ann, mut bob) = (pubsub.mailbox(), pubsub.mailbox());
    ann.join("table");
    let mut monitor = pubsub.monitor("table");
    assert_eq!(monitor.members(), [ann.id()]);

    bob.join("table");
    bob.join("elsewhere");
    ann.leave("table");
    let (ann, bob_id) = (ann.id(), bob.id());
    drop(bob);
    assert_eq!(
        changes(&mut monitor),
        [
            Change::Joined(bob_id),
            Change::Left(ann),
            Change::Left(bob_id)
        ]
    );
}

#[test]
fn what_is_no_change_is_not_told() {
    let pubsub = PubSub::new();
    let mut mailbox = pubsub.mailbox();
    mailbox.join("table");
    let mut monitor = pubsub.monitor("table");
    mailbox.join("table");
    mailbox.join_topics("table", &["a"]);
    pubsub.mailbox().leave("table");

    assert_eq!(changes(&mut monitor), []);
}

#[test]
fn a_channel_without_members_can_be_monitored_and_does_not_exist_for_it() {
    let pubsub = PubSub::new();
    let mut monitor = pubsub.monitor("table");
    assert!(monitor.members().is_empty());
    assert_eq!(pubsub.broadcast("table", "topic", &()).members, 0);
    assert!(pubsub.inspect().channels.is_empty());

    let mut mailbox = pubsub.mailbox();
    mailbox.join("table");
    assert_eq!(changes(&mut monitor), [Change::Joined(mailbox.id())]);
}

#[test]
fn members_that_a_policy_disconnects_are_seen_to_leave() {
    let pubsub = PubSub::new();
    let mut mailbox = pubsub.mailbox_with(1, Policy::Disconnect);
    mailbox.join("table");
    let mut monitor = pubsub.monitor("table");
    pubsub.broadcast("table", "1", &());
    pubsub.broadcast("table", "2", &());

    assert_eq!(changes(&mut monitor), [Change::Left(mailbox.id())]);
}

#[test]
fn a_monitor_that_is_too_slow_is_told_so_and_can_begin_anew() {
    let pubsub = PubSub::new();
    let mut monitor = pubsub.monitor("table");
    let mut mailbox = pubsub.mailbox();
    for _ in 0..600 {
        mailbox.join("table");
        mailbox.leave("table");
    }
    mailbox.join("table");

    assert_eq!(monitor.try_recv(), Some(Change::Lagged(177)));
    assert_eq!(monitor.try_recv(), Some(Change::Left(mailbox.id())));
    assert_eq!(monitor.refresh(), [mailbox.id()]);
    assert_eq!(changes(&mut monitor), []);
    mailbox.leave("table");
    assert_eq!(changes(&mut monitor), [Change::Left(mailbox.id())]);
}

#[tokio::test]
async fn who_waits_for_a_change_is_woken_by_it_and_by_the_end() {
    let pubsub = PubSub::new();
    let mut monitor = pubsub.monitor("table");
    let waits = tokio::spawn(async move {
        let first = monitor.recv().await;
        (first, monitor.recv().await)
    });
    tokio::task::yield_now().await;
    let mut mailbox = pubsub.mailbox();
    mailbox.join("table");
    tokio::task::yield_now().await;
    pubsub.close();

    let joined = Change::Joined(mailbox.id());
    assert_eq!(waits.await.unwrap(), (Some(joined), None));
}

#[tokio::test]
async fn a_scope_ends_its_own_monitors_and_no_others() {
    let pubsub = PubSub::new();
    let worker = pubsub.scoped();
    let (mut own, mut others) = (worker.monitor("table"), pubsub.monitor("table"));
    worker.close();
    let mut mailbox = pubsub.mailbox();
    mailbox.join("table");

    assert_eq!(own.recv().await, None);
    assert_eq!(others.recv().await, Some(Change::Joined(mailbox.id())));
    assert_eq!(worker.monitor("table").recv().await, None);
}

#[test]
fn a_look_shows_channels_counts_and_the_fullest_queue() {
    let pubsub = PubSub::new();
    let (mut slow, mut quick) = (pubsub.mailbox_with_capacity(2), pubsub.mailbox());
    assert_eq!(pubsub.inspect().fullest, None);
    slow.join("notes");
    quick.join("notes");
    quick.join("others");
    for _ in 0..3 {
        pubsub.broadcast("notes", "topic", &());
    }
    while let Some(Received::Message(_)) = quick.try_recv() {}

    let look = pubsub.inspect();
    assert_eq!((look.members, look.channels.len()), (2, 2));
    let notes = pubsub.inspect_channel("notes").unwrap();
    assert!(look.channels.contains(&notes));
    assert_eq!((notes.members, notes.broadcasts), (2, 3));
    assert_eq!((notes.delivered, notes.lost, notes.fullest), (6, 1, 2));
    let fullest = look.fullest.unwrap();
    assert_eq!(
        (fullest.member, fullest.waiting, fullest.capacity),
        (Some(slow.id()), 2, Some(2))
    );
    assert_eq!((look.stats.joins, look.stats.leaves), (3, 0));
    drop((slow, quick));
    assert_eq!(pubsub.inspect_channel("notes"), None);
    assert_eq!(pubsub.stats().leaves, 3);
}

#[test]
fn a_look_can_be_written_as_json() {
    let pubsub = PubSub::new();
    let mut mailbox = pubsub.mailbox();
    mailbox.join("notes");
    pubsub.broadcast("notes", "topic", &());

    let look = serde_json::to_value(pubsub.inspect()).unwrap();
    assert_eq!(look["channels"][0]["name"], "notes");
    assert_eq!(look["stats"]["delivered"], 1);
    assert_eq!(look["fullest"]["member"], mailbox.id().to_string());
}
