//! The life of one stream.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use nova_core::pubsub::{Message, Received};
use nova_core::{Stopping, panic};
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error};

use super::end::EndReason;
use super::handler::{Encoded, ErasedSource};
use super::opening::Route;
use super::outcome::Outcome;
use super::outgoing::{Outgoing, SendError};
use super::retry;
use crate::close::Close;
use crate::connection::Connection;
use crate::grace::{self, grace};
use crate::handler::Info;
use crate::open::Permit;
use crate::sender::{self, Control};

/// What nobody sees (WHATWG HTML §9.2.6), for proxies that close silent connections.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");
/// How many messages are sent, and how many bytes may wait, before others have their turn.
const MESSAGES_AT_ONCE: usize = 64;
const BYTES_AT_ONCE: usize = 64 * 1024;

/// What `init` has accepted.
pub(super) struct Accepted {
    pub(super) handler: Box<dyn ErasedSource>,
    pub(super) conn: Connection,
    pub(super) route: Arc<Route>,
    /// Let go of at the end.
    pub(super) permits: Vec<Permit>,
}

impl Accepted {
    /// Tells the handler that there is no stream after all: the client has gone, or gets another
    /// answer.
    pub(super) fn end_unopened(self) {
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(self.end(EndReason::Disconnected));
        }
    }

    /// Runs the stream to its end; there is none if the client wants the head alone.
    pub(super) async fn run(mut self, outgoing: Option<Outgoing>, stopping: Stopping) {
        let reason = match outgoing {
            Some(outgoing) => {
                let session = Session {
                    handler: &mut *self.handler,
                    conn: &mut self.conn,
                    route: &self.route,
                    stopping,
                    wire: Wire::new(outgoing, self.route.limits.comment_interval),
                };
                session.run().await
            }
            None => EndReason::Disconnected,
        };
        self.end(reason).await;
    }

    async fn end(self, reason: EndReason) {
        let Accepted {
            mut handler,
            mut conn,
            route,
            permits: _permits,
        } = self;
        conn.membership.leave_all();
        let (name, path) = (&*route.name, conn.path());
        debug!(route = name, path, ?reason, "a stream of events ended");
        let terminate = async { handler.terminate(&reason, &mut conn).await };
        if let Err(panic) = panic::catch(terminate).await {
            let path = conn.path();
            error!(route = name, path, "`terminate` panicked: {panic}");
        }
    }
}

/// One stream and its handler.
struct Session<'a> {
    handler: &'a mut dyn ErasedSource,
    conn: &'a mut Connection,
    route: &'a Route,
    stopping: Stopping,
    wire: Wire,
}

