//! What a program writes to send events.

use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use nova_core::pubsub::Message;
use nova_core::{BoxFuture, Request, Result, panic};
use tracing::error;

use super::end::EndReason;
use super::event::Event;
use super::outcome::{Outcome, ok};
use crate::connection::Connection;
use crate::handler::{Accept, Info};

/// A handler of clients that listen to events.
///
/// The value that is registered is the prototype: every client gets a clone, whose fields are the
/// state of its stream. The callbacks run one after the other, never two at once.
///
/// ```
/// use nova_core::{Request, Result};
/// use nova_ws::sse::{self, Event, EventSource, Outcome, last_event_id};
/// use nova_ws::{Accept, Connection, Info};
///
/// /// Counts what has happened since the client came, or since it came first.
/// #[derive(Clone, Default)]
/// struct Counter {
///     count: u64,
/// }
///
/// impl EventSource for Counter {
///     async fn init(&mut self, request: &Request, conn: &mut Connection) -> Result<Accept> {
///         conn.join("clicks");
///         self.count = last_event_id(request).unwrap_or(0);
///         Ok(Accept::Yes)
///     }
///
///     async fn info(&mut self, _info: Info, _conn: &mut Connection) -> Outcome {
///         self.count += 1;
///         sse::send(Event::text(self.count.to_string()).id(self.count))
///     }
/// }
/// ```
///
/// While a callback waits, what was sent before still leaves. That the client has gone is noticed
/// when the callback is done. Long work belongs in a task of its own, which broadcasts its result.
///
/// A callback that panics ends its stream, and is logged; no other client notices.
///
/// # Cancel safety
/// `init` is dropped when the client hangs up. The other callbacks run to their end; when the app
/// stops, they have 3 s for it, or half of what is left of `server.shutdown_drain_timeout` if that is less,
/// and `terminate` has the rest.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no source of events",
    note = "implement `nova_ws::sse::EventSource` for it; it must be `Clone`, for every client gets a clone"
)]
pub trait EventSource: Clone + Send + Sync + 'static {
    /// Looks at the request, and accepts or refuses it. The place to join channels: what is
    /// broadcast there from now on arrives behind what [`started`](Self::started) sends.
    ///
    /// # Errors
    /// An error is the client's answer in place of events, as a controller's would be.
    fn init(
        &mut self,
        request: &Request,
        conn: &mut Connection,
    ) -> impl Future<Output = Result<Accept>> + Send {
        let _ = (request, conn);
        async { Ok(Accept::Yes) }
    }

    /// Sends the first events, such as what a client that comes back has missed: read what there is
    /// here, after `init` has joined the channel, and nothing falls between. An event may then come
    /// twice.
    fn started(&mut self, conn: &mut Connection) -> impl Future<Output = Outcome> + Send {
        let _ = conn;
        async { ok() }
    }

    /// Answers what comes from inside the app, for this one client: the messages that
    /// [`shared`](Self::shared) hands on, and what is [sent](crate::Sender::send) to it alone.
    ///
    /// While it waits, later messages of this client wait too: events leave in the order of the
    /// messages that they are for.
    fn info(&mut self, info: Info, conn: &mut Connection) -> impl Future<Output = Outcome> + Send {
        let _ = (info, conn);
        async { ok() }
    }

    /// What every client of this handler gets for `message`, whatever its state.
    ///
    /// It depends on the message alone, and runs at most once for each message, however many
    /// clients there are; all get the same bytes. It never runs inside a broadcast, but in the task
    /// of the first client that comes to the message; the others wait for it, so it should be quick.
    /// If it panics, that is logged, and the message dropped for this handler.
    ///
    /// **Default:** [`Shared::Info`], which hands every message to [`info`](Self::info).
    fn shared(message: &Message) -> Shared {
        let _ = message;
        Shared::Info
    }

    /// Called once when the stream has ended, for whatever reason. Nothing can be sent any more.
    ///
    /// It is called whenever [`init`](Self::init) has accepted, also where nothing came of it: the client
    /// had gone, or its session had ended meanwhile. Then the reason is
    /// [`Disconnected`](EndReason::Disconnected).
    fn terminate(
        &mut self,
        reason: &EndReason,
        conn: &mut Connection,
    ) -> impl Future<Output = ()> + Send {
        let _ = (reason, conn);
        async {}
    }
}

