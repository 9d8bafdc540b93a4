//! What the page about pub/sub in the book's reference shows, as tests. The page shows what stands
//! between each `ANCHOR` and its `ANCHOR_END`.

#![expect(clippy::print_stdout, reason = "the page shows what is told, simply")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use nova_core::pubsub::{Change, MemberId, Message, Policy, PubSub, Received, Sink, Taken, Topics};

#[tokio::test]
async fn a_worker_with_a_policy_learns_of_what_it_lost() {
    let pubsub = PubSub::new();
    let mut read_again = 0;
    // ANCHOR: policy
    let mut mailbox = pubsub.mailbox_with(100, Policy::DropOldest);
    mailbox.join("notes");
    // ANCHOR_END: policy
    for number in 0..150 {
        pubsub.broadcast("notes", "note_updated", &number);
    }
    pubsub.close();

    // ANCHOR: lagged
    while let Some(received) = mailbox.recv().await {
        match received {
            Received::Message(message) => println!("{} has changed", message.channel()),
            Received::Lagged(lost) => {
                println!("{lost} messages are missing here: what we know may be wrong");
                read_again += 1; // such as from the database
            }
        }
    }
    // ANCHOR_END: lagged
    assert_eq!(read_again, 1);
}

#[test]
fn a_member_chooses_topics() {
    let pubsub = PubSub::new();
    // ANCHOR: topics
    let mut mailbox = pubsub.mailbox();
    mailbox.join_topics("notes", &["note_created", "note_deleted"]);

    assert_eq!(pubsub.broadcast("notes", "note_updated", "Milk").members, 0);
    assert_eq!(pubsub.broadcast("notes", "note_deleted", "Milk").members, 1);

    mailbox.join("notes"); // now all of them; it stays one membership
    assert_eq!(pubsub.broadcast("notes", "note_updated", "Milk").members, 1);
    // ANCHOR_END: topics
}

#[tokio::test]
async fn a_monitor_follows_who_is_there() {
    let pubsub = PubSub::new();
    let (mut ann, mut bob) = (pubsub.mailbox(), pubsub.mailbox());
    bob.join("chat");
    // ANCHOR: monitor
    let mut monitor = pubsub.monitor("chat");
    let mut present: BTreeSet<MemberId> = monitor.members().iter().copied().collect();
    // ANCHOR_END: monitor
    assert!(present.contains(&bob.id()));
    ann.join("chat");
    drop(bob);
    pubsub.close();
    // ANCHOR: changes
    while let Some(change) = monitor.recv().await {
        match change {
            Change::Joined(member) => drop(present.insert(member)),
            Change::Left(member) => drop(present.remove(&member)),
            _ => present = monitor.refresh().iter().copied().collect(), // it was too slow
        }
    }
    // ANCHOR_END: changes
    assert_eq!(present, BTreeSet::from([ann.id()]));
}

#[test]
fn a_look_says_what_goes_on() {
    let pubsub = PubSub::new();
    let mut mailbox = pubsub.mailbox();
    mailbox.join("notes");
    pubsub.broadcast("notes", "note_created", "Milk");
    // ANCHOR: inspect
    let look = pubsub.inspect();
    for channel in &look.channels {
        println!(
            "{}: {} members, {} lost",
            channel.name, channel.members, channel.lost
        );
    }
    if let Some(fullest) = look.fullest {
        println!("{} messages wait in the fullest queue", fullest.waiting);
    }
    println!("{} deliveries since the start", look.stats.delivered);
    // ANCHOR_END: inspect
    assert_eq!((look.channels.len(), look.stats.delivered), (1, 1));
}

#[test]
fn a_sink_takes_messages_for_many_members() {
    // ANCHOR: sink
    /// Collects what it hears for a task that works on all of it together.
    #[derive(Default)]
    struct Batch(Mutex<Vec<Entry>>);

    enum Entry {
        Joined(Arc<str>, MemberId, Topics),
        Left(Arc<str>, MemberId),
        Message(Message, Option<MemberId>),
        Sent(MemberId, Message),
    }

    impl Batch {
        /// Joins and leaves have to be kept; messages find room or not.
        fn push(&self, entry: Entry) -> Taken {
            let mut entries = self.0.lock().unwrap();
            let is_message = matches!(entry, Entry::Message(..) | Entry::Sent(..));
            if is_message && entries.len() >= 10_000 {
                return Taken::none(); // all whom it was for lose it, and it is counted
            }
            entries.push(entry);
            Taken::all()
        }
    }

    impl Sink for Batch {
        fn joined(&self, channel: &Arc<str>, member: MemberId, topics: &Topics) {
            let _ = self.push(Entry::Joined(channel.clone(), member, topics.clone()));
        }
        fn left(&self, channel: &Arc<str>, member: MemberId) {
            let _ = self.push(Entry::Left(channel.clone(), member));
        }
        fn message(&self, message: &Message, except: Option<MemberId>) -> Taken {
            self.push(Entry::Message(message.clone(), except))
        }
        fn sent(&self, member: MemberId, message: &Message) -> Taken {
            self.push(Entry::Sent(member, message.clone()))
        }
    }
    // ANCHOR_END: sink

    let pubsub = PubSub::new();
    let batch = Arc::new(Batch::default());
    // ANCHOR: door
    let door = pubsub.sink(batch.clone());
    let mut member = door.member();
    member.join("notes");
    // ANCHOR_END: door
    member.pubsub().broadcast_from("notes", "alone", &());
    assert_eq!(pubsub.broadcast("notes", "note_created", "Milk").members, 1);
    pubsub.send_to(member.id(), "psst", &());
    let id = member.id();
    drop(member);

    let entries = batch.0.lock().unwrap();
    let heard = entries.iter().map(|entry| match entry {
        Entry::Joined(channel, member, topics) => {
            assert!(*member == id && topics.is_all());
            format!("joined {channel}")
        }
        Entry::Left(channel, member) => {
            assert_eq!(*member, id);
            format!("left {channel}")
        }
        Entry::Message(message, except) => {
            assert_eq!(*except, None);
            message.topic().to_owned()
        }
        Entry::Sent(member, message) => {
            assert_eq!(*member, id);
            message.topic().to_owned()
        }
    });
    let heard: Vec<_> = heard.collect();
    assert_eq!(
        heard,
        ["joined notes", "note_created", "psst", "left notes"]
    );
}
