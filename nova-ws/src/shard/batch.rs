//! Consecutive messages of one channel, of which each socket gets the same.

use bytes::{Bytes, BytesMut};
use nova_core::pubsub::{MemberId, Message};
use tokio::time::Instant;

use crate::handler::Encoded;
use crate::outlet::{Pile, Run};

/// How many messages, and up to how many bytes of frames, leave in one write. What is behind them leaves
/// in the next, when slow clients have had a chance to read.
const MESSAGES: usize = 64;
const BYTES: usize = 16 * 1024;

/// What a message means for the sockets.
pub(super) enum Meaning {
    /// The frame that all send.
    Frame(Encoded),
    /// Each connection's handler is asked.
    Info,
    /// Each connection's task looks at it.
    Each,
}

/// What the messages of a batch are alike in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Frames,
    Info,
    Each,
}

impl Kind {
    fn of(meaning: &Meaning) -> Self {
        match meaning {
            Meaning::Frame(_) => Kind::Frames,
            Meaning::Info => Kind::Info,
            Meaning::Each => Kind::Each,
        }
    }
}

/// It is never empty.
pub(super) struct Batch {
    messages: Vec<Message>,
    kind: Kind,
    /// Who does not get it; then it is one message.
    pub(super) except: Option<MemberId>,
    /// The first frame, and all of them where there are several.
    first: Bytes,
    all: BytesMut,
    last_payload: usize,
    last_frame: usize,
}

impl Batch {
    pub(super) fn new(message: Message, meaning: &Meaning, except: Option<MemberId>) -> Self {
        let mut batch = Batch {
            messages: Vec::new(),
            kind: Kind::of(meaning),
            except,
            first: Bytes::new(),
            all: BytesMut::new(),
            last_payload: 0,
            last_frame: 0,
        };
        batch.add(message, meaning);
        batch
    }

    /// Whether one more message, with this meaning, can be added.
    pub(super) fn has_room_for(&self, meaning: &Meaning) -> bool {
        let frame = match meaning {
            Meaning::Frame(encoded) => encoded.frame.len(),
            Meaning::Info | Meaning::Each => 0,
        };
        self.kind == Kind::of(meaning)
            && self.messages.len() < MESSAGES
            && self.bytes().len() + frame <= BYTES
    }

    pub(super) fn add(&mut self, message: Message, meaning: &Meaning) {
        if let Meaning::Frame(encoded) = meaning {
            if self.messages.is_empty() {
                self.first = encoded.frame.clone();
            } else {
                if self.all.is_empty() {
                    self.all.extend_from_slice(&self.first);
                }
                self.all.extend_from_slice(&encoded.frame);
            }
            (self.last_payload, self.last_frame) = (encoded.payload, encoded.frame.len());
        }
        self.messages.push(message);
    }

    pub(super) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Whether they are for the tasks of the connections.
    pub(super) fn is_for_each(&self) -> bool {
        self.kind != Kind::Frames
    }

    /// The messages, for who cannot send the frames now.
    pub(super) fn pile(&self) -> Pile {
        Pile::new(self.messages.clone(), self.kind == Kind::Info)
    }

    pub(super) fn run<'r>(&'r self, pile: &'r Pile) -> Run<'r> {
        Run {
            pile,
            bytes: self.bytes(),
            last_payload: self.last_payload,
            last_frame: self.last_frame,
            now: Instant::now(),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self.all.is_empty() {
            true => &self.first,
            false => &self.all,
        }
    }
}
