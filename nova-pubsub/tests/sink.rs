//! Members that stand behind a sink.

use std::sync::{Arc, Mutex, PoisonError};

use nova_pubsub::{MemberId, Message, PubSub, Received, Sink, Taken, Topics};

/// What a sink heard, in order.
#[derive(Debug, Clone, PartialEq)]
enum Heard {
    Joined(String, MemberId),
    Left(String, MemberId),
    Message(String, Option<MemberId>),
    Sent(MemberId, String),
    Woken,
    Closed,
}

/// Writes down what it hears, and answers as it is told.
struct Notebook {
    heard: Mutex<Vec<Heard>>,
    answer: Taken,
    panics_at: &'static str,
}

impl Notebook {
    fn answering(answer: Taken) -> Arc<Self> {
        Arc::new(Notebook {
            heard: Mutex::default(),
            answer,
            panics_at: "",
        })
    }

    fn panicking_at(call: &'static str) -> Arc<Self> {
        Arc::new(Notebook {
            heard: Mutex::default(),
            answer: Taken::all(),
            panics_at: call,
        })
    }

    fn note(&self, call: &str, heard: Heard) {
        let mut notes = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push(heard);
        assert!(call != self.panics_at, "told to panic at `{call}`");
    }

    /// What was heard, but for the waking.
    fn heard(&self) -> Vec<Heard> {
        let mut heard = self.all();
        heard.retain(|heard| *heard != Heard::Woken);
        heard
    }

