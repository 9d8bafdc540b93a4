//! What a mailbox does that has no room.

/// What a [`Mailbox`](crate::Mailbox) does with a message when it is full.
///
/// No loss is silent: the owner learns of it by [`Received::Lagged`](crate::Received::Lagged), at the
/// place where messages are missing, and the operator by the log and by
/// [`PubSub::stats`](crate::PubSub::stats).
///
/// ```
/// use nova_pubsub::{Policy, PubSub, Received};
///
/// let pubsub = PubSub::new();
/// let mut prices = pubsub.mailbox_with(1000, Policy::KeepLatest);
/// prices.join("prices");
/// for price in [99, 98, 97] {
///     pubsub.broadcast("prices", "price:ACME", &price);
/// }
///
/// let Some(Received::Message(latest)) = prices.try_recv() else { panic!("one has arrived") };
/// assert_eq!(*latest.decode::<i32>().unwrap(), 97);
/// assert!(prices.try_recv().is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Policy {
    /// The oldest message makes room: for those who look at what is new, and can read the rest anew.
    /// **Default.**
    #[default]
    DropOldest,
    /// The new message is dropped: for those who must go on without a gap from where they are.
    DropNewest,
    /// The mailbox ends: for those who are of no use with a gap. Its memberships are over at once; it
    /// gives what has arrived, then `Lagged`, then `None`.
    Disconnect,
    /// At most one message waits for each topic of a channel, the latest: for those who only want to
    /// know how things are. So what it is that a message tells anew has to be in its topic, such as
    /// `price:ACME`.
    ///
    /// An earlier message gives way also where there is room; that is no loss, and is counted apart.
    /// The later one takes its place at the end. If there are more topics than room, the oldest
    /// message is dropped, and that is a loss. What was [sent](crate::PubSub::send_to) to the mailbox
    /// alone gives way to nothing but want of room.
    KeepLatest,
}
