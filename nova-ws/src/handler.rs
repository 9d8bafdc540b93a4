//! What a program writes to answer WebSocket connections.

use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use nova_core::pubsub::Message;
use nova_core::{BoxFuture, Reply, Request, Result, panic};
use tracing::{error, warn};

use crate::close::CloseReason;
use crate::codec::{self, Encoder, TungsteniteEncoder};
use crate::connection::Connection;
use crate::frame::Frame;
use crate::outcome::{Outcome, ok};

/// A handler of WebSocket connections.
///
/// The value that is registered is the prototype: every connection gets a clone, whose fields are
/// the state of that connection. Its callbacks run one after the other, never two at once.
///
/// ```
/// use nova_core::{Request, Result, status};
/// use nova_ws::{Accept, Connection, Frame, Outcome, WebSocket, reply};
///
/// #[derive(Clone, Default)]
/// struct Counter {
///     frames: u32,
/// }
///
/// impl WebSocket for Counter {
///     async fn init(&mut self, request: &Request, _conn: &mut Connection) -> Result<Accept> {
///         match request.header("x-ticket") {
///             Some(_) => Ok(Accept::Yes),
///             None => Ok(Accept::Refuse(status(401))),
///         }
///     }
///
///     async fn handle(&mut self, _frame: Frame, _conn: &mut Connection) -> Outcome {
///         self.frames += 1;
///         reply(Frame::text(self.frames.to_string()))
///     }
/// }
/// ```
///
/// The callbacks, in the order of a connection's life: `init` before the upgrade, `started` after it,
/// `handle`, `ping` and `info` as things come, and `terminate`.
///
/// While a callback waits, what was sent before still leaves, but nothing is read: frames and pings
/// of the client wait, and that it is gone is noticed later. Long work belongs in a task of its
/// own, which broadcasts its result.
///
/// A callback that panics ends its connection with 1011, and is logged; no other connection
/// notices.
///
/// # Cancel safety
/// `init` is dropped when the client hangs up. The other callbacks run to their end; when the app
/// stops, they have 3 s for it, or half of what is left of `server.shutdown_drain_timeout` if that is less,
/// and `terminate` has the rest.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no WebSocket handler",
    note = "implement `nova_ws::WebSocket` for it; it must be `Clone`, for every connection gets a clone"
)]
pub trait WebSocket: Clone + Send + Sync + 'static {
    /// Looks at the request before the upgrade, and accepts or refuses it. The place to join
    /// channels: what is broadcast there from now on arrives, from the 101 on.
    ///
    /// # Errors
    /// An error is the client's answer in place of the upgrade, as a controller's would be.
    fn init(
        &mut self,
        request: &Request,
        conn: &mut Connection,
    ) -> impl Future<Output = Result<Accept>> + Send {
        let _ = (request, conn);
        async { Ok(Accept::Yes) }
    }

    /// Begins: what it returns is the first that the client gets. Messages of channels come after.
    fn started(&mut self, conn: &mut Connection) -> impl Future<Output = Outcome> + Send {
        let _ = conn;
        async { ok() }
    }

    /// Answers a text or binary frame of the client's.
    fn handle(
        &mut self,
        frame: Frame,
        conn: &mut Connection,
    ) -> impl Future<Output = Outcome> + Send {
        let _ = (frame, conn);
        async { ok() }
    }

    /// Looks at a ping of the client's, which has been answered. For handlers that want to know
    /// how the client is.
    fn ping(
        &mut self,
        payload: Bytes,
        conn: &mut Connection,
    ) -> impl Future<Output = Outcome> + Send {
        let _ = (payload, conn);
        async { ok() }
    }

    /// Answers what comes from inside the app, for this one connection: the messages that
    /// [`shared`](Self::shared) hands on, and what is [sent](crate::Sender::send) to it alone.
    ///
    /// While it waits, later messages of this connection wait too: frames leave in the order of
    /// the messages that they are for.
    fn info(&mut self, info: Info, conn: &mut Connection) -> impl Future<Output = Outcome> + Send {
        let _ = (info, conn);
        async { ok() }
    }

    /// What every connection of this handler sends for `message`, whatever its state.
    ///
    /// It depends on the message alone, and runs at most once for each message, however many
    /// connections there are; all send the same frame. It never runs inside a broadcast, but in
    /// a task that writes to many sockets; they wait for it, so it should be quick. If it panics, that is logged, and the message dropped for this handler.
    ///
    /// **Default:** [`Shared::Info`], which hands every message to [`info`](Self::info).
    fn shared(message: &Message) -> Shared {
        let _ = message;
        Shared::Info
    }

    /// Called once when the connection has ended, for whatever reason. Nothing can be sent any more.
    ///
    /// It is called whenever [`init`](Self::init) has accepted, also where nothing came of it: the client
    /// had gone, its session had ended meanwhile, it speaks none of the sub-protocols, or a plugin has
    /// changed the 101. Then the reason is [`Disconnected`](CloseReason::Disconnected).
    fn terminate(
        &mut self,
        reason: &CloseReason,
        conn: &mut Connection,
    ) -> impl Future<Output = ()> + Send {
        let _ = (reason, conn);
        async {}
    }
}

/// Whether a handler takes a connection.
#[derive(Debug)]
pub enum Accept {
    /// It does.
    Yes,
    /// It does, and they speak this sub-protocol, in place of the one that the limits have chosen.
    /// It is one of those that the client [offers](Connection::offered_protocols): any other is a
    /// mistake of the handler's, and the client gets a 500.
    Protocol(String),
    /// It does not, and this is the answer: `Accept::Refuse(status(401))`.
    Refuse(Reply),
}

