//! A task that writes to many sockets: what is the same for all of them, one after the other.
//!
//! Every connection is a member behind a shard, which is the sink of its members: a broadcast costs one
//! push into the queue here, whatever the number of sockets. Joins and leaves stand in the same queue, and
//! so each socket gets just what was broadcast between the two. `docs/design/fanout.md` has the figures.

mod batch;
mod load;
mod room;
mod writer;

use std::collections::{HashSet, VecDeque};
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use nova_core::pubsub::{Door, Member, MemberId, Message, NodeId, PubSub, Sink, Taken, Topics};
use tokio::runtime::Handle;

use crate::handler::ErasedHandler;
use crate::outlet::Outlet;
use load::Load;
pub(crate) use load::Strain;
use writer::Writer;

/// The shards of a handler's connections: as many as the runtime has workers.
pub(crate) struct Shards {
    handler: Arc<dyn ErasedHandler>,
    running: Mutex<Running>,
    next: AtomicUsize,
    strain: Arc<Strain>,
}

/// Those of one pub/sub, which is that of the app.
#[derive(Default)]
struct Running {
    node: Option<NodeId>,
    shards: Vec<(Arc<Shard>, Door)>,
}

impl Shards {
    /// They start with the first connection.
    pub(crate) fn new(handler: Arc<dyn ErasedHandler>) -> Arc<Self> {
        Arc::new(Shards {
            handler,
            running: Mutex::default(),
            next: AtomicUsize::new(0),
            strain: Arc::default(),
        })
    }

    /// A place for one connection.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(crate) fn place(self: &Arc<Self>, pubsub: &PubSub, outlet: Arc<Outlet>) -> Place {
        let (shard, door) = {
            let mut running = lock(&self.running);
            let is_running = running.node == Some(pubsub.node())
                && running.shards.iter().all(|(shard, _)| shard.is_running());
            if !is_running {
                *running = self.start(pubsub);
            }
            let next = self.next.fetch_add(1, Ordering::Relaxed) % running.shards.len();
            running.shards[next].clone()
        };
        let member = door.member();
        if !shard.push(Event::Opened(member.id(), Arc::clone(&outlet))) {
            outlet.end_messages(); // the shard has ended meanwhile
        }
        shard.wake();
        Place {
            member,
            shard,
            _shards: Arc::clone(self),
        }
    }

    fn start(&self, pubsub: &PubSub) -> Running {
        let runtime = Handle::current();
        let shards = (0..runtime.metrics().num_workers()).map(|_| {
            let shard = Arc::new(Shard::new(&self.strain));
            let door = pubsub.sink(Arc::clone(&shard));
            let writer = Writer::new(Arc::clone(&shard), Arc::clone(&self.handler));
            runtime.spawn(writer.run());
            (shard, door)
        });
        Running {
            node: Some(pubsub.node()),
            shards: shards.collect(),
        }
    }
}

/// Who is on their way out finds no more work.
impl Drop for Running {
    fn drop(&mut self) {
        for (shard, _) in &self.shards {
            shard.push(Event::Closed);
            shard.wake();
        }
    }
}

/// The place of a connection behind a shard, until it is dropped.
pub(crate) struct Place {
    pub(crate) member: Member,
    shard: Arc<Shard>,
    /// They run for as long as there is anybody.
    _shards: Arc<Shards>,
}

impl Place {
    /// Whether the shards of the handler have too much to do.
    pub(crate) fn strain(&self) -> &Arc<Strain> {
        self.shard.load.strain()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.member.leave_all();
        self.shard.push(Event::Ended(self.member.id()));
        self.shard.wake();
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Place").field(&self.member.id()).finish()
    }
}

/// The pub/sub's end of a shard.
pub(crate) struct Shard {
    /// A std mutex: a section is one push, or the exchange of all that is there.
    queue: Mutex<Queue>,
    /// What is in the queue, and what the writer has taken and not done yet.
    load: Load,
}

/// What has happened since the writer looked.
#[derive(Default)]
pub(crate) struct Queue {
    /// Messages are refused when there are too many. Joins and leaves never are: a client that has its
    /// handler join and leave is held back, as are all, when much waits.
    events: VecDeque<Event>,
    /// Who has lost messages behind all events: who is on these channels, and these.
    lost_on: HashSet<Arc<str>>,
    lost_by: HashSet<MemberId>,
    waker: Option<Waker>,
    /// The writer has ended.
    has_ended: bool,
}

pub(crate) enum Event {
    Opened(MemberId, Arc<Outlet>),
    Joined(Arc<str>, MemberId, Topics),
    Left(Arc<str>, MemberId),
    /// For all but one.
    Published(Message, Option<MemberId>),
    /// For one.
    Sent(MemberId, Message),
    Ended(MemberId),
    /// The pub/sub ends, or the handler is no more.
    Closed,
}

