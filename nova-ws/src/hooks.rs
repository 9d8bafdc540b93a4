//! What plugins do with the messages of a connection.

use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;

use nova_core::{BoxFuture, Extension};

use crate::close::CloseReason;
use crate::connection::Connection;
use crate::frame::Frame;
use crate::outcome::Outcome;

/// The side of a [`Plugin`](nova_core::Plugin) that sees the messages of WebSockets.
///
/// The plugin hands it over with [`message_hooks`]; without an
/// [`extension`](nova_core::Plugin::extension) that does, nobody calls its hooks. It is registered and listed as every plugin is;
/// where the list has it, its hooks run for the connections of the group's `ws` routes, beside what its
/// `pre_request` and `post_request` do for the request that opens one. They run in the order of the
/// list, and see the connection as its handler does.
///
/// ```
/// use nova_core::{Extension, Plugin};
/// use nova_ws::{Connection, Frame, MessageFlow, MessagePlugin, Outcome, message_hooks, ok};
///
/// /// Lets nobody shout.
/// #[derive(Clone)]
/// struct Quiet;
///
/// impl Plugin for Quiet {
///     fn extension(&self) -> Option<Extension> {
///         Some(message_hooks(self.clone()))
///     }
/// }
///
/// impl MessagePlugin for Quiet {
///     async fn pre_message(&self, frame: Frame, _conn: &Connection) -> MessageFlow {
///         match frame.as_text() {
///             Some(text) if text.ends_with('!') => MessageFlow::Stop(ok()),
///             _ => MessageFlow::Continue(frame),
///         }
///     }
/// }
/// ```
///
/// A hook that panics ends the connection with 1011, as a handler's callback does. While a hook waits,
/// nothing is read.
///
/// In Nova, these are `pre_ws_request`, `post_ws_request` and `post_ws_connection`.
pub trait MessagePlugin: Send + Sync + 'static {
    /// Looks at a message of the client's before the handler does, and may change it.
    fn pre_message(
        &self,
        frame: Frame,
        conn: &Connection,
    ) -> impl Future<Output = MessageFlow> + Send {
        let _ = conn;
        ready(MessageFlow::Continue(frame))
    }

    /// Looks at what a callback of the handler's returned, or at what a plugin
    /// [stopped](MessageFlow::Stop) with, before it is sent, and may change it.
    ///
    /// It does not see [shared](crate::WebSocket::shared) frames: those are made once for all
    /// connections.
    fn post_message(
        &self,
        outcome: Outcome,
        conn: &Connection,
    ) -> impl Future<Output = Outcome> + Send {
        let _ = conn;
        ready(outcome)
    }

    /// Called once when a connection has ended, after the handler's `terminate`.
    fn connection_closed(
        &self,
        reason: &CloseReason,
        conn: &Connection,
    ) -> impl Future<Output = ()> + Send {
        let _ = (reason, conn);
        ready(())
    }
}

/// How a message goes on after a [`MessagePlugin`].
#[derive(Debug)]
pub enum MessageFlow {
    /// To the plugins behind, and then to the handler.
    Continue(Frame),
    /// No further: neither the plugins behind this one nor the handler see the message, and this is
    /// done in their place. `Stop(ok())` drops it.
    Stop(Outcome),
}

/// What a plugin returns from [`extension`](nova_core::Plugin::extension) to see messages.
pub fn message_hooks(plugin: impl MessagePlugin) -> Extension {
    Arc::new(Hook(Arc::new(plugin)))
}

/// One plugin, with its type erased.
#[derive(Clone)]
pub(crate) struct Hook(Arc<dyn ErasedPlugin>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// The plugins of a route, in the order of their list.
#[derive(Debug, Default)]
pub(crate) struct Hooks(pub(crate) Box<[Hook]>);

impl Hooks {
    pub(crate) async fn pre_message(&self, mut frame: Frame, conn: &Connection) -> MessageFlow {
        for Hook(plugin) in &self.0 {
            match plugin.pre_message(frame, conn).await {
                MessageFlow::Continue(changed) => frame = changed,
                stop @ MessageFlow::Stop(_) => return stop,
            }
        }
        MessageFlow::Continue(frame)
    }

    pub(crate) async fn post_message(&self, mut outcome: Outcome, conn: &Connection) -> Outcome {
        for Hook(plugin) in &self.0 {
            outcome = plugin.post_message(outcome, conn).await;
        }
        outcome
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &dyn ErasedPlugin> {
        self.0.iter().map(|Hook(plugin)| &**plugin)
    }
}

pub(crate) trait ErasedPlugin: Send + Sync {
    fn pre_message<'a>(&'a self, frame: Frame, conn: &'a Connection) -> BoxFuture<'a, MessageFlow>;
    fn post_message<'a>(&'a self, outcome: Outcome, conn: &'a Connection)
    -> BoxFuture<'a, Outcome>;
    fn connection_closed<'a>(
        &'a self,
        reason: &'a CloseReason,
        conn: &'a Connection,
    ) -> BoxFuture<'a, ()>;
}

impl<P: MessagePlugin> ErasedPlugin for P {
    fn pre_message<'a>(&'a self, frame: Frame, conn: &'a Connection) -> BoxFuture<'a, MessageFlow> {
        Box::pin(MessagePlugin::pre_message(self, frame, conn))
    }

    fn post_message<'a>(
        &'a self,
        outcome: Outcome,
        conn: &'a Connection,
    ) -> BoxFuture<'a, Outcome> {
        Box::pin(MessagePlugin::post_message(self, outcome, conn))
    }

    fn connection_closed<'a>(
        &'a self,
        reason: &'a CloseReason,
        conn: &'a Connection,
    ) -> BoxFuture<'a, ()> {
        Box::pin(MessagePlugin::connection_closed(self, reason, conn))
    }
}
