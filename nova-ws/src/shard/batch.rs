//! Consecutive messages of one channel, of which each socket gets the same.

use bytes::{Bytes, BytesMut};
use nova_core::pubsub::{MemberId, Message};
use tokio::time::Instant;

use crate::handler::Encoded;
use crate::outlet::Run;

/// How many messages, and up to how many bytes of frames, leave in one write. What is behind them leaves
/// in the next, when slow clients have had a chance to read.
const MESSAGES: usize = 64;
const BYTES: usize = 16 * 1024;

/// What a message means for the sockets.
pub(super) enum Meaning {
    /// The frame that all send.
    Frame(Encoded),
    /// Each connection's task makes something of it.
    Each,
}

/// It is never empty.
pub(super) struct Batch {
    messages: Vec<Message>,
    /// Whether they are for the tasks of the connections.
    pub(super) is_for_each: bool,
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
            is_for_each: matches!(meaning, Meaning::Each),
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
            Meaning::Each => 0,
        };
        self.is_for_each == matches!(meaning, Meaning::Each)
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

    pub(super) fn run(&self) -> Run<'_> {
        Run {
            messages: &self.messages,
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