impl Event {
    fn is_message(&self) -> bool {
        matches!(self, Event::Published(..) | Event::Sent(..))
    }
}

impl Queue {
    fn has_lost(&self) -> bool {
        !self.lost_on.is_empty() || !self.lost_by.is_empty()
    }
}

impl Shard {
    fn new(strain: &Arc<Strain>) -> Self {
        Shard {
            queue: Mutex::default(),
            load: Load::new(strain),
        }
    }

    /// Says whether there is still somebody who takes events.
    fn push(&self, event: Event) -> bool {
        let mut queue = lock(&self.queue);
        if !queue.has_ended {
            self.load.add(event.is_message());
            queue.events.push_back(event);
        }
        !queue.has_ended
    }

    /// Takes a message, or says that there is no room for it.
    fn push_message(&self, event: Event, lost: impl FnOnce(&mut Queue)) -> Taken {
        let mut queue = lock(&self.queue);
        if queue.has_ended {
            return Taken::none();
        }
        // What came after a loss would show it before anybody is told.
        if queue.has_lost() || !self.load.has_room() {
            lost(&mut queue);
            return Taken::none();
        }
        self.load.add(true);
        queue.events.push_back(event);
        Taken::all()
    }

    fn wake(&self) {
        let waker = lock(&self.queue).waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn is_running(&self) -> bool {
        !lock(&self.queue).has_ended
    }

    /// Ready when anything has happened.
    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut queue = lock(&self.queue);
        if queue.events.is_empty() {
            queue.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// All that has happened, in exchange for `taken`, which is empty.
    fn take(&self, taken: &mut Queue) {
        mem::swap(&mut *lock(&self.queue), taken);
    }

    fn end(&self) -> Queue {
        let ended = Queue {
            has_ended: true,
            ..Queue::default()
        };
        let mut queue = lock(&self.queue);
        self.load.clear();
        mem::replace(&mut *queue, ended)
    }
}

impl Sink for Shard {
    fn joined(&self, channel: &Arc<str>, member: MemberId, topics: &Topics) {
        self.push(Event::Joined(Arc::clone(channel), member, topics.clone()));
    }

    fn left(&self, channel: &Arc<str>, member: MemberId) {
        self.push(Event::Left(Arc::clone(channel), member));
    }

    fn message(&self, message: &Message, except: Option<MemberId>) -> Taken {
        let lost = |queue: &mut Queue| {
            queue.lost_on.insert(message.channel().into());
        };
        self.push_message(Event::Published(message.clone(), except), lost)
    }

    fn sent(&self, member: MemberId, message: &Message) -> Taken {
        let lost = |queue: &mut Queue| {
            queue.lost_by.insert(member);
        };
        self.push_message(Event::Sent(member, message.clone()), lost)
    }

    fn wake(&self) {
        Shard::wake(self);
    }

    fn closed(&self) {
        self.push(Event::Closed);
        Shard::wake(self);
    }

    /// Joins and leaves too.
    fn waiting(&self) -> usize {
        self.load.events()
    }
}

/// Nothing under these locks panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use nova_core::{Request, Result};
    use tokio::runtime::Builder;
    use tokio::task::yield_now;

    use super::*;
    use crate::connection::Connection;
    use crate::frame::Frame;
    use crate::handler::{Accept, WebSocket};
    use crate::outcome::{Outcome, ok};
    use crate::outlet::Arrived;

    #[derive(Clone)]
    struct Silent;

    impl WebSocket for Silent {
        async fn init(&mut self, _request: &Request, _conn: &mut Connection) -> Result<Accept> {
            Ok(Accept::Yes)
        }

        async fn handle(&mut self, _frame: Frame, _conn: &mut Connection) -> Outcome {
            ok()
        }
    }

    #[test]
    fn a_shard_that_dies_ends_its_connections_and_the_next_connection_starts_another() {
        let pubsub = PubSub::new();
        let shards = Shards::new(Arc::new(Silent));
        let runtime = || Builder::new_current_thread().build().unwrap();
        let outlets = [Outlet::new(1), Outlet::new(1)];

        let dies = runtime();
        let mut place = dies.block_on(async { shards.place(&pubsub, Arc::clone(&outlets[0])) });
        place.member.join("news");
        drop(dies);
        assert!(matches!(outlets[0].lock().take(), Some(Arrived::Over)));

        runtime().block_on(async {
            let mut place = shards.place(&pubsub, Arc::clone(&outlets[1]));
            place.member.join("news");
            pubsub.broadcast("news", "text", "good");
            while !outlets[1].lock().has_arrived() {
                yield_now().await;
            }
        });
        let Some(Arrived::Messages(pile)) = outlets[1].lock().take() else {
            panic!("no message");
        };
        assert_eq!(pile.messages()[0].topic(), "text");
    }
}
