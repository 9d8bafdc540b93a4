//! The sockets of one shard that are on one channel.

use std::collections::HashMap;
use std::sync::Arc;

use nova_core::pubsub::{MemberId, Topics};

use crate::outlet::Outlet;

/// A dense list, so that a walk goes over memory in order, with an index beside it that makes joins and
/// leaves constant in time.
#[derive(Default)]
pub(super) struct Room {
    pub(super) seats: Vec<Seat>,
    index: HashMap<MemberId, usize>,
    /// How many want only some topics.
    choosy: usize,
}

pub(super) struct Seat {
    pub(super) member: MemberId,
    pub(super) outlet: Arc<Outlet>,
    pub(super) topics: Topics,
}

impl Room {
    /// A member that is there already gets other topics.
    pub(super) fn join(&mut self, member: MemberId, outlet: &Arc<Outlet>, topics: Topics) {
        self.choosy += usize::from(!topics.is_all());
        match self.index.get(&member) {
            Some(&position) => {
                let before = std::mem::replace(&mut self.seats[position].topics, topics);
                self.choosy -= usize::from(!before.is_all());
            }
            None => {
                self.index.insert(member, self.seats.len());
                self.seats.push(Seat {
                    member,
                    outlet: Arc::clone(outlet),
                    topics,
                });
            }
        }
    }

    pub(super) fn leave(&mut self, member: MemberId) {
        let Some(position) = self.index.remove(&member) else {
            return;
        };
        let left = self.seats.swap_remove(position);
        self.choosy -= usize::from(!left.topics.is_all());
        if let Some(moved) = self.seats.get(position) {
            self.index.insert(moved.member, position);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// Whether each member wants every topic.
    pub(super) fn wants_all(&self) -> bool {
        self.choosy == 0
    }
}

#[cfg(test)]
mod tests {
    use nova_core::pubsub::PubSub;

    use super::*;

    #[test]
    fn who_leaves_makes_place_for_the_last_and_who_joins_again_has_other_topics() {
        let ids: Vec<_> = (0..3).map(|_| PubSub::new().sender()).collect();
        let mut room = Room::default();
        for &id in &ids {
            room.join(id, &Outlet::new(1), Topics::all());
        }
        room.join(ids[1], &Outlet::new(1), Topics::only(&["a"]));
        assert!(!room.wants_all());

        room.leave(ids[0]);
        room.leave(ids[0]);
        let seated: Vec<_> = room.seats.iter().map(|seat| seat.member).collect();
        assert_eq!(seated, [ids[2], ids[1]]);

        room.leave(ids[1]);
        assert!(room.wants_all());
        room.leave(ids[2]);
        assert!(room.is_empty());
    }
}
