//! The messages that wait for one member, in order, with a bound.
//!
//! A run of messages from the log of a channel stands in the queue itself as long as it is the last,
//! so that a broadcast touches no memory of a mailbox but that. What stands before it, and what is not
//! in the log, has memory of its own.

use std::collections::{HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::log::{self, Run, Segment};
use crate::message::Message;
use crate::policy::Policy;

#[derive(Debug)]
pub(crate) struct Queue {
    /// What came last.
    last: Option<Run>,
    /// What came before.
    rest: Option<Box<Rest>>,
    /// How many messages wait.
    len: u32,
    /// How many fit in.
    capacity: u32,
    policy: Policy,
    /// Whether nothing is taken any more.
    ended: bool,
}

/// What has to be dropped without locks, as the `Drop` of a payload is not ours.
#[derive(Debug, Default)]
pub(crate) struct Dropped {
    pub(crate) messages: Vec<Message>,
    pub(crate) segments: Vec<Arc<Segment>>,
}

/// What a queue did with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It waits.
    Taken,
    /// It waits, and another message of its topic does not any more.
    TakenForAnother,
    /// It waits, and the oldest message was lost for it.
    TakenForLoss,
    /// It was lost.
    Lost,
    /// It was lost, and the queue has ended with that.
    LostAndEnded,
    /// The queue had ended before.
    Refused,
}

/// What a member gets next.
#[derive(Debug)]
pub(crate) enum Next {
    /// A message, and what is better dropped without a lock.
    Message(Message, Option<Arc<Segment>>),
    Lost(u64),
}

#[derive(Debug, Default)]
struct Rest {
    entries: VecDeque<Entry>,
    /// How many of `entries` are `Replaced`.
    replaced: usize,
    /// How many entries have gone from the front.
    gone: u64,
    /// Where the message of a topic stands, counted with those that have gone. Only for those who
    /// keep the latest.
    places: HashMap<Topic, u64>,
}

#[derive(Debug)]
enum Entry {
    /// It is never empty.
    Run(Run),
    Message(Message),
    /// So many messages were lost here.
    Lost(u64),
    /// A later message has taken its place.
    Replaced,
}

/// A message by its channel and topic.
#[derive(Debug)]
struct Topic(Message);

impl Queue {
    /// For at most `capacity` messages, and at least one.
    pub(crate) fn new(capacity: usize, policy: Policy) -> Self {
        Queue {
            last: None,
            rest: None,
            len: 0,
            capacity: u32::try_from(capacity.max(1)).unwrap_or(u32::MAX),
            policy,
            ended: false,
        }
    }

    /// Whether messages come as entries of the log, or each by itself.
    pub(crate) fn reads_the_log(&self) -> bool {
        self.policy != Policy::KeepLatest
    }

    /// Adds the message of a log's entry, if there is room or the policy makes some.
    pub(crate) fn push_logged(&mut self, entry: &log::Entry, dropped: &mut Dropped) -> Pushed {
        let pushed = self.make_room(dropped);
        if pushed.is_taken() {
            self.len += 1;
            let extended = self.last.as_mut().is_some_and(|run| run.extend(entry));
            if !extended && let Some(before) = self.last.replace(Run::of(entry)) {
                self.rest().entries.push_back(Entry::Run(before));
            }
        }
        pushed
    }

    /// Adds a message, if there is room or the policy makes some.
    pub(crate) fn push(&mut self, message: Message, dropped: &mut Dropped) -> Pushed {
        if self.policy == Policy::KeepLatest && !message.is_direct() && !self.ended {
            return self.push_latest(message, dropped);
        }
        let pushed = self.make_room(dropped);
        if pushed.is_taken() {
            self.len += 1;
            self.whole_rest().entries.push_back(Entry::Message(message));
        } else {
            dropped.messages.push(message);
        }
        pushed
    }

    pub(crate) fn pop(&mut self) -> Option<Next> {
        let next = self.pop_rest().or_else(|| self.pop_last())?;
        self.len -= u32::from(matches!(next, Next::Message(..)));
        Some(next)
    }