/// What all clients of a handler get for a message: see [`EventSource::shared`].
#[derive(Debug, Clone)]
pub enum Shared {
    /// This event.
    Event(Event),
    /// What each client's [`EventSource::info`] says.
    Info,
    /// Nothing.
    Nothing,
}

/// The same, ready to be sent.
pub(super) enum Encoded {
    Event(Bytes),
    Info,
    Nothing,
}

/// [`EventSource`] with its type erased: the prototype of a route, or one client's clone.
pub(super) trait ErasedSource: Send + Sync {
    fn clone_boxed(&self) -> Box<dyn ErasedSource>;
    fn init<'a>(
        &'a mut self,
        request: &'a Request,
        conn: &'a mut Connection,
    ) -> BoxFuture<'a, Result<Accept>>;
    fn started<'a>(&'a mut self, conn: &'a mut Connection) -> BoxFuture<'a, Outcome>;
    fn info<'a>(&'a mut self, info: Info, conn: &'a mut Connection) -> BoxFuture<'a, Outcome>;
    /// The one answer to this message for the handler's type.
    fn shared(&self, message: &Message) -> Arc<Encoded>;
    fn terminate<'a>(
        &'a mut self,
        reason: &'a EndReason,
        conn: &'a mut Connection,
    ) -> BoxFuture<'a, ()>;
}

/// Keys what is derived from a message for the handler `H`.
struct SharedOf<H>(PhantomData<H>);

impl<H: EventSource> ErasedSource for H {
    fn clone_boxed(&self) -> Box<dyn ErasedSource> {
        Box::new(self.clone())
    }

    fn init<'a>(
        &'a mut self,
        request: &'a Request,
        conn: &'a mut Connection,
    ) -> BoxFuture<'a, Result<Accept>> {
        Box::pin(EventSource::init(self, request, conn))
    }

    fn started<'a>(&'a mut self, conn: &'a mut Connection) -> BoxFuture<'a, Outcome> {
        Box::pin(EventSource::started(self, conn))
    }

    fn info<'a>(&'a mut self, info: Info, conn: &'a mut Connection) -> BoxFuture<'a, Outcome> {
        Box::pin(EventSource::info(self, info, conn))
    }

    fn shared(&self, message: &Message) -> Arc<Encoded> {
        message.derived::<SharedOf<H>, _>(encoded::<H>)
    }

    fn terminate<'a>(
        &'a mut self,
        reason: &'a EndReason,
        conn: &'a mut Connection,
    ) -> BoxFuture<'a, ()> {
        Box::pin(EventSource::terminate(self, reason, conn))
    }
}

/// What `H` shares for `message`; what fails is told once, and nobody gets anything.
fn encoded<H: EventSource>(message: &Message) -> Encoded {
    let shared = catch_unwind(AssertUnwindSafe(|| H::shared(message)));
    let failed = match shared {
        Ok(Shared::Info) => return Encoded::Info,
        Ok(Shared::Nothing) => return Encoded::Nothing,
        Ok(Shared::Event(event)) => match event.encode() {
            Ok(bytes) => return Encoded::Event(bytes),
            Err(mistake) => mistake.to_string(),
        },
        Err(panic) => format!("it panicked: {}", panic::message(&*panic)),
    };
    error!(
        channel = message.channel(),
        topic = message.topic(),
        "the message is dropped for `shared` of `{}`: {failed}",
        std::any::type_name::<H>()
    );
    Encoded::Nothing
}
