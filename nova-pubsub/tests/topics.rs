//! Chosen topics of a channel.

use nova_pubsub::{Mailbox, PubSub, Received};

fn topics(mailbox: &mut Mailbox) -> Vec<String> {
    std::iter::from_fn(|| mailbox.try_recv())
        .map(|received| match received {
            Received::Message(message) => message.topic().to_owned(),
            Received::Lagged(lost) => format!("lost {lost}"),
        })
        .collect()
}

fn broadcast(pubsub: &PubSub, topics: &[&str]) -> Vec<usize> {
    let broadcast = |topic: &&str| pubsub.broadcast("notes", topic, &()).members;
    topics.iter().map(broadcast).collect()
}

#[test]
fn only_the_chosen_topics_arrive_and_are_counted() {
    let pubsub = PubSub::new();
    let (mut some, mut all) = (pubsub.mailbox(), pubsub.mailbox());
    some.join_topics("notes", &["created", "deleted"]);
    all.join("notes");

    let members = broadcast(&pubsub, &["created", "updated", "deleted"]);
    assert_eq!(members, [2, 1, 2]);
    assert_eq!(topics(&mut some), ["created", "deleted"]);
    assert_eq!(topics(&mut all), ["created", "updated", "deleted"]);
}

#[test]
fn other_topics_take_no_room() {
    let pubsub = PubSub::new();
    let mut mailbox = pubsub.mailbox_with_capacity(1);
    mailbox.join_topics("notes", &["created"]);
    broadcast(&pubsub, &["created", "updated", "updated"]);

    assert_eq!(topics(&mut mailbox), ["created"]);
    assert_eq!(pubsub.stats().lost, 0);
}

#[test]
fn a_member_for_some_topics_is_a_member() {
    let pubsub = PubSub::new();
    let mut mailbox = pubsub.mailbox();
    assert!(mailbox.join_topics("notes", &[]));

    assert_eq!(pubsub.get_local_members("notes"), [mailbox.id()]);
    assert_eq!(broadcast(&pubsub, &["created"]), [0]);
    assert!(mailbox.leave("notes"));
    assert!(pubsub.get_local_members("notes").is_empty());
}

#[test]
fn joining_again_changes_the_topics() {
    let pubsub = PubSub::new();
    let mut mailbox = pubsub.mailbox();
    assert!(mailbox.join_topics("notes", &["a"]));
    assert!(!mailbox.join_topics("notes", &["b"]), "a member already");
    broadcast(&pubsub, &["a", "b", "c"]);
    assert!(!mailbox.join("notes"));
    broadcast(&pubsub, &["a", "b", "c"]);
    assert!(!mailbox.join_topics("notes", &["c"]));
    broadcast(&pubsub, &["a", "b", "c"]);

    assert_eq!(topics(&mut mailbox), ["b", "a", "b", "c", "c"]);
    assert_eq!(pubsub.get_local_members("notes").len(), 1);
}

#[test]
fn messages_of_chosen_topics_and_of_whole_channels_keep_their_order() {
    let pubsub = PubSub::new();
    let mut mailbox = pubsub.mailbox();
    mailbox.join_topics("notes", &["b"]);
    mailbox.join("others");
    for number in 0..40 {
        pubsub.broadcast("notes", if number % 3 == 0 { "b" } else { "a" }, &());
        pubsub.broadcast("others", &number.to_string(), &());
    }

    let expected: Vec<String> = (0..40)
        .flat_map(|number| {
            let chosen = (number % 3 == 0).then(|| "b".to_owned());
            chosen.into_iter().chain([number.to_string()])
        })
        .collect();
    assert_eq!(topics(&mut mailbox), expected);
}
