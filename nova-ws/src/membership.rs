//! As what a connection is a member of channels.

use std::sync::Arc;

use nova_core::pubsub::{Mailbox, MemberId, PubSub, Received};

use crate::shard::{Place, Strain};

#[derive(Debug)]
pub(crate) enum Membership {
    /// With a mailbox of its own, as streams of events have it.
    Mailbox(Mailbox),
    /// Behind a shard, as sockets are.
    Place(Place),
}

impl Membership {
    pub(crate) fn id(&self) -> MemberId {
        match self {
            Membership::Mailbox(mailbox) => mailbox.id(),
            Membership::Place(place) => place.member.id(),
        }
    }

    pub(crate) fn pubsub(&self) -> &PubSub {
        match self {
            Membership::Mailbox(mailbox) => mailbox.pubsub(),
            Membership::Place(place) => place.member.pubsub(),
        }
    }

    pub(crate) fn join(&mut self, channel: &str) -> bool {
        match self {
            Membership::Mailbox(mailbox) => mailbox.join(channel),
            Membership::Place(place) => place.member.join(channel),
        }
    }

    pub(crate) fn join_topics(&mut self, channel: &str, topics: &[&str]) -> bool {
        match self {
            Membership::Mailbox(mailbox) => mailbox.join_topics(channel, topics),
            Membership::Place(place) => place.member.join_topics(channel, topics),
        }
    }

    pub(crate) fn leave(&mut self, channel: &str) -> bool {
        match self {
            Membership::Mailbox(mailbox) => mailbox.leave(channel),
            Membership::Place(place) => place.member.leave(channel),
        }
    }

    pub(crate) fn leave_all(&mut self) {
        match self {
            Membership::Mailbox(mailbox) => mailbox.leave_all(),
            Membership::Place(place) => place.member.leave_all(),
        }
    }

    /// How much the shards have to do.
    pub(crate) fn strain(&self) -> Arc<Strain> {
        match self {
            Membership::Mailbox(_) => Arc::default(),
            Membership::Place(place) => Arc::clone(place.strain()),
        }
    }

    /// Counts what did not reach the client. A mailbox counts for itself.
    pub(crate) fn lost(&self, messages: usize) {
        match self {
            Membership::Mailbox(_) => {}
            Membership::Place(place) => place.member.lost(messages),
        }
    }

    /// What comes into the mailbox. Behind a shard nothing does: it goes to the outlet.
    pub(crate) async fn recv(&mut self) -> Option<Received> {
        match self {
            Membership::Mailbox(mailbox) => mailbox.recv().await,
            Membership::Place(_) => None,
        }
    }

    pub(crate) fn try_recv(&mut self) -> Option<Received> {
        match self {
            Membership::Mailbox(mailbox) => mailbox.try_recv(),
            Membership::Place(_) => None,
        }
    }
}
