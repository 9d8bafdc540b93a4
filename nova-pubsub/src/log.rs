//! The latest messages of a channel, for as long as a mailbox has still to take them.
//!
//! A broadcast to ten thousand mailboxes is as fast as the memory that it touches. So it does not put
//! the message into each: it writes it down once, in a log that they share, and moves on how far each
//! may read. Mailboxes hold the segments of the log that they have not read to the end, and the channel
//! holds none: what everybody has taken is gone. A mailbox that has not taken one message keeps at most
//! the 15 others of its segment in memory.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use crate::message::Message;

/// How many messages share their memory.
const SEGMENT: usize = 16;

/// The channel's end of its log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    last: Weak<Segment>,
    filled: u8,
}

#[derive(Default)]
pub(crate) struct Segment([OnceLock<Message>; SEGMENT]);

/// Where a message stands in the log.
#[derive(Debug)]
pub(crate) struct Entry {
    segment: Arc<Segment>,
    index: u8,
}

/// Messages of one segment that stand side by side, and that one mailbox has to take.
#[derive(Debug)]
pub(crate) struct Run {
    segment: Arc<Segment>,
    next: u8,
    end: u8,
}

impl Log {
    pub(crate) fn append(&mut self, message: &Message) -> Entry {
        // A full segment is not even looked at: it could be dropped here, under the lock.
        let open = match usize::from(self.filled) < SEGMENT {
            true => self.last.upgrade(),
            false => None,
        };
        let (segment, index) = match open {
            Some(segment) => (segment, self.filled),
            None => {
                let segment = Arc::default();
                self.last = Arc::downgrade(&segment);
                (segment, 0)
            }
        };
        let place = &segment.0[usize::from(index)];
        place.get_or_init(|| message.clone()); // the place is free: it is behind the last
        self.filled = index + 1;
        Entry { segment, index }
    }
}

/// A message that is written into the log for the first mailbox that reads it there. Where each has chosen
/// topics, or keeps the latest, none does.
pub(crate) struct Lazy<'a> {
    log: &'a mut Log,
    message: &'a Message,
    entry: Option<Entry>,
}

impl<'a> Lazy<'a> {
    pub(crate) fn new(log: &'a mut Log, message: &'a Message) -> Self {
        Lazy {
            log,
            message,
            entry: None,
        }
    }

    pub(crate) fn message(&self) -> &'a Message {
        self.message
    }

    pub(crate) fn entry(&mut self) -> &Entry {
        let append = || self.log.append(self.message);
        self.entry.get_or_insert_with(append)
    }

    /// To be dropped without locks, as the messages are dropped with it.
    pub(crate) fn into_segment(self) -> Option<Arc<Segment>> {
        self.entry.map(|entry| entry.segment)
    }
}

impl Run {
    pub(crate) fn of(entry: &Entry) -> Self {
        Run {
            segment: Arc::clone(&entry.segment),
            next: entry.index,
            end: entry.index + 1,
        }
    }

    /// Takes in the message behind its last, and says whether `entry` is that.
    pub(crate) fn extend(&mut self, entry: &Entry) -> bool {
        let follows = self.end == entry.index && Arc::ptr_eq(&self.segment, &entry.segment);
        self.end += u8::from(follows);
        follows
    }

    pub(crate) fn take(&mut self) -> Option<Message> {
        if self.next == self.end {
            return None;
        }
        let message = self.segment.0[usize::from(self.next)].get().cloned();
        self.next += 1;
        message
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.next == self.end
    }

    /// To be dropped without locks, as the messages are dropped with it.
    pub(crate) fn into_segment(self) -> Arc<Segment> {
        self.segment
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Segment")
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::PubSub;

    fn message(pubsub: &PubSub, number: usize) -> Message {
        let mut mailbox = pubsub.mailbox();
        pubsub.send_to(mailbox.id(), &number.to_string(), &());
        match mailbox.try_recv() {
            Some(crate::Received::Message(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_run_gives_what_stands_side_by_side_and_no_more_than_a_segment() {
        let pubsub = PubSub::new();
        let mut log = Log::default();
        let first = log.append(&message(&pubsub, 0));
        let mut run = Run::of(&first);
        for number in 1..SEGMENT {
            assert!(run.extend(&log.append(&message(&pubsub, number))));
        }
        assert!(!run.extend(&log.append(&message(&pubsub, SEGMENT))));

        for number in 0..SEGMENT {
            assert!(!run.is_empty());
            assert_eq!(run.take().unwrap().topic(), number.to_string());
        }
        assert!(run.is_empty());
        assert!(run.take().is_none());
    }

    #[test]
    fn a_log_holds_nothing_that_no_run_has_to_take() {
        let pubsub = PubSub::new();
        let mut log = Log::default();
        let entry = log.append(&message(&pubsub, 0));
        let segment = Arc::downgrade(&entry.segment);
        drop(entry);

        assert!(segment.upgrade().is_none());
        let entry = log.append(&message(&pubsub, 1));
        assert_eq!(entry.index, 0, "a new segment");
    }
}
