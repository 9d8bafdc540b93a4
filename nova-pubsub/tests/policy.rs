//! What a full mailbox does, and who learns of it.

use nova_pubsub::{Mailbox, Policy, PubSub, Received};

/// What is there to take: the topic of each message, and `lost n`.
fn taken(mailbox: &mut Mailbox) -> Vec<String> {
    std::iter::from_fn(|| mailbox.try_recv())
        .map(|received| match received {
            Received::Message(message) => message.topic().to_owned(),
            Received::Lagged(lost) => format!("lost {lost}"),
        })
        .collect()
}

fn member(pubsub: &PubSub, capacity: usize, policy: Policy) -> Mailbox {
    let mut mailbox = pubsub.mailbox_with(capacity, policy);
    mailbox.join("notes");
    mailbox
}

fn broadcast(pubsub: &PubSub, topics: &[&str]) {
    for topic in topics {
        pubsub.broadcast("notes", topic, &());
    }
}

#[test]
fn drop_oldest_gives_the_newest_behind_the_loss() {
    let pubsub = PubSub::new();
    let mut mailbox = member(&pubsub, 2, Policy::DropOldest);
    broadcast(&pubsub, &["1", "2", "3", "4"]);
    assert_eq!(taken(&mut mailbox), ["lost 2", "3", "4"]);

    broadcast(&pubsub, &["5"]);
    assert_eq!(taken(&mut mailbox), ["5"], "there is room again");
}

#[test]
fn drop_newest_gives_the_oldest_and_the_loss_where_it_was() {
    let pubsub = PubSub::new();
    let mut mailbox = member(&pubsub, 2, Policy::DropNewest);
    broadcast(&pubsub, &["1", "2", "3", "4"]);
    assert!(matches!(mailbox.try_recv(), Some(Received::Message(_))));
    broadcast(&pubsub, &["5", "6"]);

    assert_eq!(taken(&mut mailbox), ["2", "lost 2", "5", "lost 1"]);
    assert_eq!(pubsub.stats().lost, 3);
}

#[tokio::test]
async fn disconnect_ends_the_mailbox_after_what_had_arrived_and_the_loss() {
    let pubsub = PubSub::new();
    let mut mailbox = member(&pubsub, 2, Policy::Disconnect);
    mailbox.join("others");
    broadcast(&pubsub, &["1", "2"]);
    let report = pubsub.broadcast("notes", "3", &());
    assert_eq!((report.members, report.lost), (0, 1));

    assert!(pubsub.get_local_members("notes").is_empty());
    assert!(pubsub.get_local_members("others").is_empty());
    assert!(!mailbox.join("notes"), "it is gone for good");
    assert_eq!(pubsub.send_to(mailbox.id(), "late", &()).members, 0);
    assert_eq!(taken(&mut mailbox), ["1", "2", "lost 1"]);
    assert!(mailbox.recv().await.is_none());
    assert_eq!(pubsub.stats().disconnected, 1);
}

#[tokio::test]
async fn who_waits_in_a_full_mailbox_is_woken_when_it_disconnects() {
    let pubsub = PubSub::new();
    let mut mailbox = member(&pubsub, 1, Policy::Disconnect);
    let waits = tokio::spawn(async move {
        let mut topics = Vec::new();
        while let Some(received) = mailbox.recv().await {
            topics.push(matches!(received, Received::Message(_)));
        }
        topics
    });
    tokio::task::yield_now().await;
    broadcast(&pubsub, &["1", "2"]);

    assert_eq!(waits.await.unwrap(), [true, false]);
}

#[test]
fn keep_latest_keeps_one_message_of_each_topic_of_a_channel() {
    let pubsub = PubSub::new();
    let mut mailbox = member(&pubsub, 10, Policy::KeepLatest);
    mailbox.join("others");
    for price in [1, 2, 3] {
        pubsub.broadcast("notes", "a", &price);
        pubsub.broadcast("others", "a", &(price * 10));
    }
    pubsub.broadcast("notes", "b", &4);

    let prices: Vec<i32> = std::iter::from_fn(|| mailbox.try_recv())
        .map(|received| match received {
            Received::Message(message) => *message.decode().unwrap(),
            Received::Lagged(lost) => panic!("lost {lost}"),
        })
        .collect();
    assert_eq!(prices, [3, 30, 4]);
    let stats = pubsub.stats();
    assert_eq!((stats.replaced, stats.lost), (4, 0));
}

#[test]
fn keep_latest_gives_the_later_message_its_place_in_the_order() {
    let pubsub = PubSub::new();
    let mut mailbox = member(&pubsub, 10, Policy::KeepLatest);
    broadcast(&pubsub, &["a", "b", "a", "c", "b"]);

    assert_eq!(taken(&mut mailbox), ["a", "c", "b"]);
}

#[test]
fn keep_latest_drops_the_oldest_where_there_are_more_topics_than_room() {
    let pubsub = PubSub::new();
    let mut mailbox = member(&pubsub, 2, Policy::KeepLatest);
    broadcast(&pubsub, &["a", "b", "c", "b"]);

    assert_eq!(taken(&mut mailbox), ["lost 1", "c", "b"]);
    let stats = pubsub.stats();
    assert_eq!((stats.replaced, stats.lost), (1, 1));
}

#[test]
fn keep_latest_replaces_nothing_that_was_sent_to_the_mailbox_alone() {
    let pubsub = PubSub::new();
    let mut mailbox = member(&pubsub, 3, Policy::KeepLatest);
    pubsub.send_to(mailbox.id(), "a", &());
    pubsub.send_to(mailbox.id(), "a", &());
    broadcast(&pubsub, &["a", "a"]);

    assert_eq!(taken(&mut mailbox), ["a", "a", "a"]);
}

#[test]
fn a_loss_for_one_member_is_none_for_the_others() {
    let pubsub = PubSub::new();
    let mut all = [
        member(&pubsub, 1, Policy::DropOldest),
        member(&pubsub, 1, Policy::DropNewest),
        member(&pubsub, 1, Policy::Disconnect),
        member(&pubsub, 1, Policy::KeepLatest),
        member(&pubsub, 9, Policy::DropOldest),
    ];
    broadcast(&pubsub, &["1", "2", "3"]);

    let [oldest, newest, disconnect, latest, large] = &mut all;
    assert_eq!(taken(oldest), ["lost 2", "3"]);
    assert_eq!(taken(newest), ["1", "lost 2"]);
    assert_eq!(taken(disconnect), ["1", "lost 1"]);
    assert_eq!(taken(latest), ["lost 2", "3"]);
    assert_eq!(taken(large), ["1", "2", "3"]);
}
