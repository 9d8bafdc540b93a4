//! What arrives, in which order, and what a full mailbox does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nova_pubsub::{Mailbox, Message, PubSub, Received};
use serde::{Deserialize, Serialize, Serializer};

fn next(mailbox: &mut Mailbox) -> Option<Message> {
    match mailbox.try_recv() {
        Some(Received::Message(message)) => Some(message),
        Some(Received::Lagged(lost)) => panic!("{lost} messages were lost"),
        None => None,
    }
}

fn member(pubsub: &PubSub, channel: &str) -> Mailbox {
    let mut mailbox = pubsub.mailbox();
    mailbox.join(channel);
    mailbox
}

#[test]
fn a_message_has_channel_sender_topic_and_payload() {
    let pubsub = PubSub::new();
    let mut mailbox = member(&pubsub, "notes");
    pubsub.broadcast("notes", "note_deleted", &7i64);

    let message = next(&mut mailbox).unwrap();
    assert_eq!(message.channel(), "notes");
    assert_eq!(message.sender(), pubsub.sender());
    assert_eq!(message.topic(), "note_deleted");
    assert_eq!(message.payload().json().unwrap(), "7");
}

#[test]
fn the_sender_gets_its_own_broadcast_but_not_its_own_broadcast_from() {
    let pubsub = PubSub::new();
    let (mut ann, mut bob) = (member(&pubsub, "chat"), member(&pubsub, "chat"));
    ann.pubsub().broadcast("chat", "to all", "hi");
    ann.pubsub().broadcast_from("chat", "to others", "hi");

    let sender = ann.id();
    let seen = |mailbox: &mut Mailbox| {
        std::iter::from_fn(|| next(mailbox))
            .inspect(|message| assert_eq!(message.sender(), sender))
            .map(|message| message.topic().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(seen(&mut ann), ["to all"]);
    assert_eq!(seen(&mut bob), ["to all", "to others"]);
}

#[test]
fn a_local_broadcast_reaches_the_members_of_this_node() {
    let pubsub = PubSub::new();
    let mut mailbox = member(&pubsub, "cache");

    assert_eq!(pubsub.local_broadcast("cache", "clear", &()).members, 1);
    assert_eq!(next(&mut mailbox).unwrap().topic(), "clear");
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Note {
    id: i64,
    title: String,
}

#[derive(Debug, PartialEq, Deserialize)]
struct OnlyTitle {
    title: String,
}

#[test]
fn decode_gives_the_kept_value_or_reads_its_json() {
    let pubsub = PubSub::new();
    let mut mailbox = member(&pubsub, "notes");
    let note = Arc::new(Note {
        id: 1,
        title: "milk".into(),
    });
    pubsub.broadcast_arc("notes", "note_created", Arc::clone(&note));

    let message = next(&mut mailbox).unwrap();
    assert!(Arc::ptr_eq(&message.decode::<Note>().unwrap(), &note));
    assert_eq!(message.decode::<OnlyTitle>().unwrap().title, "milk");
    let refused = message.decode::<Vec<u8>>().unwrap_err();
    assert!(refused.to_string().contains("the payload is no `"));
}

#[test]
fn a_str_arrives_as_a_string() {
    let pubsub = PubSub::new();
    let mut mailbox = member(&pubsub, "chat");
    pubsub.broadcast("chat", "message", "hi");

    let message = next(&mut mailbox).unwrap();
    assert_eq!(*message.decode::<String>().unwrap(), "hi");
}

/// Counts how often it is cloned and encoded.
struct Counted {
    clones: Arc<AtomicUsize>,
    encodings: Arc<AtomicUsize>,
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.clones.fetch_add(1, Ordering::Relaxed);
        Counted {
            clones: Arc::clone(&self.clones),
            encodings: Arc::clone(&self.encodings),
        }
    }
}

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.encodings.fetch_add(1, Ordering::Relaxed);
        serializer.serialize_str("counted")
    }
}