    /// How many messages wait.
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity as usize
    }

    /// Takes nothing any more.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Makes room for a message, or says why there is none.
    fn make_room(&mut self, dropped: &mut Dropped) -> Pushed {
        if self.ended {
            return Pushed::Refused;
        }
        if self.len < self.capacity {
            return Pushed::Taken;
        }
        match self.policy {
            Policy::DropOldest | Policy::KeepLatest => {
                self.drop_oldest(dropped);
                Pushed::TakenForLoss
            }
            Policy::DropNewest => {
                self.lose();
                Pushed::Lost
            }
            Policy::Disconnect => {
                self.lose();
                self.ended = true;
                Pushed::LostAndEnded
            }
        }
    }

    fn push_latest(&mut self, message: Message, dropped: &mut Dropped) -> Pushed {
        let pushed = if let Some(earlier) = self.rest().replace(&message) {
            self.len -= 1;
            dropped.messages.push(earlier);
            Pushed::TakenForAnother
        } else {
            self.make_room(dropped)
        };
        self.len += 1;
        self.rest().append_latest(message);
        pushed
    }

    fn drop_oldest(&mut self, dropped: &mut Dropped) {
        let mut lost = 0;
        while let Some(next) = self.pop_rest().or_else(|| self.pop_last()) {
            match next {
                Next::Lost(before) => lost += before,
                Next::Message(message, segment) => {
                    self.len -= 1;
                    dropped.messages.push(message);
                    dropped.segments.extend(segment);
                    self.rest().lose_before(lost + 1);
                    return;
                }
            }
        }
    }

    /// Notes that a message was lost behind all that waits.
    fn lose(&mut self) {
        let entries = &mut self.whole_rest().entries;
        match entries.back_mut() {
            Some(Entry::Lost(lost)) => *lost += 1,
            _ => entries.push_back(Entry::Lost(1)),
        }
    }

    fn pop_rest(&mut self) -> Option<Next> {
        let rest = self.rest.as_mut()?;
        let next = rest.pop();
        if rest.entries.is_empty() && rest.entries.capacity() > 16 {
            self.rest = None; // a burst leaves no memory behind
        }
        next
    }

    fn pop_last(&mut self) -> Option<Next> {
        let run = self.last.as_mut()?;
        let message = run.take()?;
        let segment = match run.is_empty() {
            true => self.last.take().map(Run::into_segment),
            false => None,
        };
        Some(Next::Message(message, segment))
    }

    fn rest(&mut self) -> &mut Rest {
        self.rest.get_or_insert_default()
    }

    /// All that waits, to add something behind it.
    fn whole_rest(&mut self) -> &mut Rest {
        let last = self.last.take();
        let rest = self.rest();
        rest.entries.extend(last.map(Entry::Run));
        rest
    }
}

impl Pushed {
    fn is_taken(self) -> bool {
        matches!(
            self,
            Pushed::Taken | Pushed::TakenForAnother | Pushed::TakenForLoss
        )
    }
}

impl Rest {
    fn append_latest(&mut self, message: Message) {
        let place = self.gone + self.entries.len() as u64;
        self.places.insert(Topic(message.clone()), place);
        self.entries.push_back(Entry::Message(message));
    }

    /// Notes that so many messages were lost in front of all that waits.
    fn lose_before(&mut self, lost: u64) {
        self.gone = self.gone.saturating_sub(1);
        self.entries.push_front(Entry::Lost(lost));
    }

    /// Takes the message out that is of the same channel and topic.
    fn replace(&mut self, by: &Message) -> Option<Message> {
        let place = self.places.remove(&Topic(by.clone()))?;
        let position = usize::try_from(place - self.gone).ok()?;
        let entry = self.entries.get_mut(position)?;
        let Entry::Message(replaced) = std::mem::replace(entry, Entry::Replaced) else {
            return None;
        };
        self.replaced += 1;
        self.close_ranks();
        Some(replaced)
    }

    /// Keeps replaced messages from taking more room than those that wait.
    fn close_ranks(&mut self) {
        if self.replaced <= self.entries.len() / 2 + 8 {
            return;
        }
        self.entries
            .retain(|entry| !matches!(entry, Entry::Replaced));
        self.replaced = 0;
        for (position, entry) in self.entries.iter().enumerate() {
            if let Entry::Message(message) = entry
                && let Some(place) = self.places.get_mut(&Topic(message.clone()))
            {
                *place = self.gone + position as u64;
            }
        }
    }

    fn pop(&mut self) -> Option<Next> {
        loop {
            if let Some(Entry::Run(run)) = self.entries.front_mut() {
                let message = run.take()?;
                let is_empty = run.is_empty();
                let segment = if is_empty { self.pop_run() } else { None };
                return Some(Next::Message(message, segment));
            }
            self.gone += 1;
            match self.entries.pop_front()? {
                Entry::Replaced => self.replaced -= 1,
                Entry::Lost(lost) => return Some(Next::Lost(lost)),
                Entry::Message(message) => {
                    if !self.places.is_empty() && !message.is_direct() {
                        self.places.remove(&Topic(message.clone()));
                    }
                    return Some(Next::Message(message, None));
                }
                Entry::Run(_) => {} // taken above
            }
        }
    }

    fn pop_run(&mut self) -> Option<Arc<Segment>> {
        match self.entries.pop_front() {
            Some(Entry::Run(run)) => {
                self.gone += 1;
                Some(run.into_segment())
            }
            _ => None,
        }
    }
}

impl PartialEq for Topic {
    fn eq(&self, other: &Self) -> bool {
        self.0.channel() == other.0.channel() && self.0.topic() == other.0.topic()
    }
}

impl Eq for Topic {}

impl Hash for Topic {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.channel().hash(state);
        self.0.topic().hash(state);
    }
}
