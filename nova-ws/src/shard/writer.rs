//! The work of a shard: what has happened, in its order, towards the sockets.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;

use nova_core::panic;
use nova_core::pubsub::{MemberId, Message, Topics};
use tokio::task::yield_now;
use tracing::error;

use super::batch::{Batch, Meaning};
use super::room::Room;
use super::{Event, Queue, Shard};
use crate::handler::{ErasedHandler, Made};
use crate::outlet::{Outlet, Pile, Sent};
use crate::sender;

/// How many sockets are written to before other tasks have their turn.
const SOCKETS_AT_ONCE: usize = 100;

pub(super) struct Writer {
    shard: Arc<Shard>,
    handler: Arc<dyn ErasedHandler>,
    outlets: HashMap<MemberId, Arc<Outlet>>,
    rooms: HashMap<Arc<str>, Room>,
    /// What is being done. It is here, and not in a future, so that a panic ends no more than one event.
    taken: Queue,
    /// How many sockets were written to since others had their turn.
    sockets: usize,
}

impl Writer {
    pub(super) fn new(shard: Arc<Shard>, handler: Arc<dyn ErasedHandler>) -> Self {
        Writer {
            shard,
            handler,
            outlets: HashMap::new(),
            rooms: HashMap::new(),
            taken: Queue::default(),
            sockets: 0,
        }
    }

    /// Runs until the shard is closed.
    pub(super) async fn run(mut self) {
        // Payloads are dropped here, which runs code of the app's.
        while let Err(panic) = panic::catch(self.until_closed()).await {
            error!("a message to WebSockets panicked: {panic}");
        }
    }

    async fn until_closed(&mut self) {
        loop {
            while let Some(event) = self.next() {
                match event {
                    Event::Opened(member, outlet) => drop(self.outlets.insert(member, outlet)),
                    Event::Joined(channel, member, topics) => self.join(channel, member, topics),
                    Event::Left(channel, member) => self.leave(&channel, member),
                    Event::Published(message, except) => self.publish(message, except).await,
                    Event::Sent(member, message) => {
                        if let Some(outlet) = self.outlets.get(&member) {
                            outlet.push(&Pile::new(vec![message], false));
                        }
                    }
                    Event::Ended(member) => drop(self.outlets.remove(&member)),
                    Event::Closed => return,
                }
            }
            self.tell_losses();
            let shard = &self.shard;
            poll_fn(|context| shard.poll_ready(context)).await;
            // What others are about to broadcast leaves in the same writes.
            yield_now().await;
            self.shard.take(&mut self.taken);
        }
    }

    fn next(&mut self) -> Option<Event> {
        let event = self.taken.events.pop_front()?;
        self.shard.load.remove(event.is_message());
        Some(event)
    }

    fn join(&mut self, channel: Arc<str>, member: MemberId, topics: Topics) {
        if let Some(outlet) = self.outlets.get(&member) {
            let room = self.rooms.entry(channel).or_default();
            room.join(member, outlet, topics);
        }
    }

    fn leave(&mut self, channel: &str, member: MemberId) {
        if let Some(room) = self.rooms.get_mut(channel) {
            room.leave(member);
            if room.is_empty() {
                self.rooms.remove(channel);
            }
        }
    }

    /// Brings a message to all that want it, and those behind it that can go with it.
    async fn publish(&mut self, message: Message, except: Option<MemberId>) {
        let Some(room) = self.rooms.get(message.channel()) else {
            return;
        };
        let Some(meaning) = meaning_of(&*self.handler, &message) else {
            return;
        };
        let is_alone = except.is_some() || !room.wants_all();
        let mut batch = Batch::new(message, &meaning, except);
        while !is_alone
            && let Some(Event::Published(next, None)) = self.taken.events.front()
            && next.channel() == batch.messages()[0].channel()
        {
            let meaning = meaning_of(&*self.handler, next);
            match &meaning {
                Some(meaning) if !batch.has_room_for(meaning) => break,
                _ => {}
            }
            let Some(Event::Published(next, None)) = self.next() else {
                break;
            };
            if let Some(meaning) = meaning {
                batch.add(next, &meaning);
            }
        }
        self.walk(&batch).await;
    }

    async fn walk(&mut self, batch: &Batch) {
        let message = &batch.messages()[0];
        let Some(room) = self.rooms.get(message.channel()) else {
            return;
        };
        let wants_all = room.wants_all();
        let pile = batch.pile();
        let run = batch.run(&pile);
        let is_for_each = batch.is_for_each();
        let mut anything_waits = false;
        for seat in &room.seats {
            let is_wanted = wants_all || seat.topics.wants(message.topic());
            if !is_wanted || batch.except == Some(seat.member) {
                continue;
            }
            let sent = match is_for_each {
                true => seat.outlet.push(&pile),
                false => seat.outlet.send_run(&run),
            };
            anything_waits |= sent == Sent::Waits;
            self.sockets += 1;
            if self.sockets >= SOCKETS_AT_ONCE {
                self.sockets = 0;
                yield_now().await;
            }
        }
        // In a flood of messages, clients have a chance to read, before they are found to be too slow.
        if anything_waits {
            self.sockets = 0;
            yield_now().await;
        }
    }

    /// To be called when all that came before the losses is done.
    fn tell_losses(&mut self) {
        self.taken.events.shrink_to(1024); // a burst leaves no memory behind
        for channel in self.taken.lost_on.drain() {
            if let Some(room) = self.rooms.get(&channel) {
                room.seats.iter().for_each(|seat| seat.outlet.miss());
            }
        }
        for member in self.taken.lost_by.drain() {
            if let Some(outlet) = self.outlets.get(&member) {
                outlet.miss();
            }
        }
    }
}

/// Nobody is left waiting for a writer that is no more.
impl Drop for Writer {
    fn drop(&mut self) {
        let left = self.shard.end();
        self.outlets
            .values()
            .for_each(|outlet| outlet.end_messages());
        let events = self.taken.events.drain(..).chain(left.events);
        for event in events {
            if let Event::Opened(_, outlet) = event {
                outlet.end_messages();
            }
        }
    }
}

/// What a message means for the sockets; `None` is nothing at all.
fn meaning_of(handler: &dyn ErasedHandler, message: &Message) -> Option<Meaning> {
    if sender::concerns_connections(message) {
        return Some(Meaning::Each);
    }
    match &*handler.shared(message) {
        Made::Frame(encoded) => Some(Meaning::Frame(encoded.clone())),
        Made::Info => Some(Meaning::Info),
        Made::Nothing => None,
    }
}
