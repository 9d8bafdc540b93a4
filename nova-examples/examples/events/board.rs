//! The notices, in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use nova_core::pubsub::PubSub;
use serde::{Deserialize, Serialize};

/// How many notices there is room for; the oldest goes.
const ROOM: usize = 100;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Notice {
    pub(crate) id: u64,
    pub(crate) text: String,
}

/// A board; clones are the same one.
#[derive(Clone)]
pub(crate) struct Board(Arc<Mutex<Notices>>);

struct Notices {
    notices: VecDeque<Notice>,
    /// The id of the last one.
    last: u64,
}

impl Board {
    /// An empty board. Its ids begin with the time, so that they are higher than those of a board
    /// before, of which a client may know.
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Board(Arc::new(Mutex::new(Notices {
            notices: VecDeque::new(),
            last: now.map_or(0, |now| now.as_secs() * 1_000_000),
        })))
    }

    /// Puts a notice up and tells it, as one step, so that all hear of notices in their order.
    pub(crate) fn put_up(&self, text: String, pubsub: &PubSub) {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        board.last += 1;
        let notice = Notice {
            id: board.last,
            text,
        };
        pubsub.broadcast("notices", "put_up", &notice);
        board.notices.push_back(notice);
        if board.notices.len() > ROOM {
            board.notices.pop_front();
        }
    }

    /// The notices behind this one, the oldest first.
    pub(crate) fn since(&self, id: u64) -> Vec<Notice> {
        let board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let notices = board.notices.iter();
        notices.filter(|notice| notice.id > id).cloned().collect()
    }
}