#[test]
fn a_payload_is_cloned_once_and_encoded_at_most_once() {
    let counted = Counted {
        clones: Arc::default(),
        encodings: Arc::default(),
    };
    let pubsub = PubSub::new();
    pubsub.broadcast("notes", "nobody", &counted);
    assert_eq!(counted.clones.load(Ordering::Relaxed), 0);

    let mut members: Vec<_> = (0..3).map(|_| member(&pubsub, "notes")).collect();
    pubsub.broadcast("notes", "all", &counted);
    assert_eq!(counted.clones.load(Ordering::Relaxed), 1);
    assert_eq!(counted.encodings.load(Ordering::Relaxed), 0);

    for mailbox in &mut members {
        let message = next(mailbox).unwrap();
        assert_eq!(
            serde_json::to_string(message.payload()).unwrap(),
            r#""counted""#
        );
    }
    assert_eq!(counted.encodings.load(Ordering::Relaxed), 1);
}

#[test]
fn members_in_many_threads_encode_a_payload_once() {
    let counted = Counted {
        clones: Arc::default(),
        encodings: Arc::default(),
    };
    let pubsub = PubSub::new();
    let members: Vec<_> = (0..8).map(|_| member(&pubsub, "notes")).collect();
    pubsub.broadcast("notes", "all", &counted);
    let start = std::sync::Barrier::new(members.len());
    let derivations = AtomicUsize::new(0);
    struct Frame;

    std::thread::scope(|scope| {
        for mut mailbox in members {
            let (start, derivations) = (&start, &derivations);
            scope.spawn(move || {
                let message = next(&mut mailbox).unwrap();
                start.wait();
                let frame = message.derived::<Frame, _>(|message| {
                    derivations.fetch_add(1, Ordering::Relaxed);
                    serde_json::to_string(message.payload()).unwrap()
                });
                assert_eq!(*frame, message.payload().json().unwrap());
            });
        }
    });
    assert_eq!(counted.encodings.load(Ordering::Relaxed), 1);
    assert_eq!(derivations.load(Ordering::Relaxed), 1);
}

#[test]
fn what_everybody_has_taken_is_dropped() {
    let pubsub = PubSub::new();
    let (mut ann, mut bob) = (member(&pubsub, "notes"), member(&pubsub, "notes"));
    let value = Arc::new("milk".to_owned());
    pubsub.broadcast_arc("notes", "topic", Arc::clone(&value));
    drop(next(&mut ann));
    assert_eq!(Arc::strong_count(&value), 2, "one has it to take");
    drop(next(&mut bob));

    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn members_that_take_nothing_keep_nobody_from_anything() {
    let pubsub = PubSub::new();
    let idle: Vec<_> = (0..3).map(|_| member(&pubsub, "notes")).collect();
    let mut quick = member(&pubsub, "notes");
    for number in 0..5_000u32 {
        let report = pubsub.broadcast("notes", "n", &number);
        assert_eq!(report.members, 4);
        assert_eq!(*next(&mut quick).unwrap().decode::<u32>().unwrap(), number);
    }

    assert_eq!(pubsub.stats().lost, 3 * (5_000 - 1_024));
    drop(idle);
}

#[test]
fn a_payload_that_cannot_be_encoded_is_counted_once_and_still_kept() {
    #[derive(Clone)]
    struct Stubborn;
    impl Serialize for Stubborn {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("never"))
        }
    }
    let pubsub = PubSub::new();
    let mut mailbox = member(&pubsub, "notes");
    pubsub.broadcast("notes", "odd", &Stubborn);

    let message = next(&mut mailbox).unwrap();
    let error = message.payload().json().unwrap_err().to_string();
    assert!(
        error.contains("Stubborn") && error.contains("never"),
        "{error}"
    );
    assert!(serde_json::to_string(message.payload()).is_err());
    assert_eq!(pubsub.stats().encoding_failures, 1);
}

#[test]
fn what_is_derived_from_a_message_is_derived_once_for_each_purpose() {
    let pubsub = PubSub::new();
    let (mut ann, mut bob) = (member(&pubsub, "notes"), member(&pubsub, "notes"));
    pubsub.broadcast("notes", "topic", &1);

    let calls = AtomicUsize::new(0);
    let count = |_: &Message| calls.fetch_add(1, Ordering::Relaxed);
    struct Upper;
    struct Lower;
    for mailbox in [&mut ann, &mut bob] {
        let message = next(mailbox).unwrap();
        assert_eq!(*message.derived::<Upper, _>(count), 0);
        assert_eq!(*message.derived::<Lower, _>(count), 1);
    }
}