    fn all(&self) -> Vec<Heard> {
        std::mem::take(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for Notebook {
    fn joined(&self, channel: &Arc<str>, member: MemberId, _topics: &Topics) {
        self.note("joined", Heard::Joined(channel.to_string(), member));
    }

    fn left(&self, channel: &Arc<str>, member: MemberId) {
        self.note("left", Heard::Left(channel.to_string(), member));
    }

    fn message(&self, message: &Message, except: Option<MemberId>) -> Taken {
        self.note(
            "message",
            Heard::Message(message.topic().to_owned(), except),
        );
        self.answer
    }

    fn sent(&self, member: MemberId, message: &Message) -> Taken {
        self.note("sent", Heard::Sent(member, message.topic().to_owned()));
        self.answer
    }

    fn wake(&self) {
        self.note("wake", Heard::Woken);
    }

    fn closed(&self) {
        self.note("closed", Heard::Closed);
    }
}

fn message(topic: &str) -> Heard {
    Heard::Message(topic.to_owned(), None)
}

fn joined(member: MemberId) -> Heard {
    Heard::Joined("notes".to_owned(), member)
}

fn left(member: MemberId) -> Heard {
    Heard::Left("notes".to_owned(), member)
}

#[test]
fn a_broadcast_is_one_call_for_all_members_behind_a_sink() {
    let pubsub = PubSub::new();
    let notebook = Notebook::answering(Taken::all());
    let door = pubsub.sink(notebook.clone());
    let mut members: Vec<_> = (0..1000).map(|_| door.member()).collect();
    for member in &mut members {
        assert!(member.join("notes"));
    }
    notebook.all();

    let report = pubsub.broadcast("notes", "note_created", &1);
    assert_eq!((report.members, report.lost), (1000, 0));
    assert_eq!(notebook.all(), [message("note_created"), Heard::Woken]);
    assert_eq!(pubsub.stats().delivered, 1000);
}

#[test]
fn a_sink_hears_joins_messages_and_leaves_in_the_order_of_the_channel() {
    let pubsub = PubSub::new();
    let notebook = Notebook::answering(Taken::all());
    let door = pubsub.sink(notebook.clone());
    let (mut ann, mut bob) = (door.member(), door.member());
    pubsub.broadcast("notes", "before", &1);
    ann.join("notes");
    pubsub.broadcast("notes", "first", &1);
    bob.join("notes");
    ann.leave("notes");
    pubsub.broadcast("notes", "second", &1);
    let (ann, bob, bobs) = (ann.id(), bob.id(), bob);
    drop(bobs);
    pubsub.broadcast("notes", "after", &1);

    let expected = [
        joined(ann),
        message("first"),
        joined(bob),
        left(ann),
        message("second"),
        left(bob),
    ];
    assert_eq!(notebook.heard(), expected);
}

#[test]
fn members_behind_a_sink_are_named_one_by_one_beside_mailboxes() {
    let pubsub = PubSub::new();
    let door = pubsub.sink(Notebook::answering(Taken::all()));
    let (mut ann, mut bob, mut cyd) = (door.member(), door.member(), pubsub.mailbox());
    ann.join("notes");
    bob.join("notes");
    cyd.join("notes");

    let mut members = pubsub.get_local_members("notes");
    members.sort();
    let mut expected = [ann.id(), bob.id(), cyd.id()];
    expected.sort();
    assert_eq!(members, expected);
    drop(ann);
    assert_eq!(pubsub.broadcast("notes", "topic", &1).members, 2);
}

#[test]
fn joining_twice_behind_a_sink_is_one_membership() {
    let pubsub = PubSub::new();
    let door = pubsub.sink(Notebook::answering(Taken::all()));
    let mut member = door.member();

    assert!(member.join("notes"));
    assert!(!member.join("notes"));
    assert_eq!(pubsub.broadcast("notes", "topic", &1).members, 1);
    assert!(member.leave("notes"));
    assert!(!member.leave("notes"));
    assert_eq!(pubsub.broadcast("notes", "topic", &1).members, 0);
}

#[test]
fn a_sink_hears_of_a_repeated_join_only_when_its_topics_are_others() {
    let pubsub = PubSub::new();
    let notebook = Notebook::answering(Taken::all());
    let mut member = pubsub.sink(notebook.clone()).member();
    member.join_topics("notes", &["created", "deleted"]);
    notebook.all();

    assert!(!member.join_topics("notes", &["deleted", "created"]));
    assert_eq!(notebook.all(), []);
    assert!(!member.join("notes"));
    assert_eq!(notebook.all(), [joined(member.id()), Heard::Woken]);
}

#[test]
fn a_broadcast_from_a_member_behind_a_sink_names_it_as_the_exception() {
    let pubsub = PubSub::new();
    let notebook = Notebook::answering(Taken::all());
    let door = pubsub.sink(notebook.clone());
    let (mut ann, mut bob) = (door.member(), door.member());
    ann.join("notes");
    notebook.all();
    assert_eq!(ann.pubsub().broadcast_from("notes", "alone", &1).members, 0);
    assert_eq!(notebook.all(), [], "nobody is there but the sender");

    bob.join("notes");
    notebook.all();
    assert_eq!(ann.pubsub().broadcast_from("notes", "hi", &1).members, 1);
    let expected = Heard::Message("hi".to_owned(), Some(ann.id()));
    assert_eq!(notebook.heard(), [expected]);
}

#[test]
fn what_is_sent_to_a_member_behind_a_sink_names_it() {
    let pubsub = PubSub::new();
    let notebook = Notebook::answering(Taken::all());
    let member = pubsub.sink(notebook.clone()).member();

    assert_eq!(pubsub.send_to(member.id(), "psst", &1).members, 1);
    let id = member.id();
    assert_eq!(notebook.heard(), [Heard::Sent(id, "psst".to_owned())]);
    drop(member);
    assert_eq!(pubsub.send_to(id, "late", &1).members, 0);
}

#[test]
fn topics_that_no_member_behind_a_sink_chose_do_not_reach_it() {
    let pubsub = PubSub::new();
    let notebook = Notebook::answering(Taken::all());
    let door = pubsub.sink(notebook.clone());
    let (mut ann, mut bob) = (door.member(), door.member());
    ann.join_topics("notes", &["created", "deleted"]);
    bob.join_topics("notes", &["created"]);
    notebook.all();
    let members = |topic: &str| pubsub.broadcast("notes", topic, &1).members;

    assert_eq!(
        (members("created"), members("deleted"), members("updated")),
        (2, 1, 0)
    );
    assert_eq!(notebook.heard(), [message("created"), message("deleted")]);

    ann.join("notes"); // all of them, from now on
    bob.leave("notes");
    assert_eq!((members("created"), members("updated")), (1, 1));
}

#[test]
fn what_a_sink_has_no_room_for_is_counted_for_each_member_that_loses_it() {
    let pubsub = PubSub::new();
    let reports = [
        Taken::none(),
        Taken::all_but(2),
        Taken::all().dropping(7),
        Taken::all_but(99),
    ]
    .map(|answer| {
        let door = pubsub.sink(Notebook::answering(answer));
        let mut members: Vec<_> = (0..5).map(|_| door.member()).collect();
        for member in &mut members {
            member.join("notes");
        }
        let report = pubsub.broadcast("notes", "topic", &1);
        (report.members, report.lost)
    });

    assert_eq!(reports, [(0, 5), (3, 2), (5, 7), (0, 5)]);
    assert_eq!(pubsub.stats().lost, 19);
}

#[test]
fn a_sink_that_tells_endless_losses_more_than_once_harms_no_broadcast() {
    let pubsub = PubSub::new();
    let door = pubsub.sink(Notebook::answering(Taken::all().dropping(usize::MAX)));
    let mut member = door.member();
    member.join("notes");
    for _ in 0..3 {
        assert_eq!(pubsub.broadcast("notes", "topic", &1).members, 1);
    }

    assert_eq!(pubsub.stats().lost, u64::MAX);
    assert_eq!(pubsub.inspect_channel("notes").unwrap().lost, u64::MAX);
}

#[test]
fn a_panic_in_a_sink_is_counted_and_harms_nobody_else() {
    for call in ["joined", "left", "message", "sent", "wake", "closed"] {
        let pubsub = PubSub::new();
        let mut mailbox = pubsub.mailbox();
        mailbox.join("notes");
        let door = pubsub.sink(Notebook::panicking_at(call));
        let mut member = door.member();
        member.join("notes");

        let report = pubsub.broadcast("notes", "topic", &1);
        let lost = usize::from(call == "message");
        assert_eq!((report.members, report.lost), (2 - lost, lost), "{call}");
        let report = pubsub.send_to(member.id(), "topic", &1);
        assert_eq!(report.lost, usize::from(call == "sent"), "{call}");
        member.leave("notes");
        assert_eq!(pubsub.get_local_members("notes"), [mailbox.id()], "{call}");
        assert!(matches!(mailbox.try_recv(), Some(Received::Message(_))));
        pubsub.close();
        assert!(pubsub.stats().sink_panics > 0, "{call}");
    }
}

#[test]
fn a_sink_may_use_the_pubsub_when_it_is_woken() {
    struct Asks(PubSub, Mutex<Vec<usize>>);
    impl Sink for Asks {
        fn joined(&self, _: &Arc<str>, _: MemberId, _: &Topics) {}
        fn left(&self, _: &Arc<str>, _: MemberId) {}
        fn message(&self, _: &Message, _: Option<MemberId>) -> Taken {
            Taken::all()
        }
        fn sent(&self, _: MemberId, _: &Message) -> Taken {
            Taken::all()
        }
        fn wake(&self) {
            let members = self.0.get_local_members("notes").len();
            self.1.lock().unwrap().push(members);
        }
    }
    let pubsub = PubSub::new();
    let asks = Arc::new(Asks(pubsub.clone(), Mutex::default()));
    let mut member = pubsub.sink(asks.clone()).member();
    member.join("notes");
    pubsub.broadcast("notes", "topic", &1);
    drop(member);

    assert_eq!(*asks.1.lock().unwrap(), [1, 1, 0]);
}

#[test]
fn a_sink_hears_that_the_pubsub_is_closed() {
    let pubsub = PubSub::new();
    let notebook = Notebook::answering(Taken::all());
    let door = pubsub.sink(notebook.clone());
    let mut member = door.member();
    member.join("notes");
    notebook.all();
    pubsub.close();

    assert_eq!(notebook.all(), [Heard::Closed, Heard::Woken]);
    assert!(pubsub.get_local_members("notes").is_empty());
    assert!(!member.join("notes"));
    assert!(!door.member().join("notes"));
    assert_eq!(pubsub.send_to(member.id(), "late", &1).members, 0);
    pubsub.close();
    drop((member, door));
    assert_eq!(notebook.all(), [], "nothing comes after the end");
}

#[test]
fn a_sink_that_comes_to_a_closed_pubsub_hears_so() {
    let pubsub = PubSub::new();
    pubsub.close();
    let late = Notebook::answering(Taken::all());
    let door = pubsub.sink(late.clone());

    assert_eq!(late.all(), [Heard::Closed, Heard::Woken]);
    assert!(!door.member().join("notes"));
    assert_eq!(late.all(), []);
}

#[test]
fn a_scope_ends_its_own_sinks_and_no_others() {
    let pubsub = PubSub::new();
    let worker = pubsub.scoped();
    let (own, others) = (
        Notebook::answering(Taken::all()),
        Notebook::answering(Taken::all()),
    );
    let (own_door, others_door) = (worker.sink(own.clone()), pubsub.sink(others.clone()));
    let (mut member, mut other) = (own_door.member(), others_door.member());
    member.join("notes");
    other.join("notes");
    worker.close();

    assert_eq!(own.heard().last(), Some(&Heard::Closed));
    assert!(!others.heard().contains(&Heard::Closed));
    assert_eq!(pubsub.get_local_members("notes"), [other.id()]);
    assert!(!member.join("notes"));
    assert!(!own_door.member().join("notes"));
    let late = Notebook::answering(Taken::all());
    assert!(!worker.sink(late.clone()).member().join("notes"));
    assert_eq!(late.heard(), [Heard::Closed]);
}

#[test]
fn a_sink_is_let_go_of_with_its_last_door_and_member() {
    let pubsub = PubSub::new();
    let notebook = Notebook::answering(Taken::all());
    let door = pubsub.sink(notebook.clone());
    let mut member = door.member();
    member.join("notes");
    drop(door);
    assert_eq!(pubsub.broadcast("notes", "topic", &1).members, 1);
    drop(member);

    assert_eq!(Arc::strong_count(&notebook), 1);
}

#[test]
fn a_look_asks_sinks_how_many_messages_wait() {
    struct Busy;
    impl Sink for Busy {
        fn joined(&self, _: &Arc<str>, _: MemberId, _: &Topics) {}
        fn left(&self, _: &Arc<str>, _: MemberId) {}
        fn message(&self, _: &Message, _: Option<MemberId>) -> Taken {
            Taken::all()
        }
        fn sent(&self, _: MemberId, _: &Message) -> Taken {
            Taken::all()
        }
        fn waiting(&self) -> usize {
            77
        }
    }
    let pubsub = PubSub::new();
    let door = pubsub.sink(Arc::new(Busy));

    let fullest = pubsub.inspect().fullest.unwrap();
    assert_eq!((fullest.member, fullest.waiting), (None, 77));
    drop(door);
    assert_eq!(pubsub.inspect().fullest, None);
}