/// What reaches a connection from inside the app.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Info {
    /// A message of a channel that the connection has joined.
    Published(Message),
    /// What was sent to this connection alone, by its [`Sender`](crate::Sender) or
    /// [`PubSub::send_to`](nova_core::pubsub::PubSub::send_to).
    Sent(Message),
}

/// What all connections of a handler do with a message: see [`WebSocket::shared`].
#[derive(Debug, Clone)]
pub enum Shared {
    /// Send this frame.
    Frame(Frame),
    /// Ask each connection's [`WebSocket::info`].
    Info,
    /// Send nothing.
    Nothing,
}

impl Shared {
    /// A text frame.
    pub fn text(text: impl Into<String>) -> Self {
        Shared::Frame(Frame::text(text))
    }

    /// A text frame with `value` as JSON. A value that does not serialise is logged, and nothing
    /// sent.
    pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Self {
        match Frame::json(value) {
            Ok(frame) => Shared::Frame(frame),
            Err(error) => {
                warn!("a shared frame does not serialise and is not sent: {error}");
                Shared::Nothing
            }
        }
    }
}

/// [`Shared`], with its frame as it leaves.
pub(crate) enum Made {
    Frame(Encoded),
    Info,
    Nothing,
}

/// A frame with its head, for whoever sends it.
#[derive(Clone)]
pub(crate) struct Encoded {
    pub(crate) frame: Bytes,
    /// How many bytes of it are the payload.
    pub(crate) payload: usize,
}

impl Encoded {
    fn new(frame: Frame) -> Self {
        let message = codec::Message::Data(frame);
        let mut encoded = BytesMut::new();
        TungsteniteEncoder.encode(&message, &mut encoded);
        Encoded {
            frame: encoded.freeze(),
            payload: message.payload_len(),
        }
    }
}

/// [`WebSocket`] with its type erased: the prototype of a route, or one connection's clone.
pub(crate) trait ErasedHandler: Send + Sync {
    fn clone_boxed(&self) -> Box<dyn ErasedHandler>;
    fn init<'a>(
        &'a mut self,
        request: &'a Request,
        conn: &'a mut Connection,
    ) -> BoxFuture<'a, Result<Accept>>;
    fn started<'a>(&'a mut self, conn: &'a mut Connection) -> BoxFuture<'a, Outcome>;
    fn handle<'a>(&'a mut self, frame: Frame, conn: &'a mut Connection) -> BoxFuture<'a, Outcome>;
    fn ping<'a>(&'a mut self, payload: Bytes, conn: &'a mut Connection) -> BoxFuture<'a, Outcome>;
    fn info<'a>(&'a mut self, info: Info, conn: &'a mut Connection) -> BoxFuture<'a, Outcome>;
    /// What came of [`WebSocket::shared`] for this message and handler type, once for all.
    fn shared(&self, message: &Message) -> Arc<Made>;
    fn terminate<'a>(
        &'a mut self,
        reason: &'a CloseReason,
        conn: &'a mut Connection,
    ) -> BoxFuture<'a, ()>;
}

/// Keys what is derived from a message for the handler `H`.
struct SharedOf<H>(PhantomData<H>);

impl<H: WebSocket> ErasedHandler for H {
    fn clone_boxed(&self) -> Box<dyn ErasedHandler> {
        Box::new(self.clone())
    }

    fn init<'a>(
        &'a mut self,
        request: &'a Request,
        conn: &'a mut Connection,
    ) -> BoxFuture<'a, Result<Accept>> {
        Box::pin(WebSocket::init(self, request, conn))
    }

    fn started<'a>(&'a mut self, conn: &'a mut Connection) -> BoxFuture<'a, Outcome> {
        Box::pin(WebSocket::started(self, conn))
    }

    fn ping<'a>(&'a mut self, payload: Bytes, conn: &'a mut Connection) -> BoxFuture<'a, Outcome> {
        Box::pin(WebSocket::ping(self, payload, conn))
    }

    fn handle<'a>(&'a mut self, frame: Frame, conn: &'a mut Connection) -> BoxFuture<'a, Outcome> {
        Box::pin(WebSocket::handle(self, frame, conn))
    }

    fn info<'a>(&'a mut self, info: Info, conn: &'a mut Connection) -> BoxFuture<'a, Outcome> {
        Box::pin(WebSocket::info(self, info, conn))
    }

    fn shared(&self, message: &Message) -> Arc<Made> {
        message.derived::<SharedOf<H>, _>(|message| {
            match catch_unwind(AssertUnwindSafe(|| H::shared(message))) {
                Ok(Shared::Frame(frame)) => Made::Frame(Encoded::new(frame)),
                Ok(Shared::Info) => Made::Info,
                Ok(Shared::Nothing) => Made::Nothing,
                Err(panic) => {
                    let panic = panic::message(&*panic);
                    error!(
                        channel = message.channel(),
                        topic = message.topic(),
                        "`shared` of `{}` panicked, and the message is dropped for it: {panic}",
                        std::any::type_name::<H>()
                    );
                    Made::Nothing
                }
            }
        })
    }

    fn terminate<'a>(
        &'a mut self,
        reason: &'a CloseReason,
        conn: &'a mut Connection,
    ) -> BoxFuture<'a, ()> {
        Box::pin(WebSocket::terminate(self, reason, conn))
    }
}