#[tokio::test]
async fn a_full_mailbox_drops_its_oldest_messages_and_says_how_many() {
    let pubsub = PubSub::new();
    let mut slow = pubsub.mailbox_with_capacity(3);
    let mut quick = pubsub.mailbox();
    slow.join("notes");
    quick.join("notes");
    let lost: usize = (1..=5)
        .map(|n: u32| pubsub.broadcast("notes", "n", &n).lost)
        .sum();

    assert_eq!(lost, 2);
    assert!(matches!(slow.recv().await, Some(Received::Lagged(2))));
    for expected in 3..=5u32 {
        assert_eq!(*next(&mut slow).unwrap().decode::<u32>().unwrap(), expected);
    }
    assert!(slow.try_recv().is_none());
    assert_eq!(std::iter::from_fn(|| next(&mut quick)).count(), 5);
    let stats = pubsub.stats();
    assert_eq!((stats.broadcasts, stats.delivered, stats.lost), (5, 10, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_members_see_concurrent_broadcasts_in_the_same_order() {
    let pubsub = PubSub::new();
    let mut members: Vec<_> = (0..4).map(|_| member(&pubsub, "notes")).collect();
    let senders: Vec<_> = (0..4u32)
        .map(|sender| {
            let pubsub = pubsub.new_sender();
            tokio::spawn(async move {
                for n in 0..200u32 {
                    pubsub.broadcast("notes", "n", &(sender, n));
                    if n % 16 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }

    let seen: Vec<Vec<(u32, u32)>> = members
        .iter_mut()
        .map(|mailbox| {
            std::iter::from_fn(|| next(mailbox))
                .map(|message| *message.decode().unwrap())
                .collect()
        })
        .collect();
    assert_eq!(seen[0].len(), 800);
    assert!(seen.iter().all(|order| *order == seen[0]));
    for sender in 0..4 {
        let own: Vec<u32> = seen[0]
            .iter()
            .filter(|(from, _)| *from == sender)
            .map(|(_, n)| *n)
            .collect();
        assert!(
            own.is_sorted(),
            "messages of one sender arrive in the order sent"
        );
    }
}

#[test]
fn what_is_sent_to_one_member_reaches_it_alone_and_in_order() {
    let pubsub = PubSub::new();
    let (mut ann, mut bob) = (member(&pubsub, "chat"), member(&pubsub, "chat"));
    pubsub.broadcast("chat", "first", "hi");
    assert_eq!(pubsub.send_to(ann.id(), "second", "psst").members, 1);
    pubsub.broadcast("chat", "third", "hi");

    let topics = |mailbox: &mut Mailbox| -> Vec<_> {
        let messages = std::iter::from_fn(|| next(mailbox));
        messages
            .map(|message| (message.topic().to_owned(), message.is_direct()))
            .collect()
    };
    let all = |topics: &[(&str, bool)]| -> Vec<(String, bool)> {
        let owned = topics.iter();
        owned
            .map(|&(topic, direct)| (topic.to_owned(), direct))
            .collect()
    };
    let expected = all(&[("first", false), ("second", true), ("third", false)]);
    assert_eq!(topics(&mut ann), expected);
    assert_eq!(topics(&mut bob), all(&[("first", false), ("third", false)]));
}

#[test]
fn what_is_sent_to_a_member_that_has_gone_reaches_nobody() {
    let pubsub = PubSub::new();
    let mailbox = pubsub.mailbox();
    let id = mailbox.id();
    drop(mailbox);

    assert_eq!(pubsub.send_to(id, "late", &()).members, 0);
    assert_eq!(PubSub::new().send_to(id, "elsewhere", &()).members, 0);
}

#[test]
fn a_full_mailbox_drops_its_oldest_for_what_is_sent_to_it_alone() {
    let pubsub = PubSub::new();
    let mut mailbox = pubsub.mailbox_with_capacity(1);
    pubsub.send_to(mailbox.id(), "first", &());
    assert_eq!(pubsub.send_to(mailbox.id(), "second", &()).lost, 1);

    assert!(matches!(mailbox.try_recv(), Some(Received::Lagged(1))));
    assert_eq!(next(&mut mailbox).unwrap().topic(), "second");
}

#[test]
fn there_is_no_channel_without_a_name() {
    let pubsub = PubSub::new();
    let mut mailbox = pubsub.mailbox();

    assert!(!mailbox.join(""));
    assert_eq!(pubsub.broadcast("", "x", &()).members, 0);
}
