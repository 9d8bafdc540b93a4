//! Who is on a channel: names for nodes and members, and the list of them.

use std::fmt;

use serde::{Serialize, Serializer};
use uuid::Uuid;

/// Names one node: a [`PubSub`](crate::PubSub) and all that share it.
///
/// It is new with every process start, so a restarted node is never taken for its predecessor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u128);

impl NodeId {
    pub(crate) fn random() -> Self {
        NodeId(Uuid::new_v4().as_u128())
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

/// Names a member or a sender, as a process id does in Nova: no two are alike, on any node.
///
/// Whatever broadcasts has one, also what never joins a channel, such as an HTTP request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberId {
    node: NodeId,
    number: u64,
}

impl MemberId {
    pub(crate) fn new(node: NodeId, number: u64) -> Self {
        MemberId { node, number }
    }

    /// Unlike any other on this node.
    pub(crate) fn number(self) -> u64 {
        self.number
    }

    /// The node that the member lives on.
    pub fn node(self) -> NodeId {
        self.node
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.node, self.number)
    }
}

/// As the text of its name.
impl Serialize for MemberId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberId({self})")
    }
}

/// The members of a channel on all nodes, as [`PubSub::get_members`](crate::PubSub::get_members)
/// found them: a snapshot, in no particular order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Members {
    /// Who answered to be a member.
    pub ids: Vec<MemberId>,
    /// Whether every node that has members there has answered.
    pub complete: bool,
}