impl Session<'_> {
    async fn run(mut self) -> EndReason {
        let _in_crowd = self.route.crowd.enter();
        let Err(reason) = self.until_end().await;
        let outgoing = &self.wire.outgoing;
        match reason {
            EndReason::TooSlow => outgoing.abandon(),
            EndReason::Shutdown => {
                // One whose queue is full has been told another time.
                let _ = outgoing.send(retry::block(self.route.crowd.retry()));
                outgoing.end();
            }
            _ => outgoing.end(),
        }
        reason
    }

    async fn until_end(&mut self) -> Result<Infallible, EndReason> {
        self.wire.send(retry::usual())?;
        let (handler, conn) = (&mut *self.handler, &mut *self.conn);
        let callback = async { handler.started(conn).await };
        let outcome = self.wire.outcome_of(&self.stopping, callback).await?;
        self.answer("started", outcome).await?;
        // When the turn of this client comes, once the app stops.
        let mut leaves: Option<Instant> = None;
        loop {
            self.deliver_waiting().await?;
            let due = self.wire.silent_until;
            tokio::select! {
                biased;
                () = self.stopping.wait(), if leaves.is_none() => {
                    let turn = self.route.crowd.turn(self.stopping.time_left());
                    leaves = Some(Instant::now() + turn);
                }
                () = sleep_until(leaves.unwrap_or(due)), if leaves.is_some() => {
                    return Err(EndReason::Shutdown);
                }
                () = self.wire.outgoing.gone() => return Err(EndReason::Disconnected),
                received = self.conn.membership.recv() => self.received(received).await?,
                () = sleep_until(due) => self.wire.comment()?,
            }
        }
    }

    /// Sends what has arrived from channels, some at once: it leaves in one write.
    async fn deliver_waiting(&mut self) -> Result<(), EndReason> {
        for _ in 0..MESSAGES_AT_ONCE {
            if self.wire.outgoing.waiting() > BYTES_AT_ONCE {
                break;
            }
            match self.conn.membership.try_recv() {
                None => return Ok(()),
                received => self.received(received).await?,
            }
        }
        // In a flood of messages, other tasks have their turn too, and the client a chance to
        // read, before it is found to be too slow.
        yield_now().await;
        Ok(())
    }

    async fn received(&mut self, received: Option<Received>) -> Result<(), EndReason> {
        match received {
            Some(Received::Message(message)) => self.deliver(message).await,
            // Events are missing from here on: better a client that comes back.
            Some(Received::Lagged(_)) => Err(EndReason::TooSlow),
            None => Err(EndReason::Shutdown),
        }
    }

    async fn deliver(&mut self, message: Message) -> Result<(), EndReason> {
        match sender::control(&message, self.conn) {
            Some(Control::Close(Close { code, reason })) => {
                return Err(EndReason::Ordered { code, reason });
            }
            Some(Control::Nothing) => return Ok(()),
            None => {}
        }
        if message.is_direct() {
            return self.info(Info::Sent(message)).await;
        }
        match &*self.handler.shared(&message) {
            Encoded::Event(event) => self.wire.send(event.clone()),
            Encoded::Nothing => Ok(()),
            Encoded::Info => self.info(Info::Published(message)).await,
        }
    }

    async fn info(&mut self, info: Info) -> Result<(), EndReason> {
        let (handler, conn) = (&mut *self.handler, &mut *self.conn);
        let callback = async { handler.info(info, conn).await };
        let outcome = self.wire.outcome_of(&self.stopping, callback).await?;
        self.answer("info", outcome).await
    }

    /// Does what a callback said, or ends a stream whose callback panicked.
    async fn answer(
        &mut self,
        callback: &str,
        outcome: Result<Outcome, String>,
    ) -> Result<(), EndReason> {
        let (route, path) = (&*self.route.name, self.conn.path());
        let Outcome { events, stop } = outcome.map_err(|panic| {
            error!(route, path, "`{callback}` panicked: {panic}");
            EndReason::Panicked(panic)
        })?;
        for event in events {
            match event.encode() {
                Ok(event) => self.wire.send_in_time(event, &self.stopping).await?,
                Err(mistake) => error!(route, path, "an event of `{callback}`: {mistake}"),
            }
        }
        match stop {
            true => Err(EndReason::Stopped),
            false => Ok(()),
        }
    }
}

/// The way to the client.
struct Wire {
    outgoing: Outgoing,
    /// How long a stream may be silent.
    silence: Duration,
    /// When something has to be sent, if nothing is sent before.
    silent_until: Instant,
}

impl Wire {
    fn new(outgoing: Outgoing, silence: Duration) -> Self {
        Wire {
            outgoing,
            silence,
            silent_until: Instant::now() + silence,
        }
    }

    fn send(&mut self, event: Bytes) -> Result<(), EndReason> {
        self.silent_until = Instant::now() + self.silence;
        self.outgoing.send(event).map_err(|error| match error {
            SendError::Full => EndReason::TooSlow,
            SendError::Gone => EndReason::Disconnected,
        })
    }

    /// Waits for room first.
    async fn send_in_time(&mut self, event: Bytes, stopping: &Stopping) -> Result<(), EndReason> {
        tokio::select! {
            biased;
            () = self.outgoing.room(event.len()) => self.send(event),
            () = stopping.wait() => Err(EndReason::Shutdown),
        }
    }

    /// What waits for a slow client is as good as a comment.
    fn comment(&mut self) -> Result<(), EndReason> {
        if self.outgoing.waiting() == 0 {
            return self.send(COMMENT);
        }
        self.silent_until = Instant::now() + self.silence;
        Ok(())
    }

    /// What a callback returned, or the message of its panic; the end, if it goes on for too long
    /// when the app stops. The stream is not silent meanwhile.
    async fn outcome_of(
        &mut self,
        stopping: &Stopping,
        callback: impl Future<Output = Outcome>,
    ) -> Result<Result<Outcome, String>, EndReason> {
        let mut callback = pin!(panic::catch(callback));
        let mut too_long = pin!(grace(stopping, grace::OF_CALLBACK));
        loop {
            tokio::select! {
                biased;
                outcome = &mut callback => return Ok(outcome),
                () = &mut too_long => return Err(EndReason::Shutdown),
                () = sleep_until(self.silent_until) => {
                    // That the client has gone shows when the callback is done.
                    let _ = self.comment();
                }
            }
        }
    }
}
