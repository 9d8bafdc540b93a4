//! The life of one stream.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use nova_core::pubsub::{Message, Received};
use nova_core::{Stopping, panic};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, error};

use super::end::EndReason;
use super::handler::{Encoded, ErasedSource};
use super::outcome::Outcome;
use super::outgoing::{Outgoing, SendError};
use super::retry::retry;
use crate::close::Close;
use crate::connection::Connection;
use crate::handler::Info;
use crate::sender::{self, Control};

/// What nobody sees (WHATWG HTML §9.2.6), for proxies that close silent connections.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");
/// How long a stream may be silent.
const COMMENT_EVERY: Duration = Duration::from_secs(25);
/// How long a callback may go on when the app stops, before it is dropped.
const CALLBACK_GRACE: Duration = Duration::from_secs(3);
/// How many messages are sent, and how many bytes may wait, before others have their turn.
const MESSAGES_AT_ONCE: usize = 64;
const BYTES_AT_ONCE: usize = 64 * 1024;
/// When a client comes back that was cut off: about what browsers do, who differ.
const RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(5));
/// When all clients come back at once, to an app that has just started.
const RETRY_AFTER_A_STOP: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// What `init` has accepted.
pub(super) struct Accepted {
    pub(super) handler: Box<dyn ErasedSource>,
    pub(super) conn: Connection,
    /// The path of the request, for the log.
    pub(super) path: Box<str>,
}

impl Accepted {
    /// Runs the stream to its end; there is none if the client wants the head alone.
    pub(super) async fn run(self, outgoing: Option<Outgoing>, stopping: Stopping) {
        let Accepted {
            mut handler,
            mut conn,
            path,
        } = self;
        let reason = match outgoing {
            Some(outgoing) => {
                let session = Session {
                    handler: &mut *handler,
                    conn: &mut conn,
                    path: &path,
                    stopping,
                    wire: Wire {
                        outgoing,
                        silent_until: Instant::now() + COMMENT_EVERY,
                    },
                };
                session.run().await
            }
            None => EndReason::Disconnected,
        };
        conn.mailbox.leave_all();
        debug!(path, ?reason, "a stream of events ended");
        let terminate = async { handler.terminate(&reason, &mut conn).await };
        if let Err(panic) = panic::catch(terminate).await {
            error!(path, "`terminate` panicked: {panic}");
        }
    }
}

/// One stream and its handler.
struct Session<'a> {
    handler: &'a mut dyn ErasedSource,
    conn: &'a mut Connection,
    path: &'a str,
    stopping: Stopping,
    wire: Wire,
}

impl Session<'_> {
    async fn run(mut self) -> EndReason {
        let Err(reason) = self.until_end().await;
        let outgoing = &self.wire.outgoing;
        match reason {
            EndReason::TooSlow => outgoing.abandon(),
            EndReason::Shutdown => {
                // One whose queue is full has been told another time.
                let _ = outgoing.send(retry(RETRY_AFTER_A_STOP.0, RETRY_AFTER_A_STOP.1));
                outgoing.end();
            }
            _ => outgoing.end(),
        }
        reason
    }

    async fn until_end(&mut self) -> Result<Infallible, EndReason> {
        self.wire.send(retry(RETRY.0, RETRY.1))?;
        let (handler, conn) = (&mut *self.handler, &mut *self.conn);
        let callback = async { handler.started(conn).await };
        let outcome = self.wire.outcome_of(&self.stopping, callback).await?;
        self.answer("started", outcome).await?;
        loop {
            self.deliver_waiting().await?;
            tokio::select! {
                biased;
                () = self.stopping.wait() => return Err(EndReason::Shutdown),
                () = self.wire.outgoing.gone() => return Err(EndReason::Disconnected),
                received = self.conn.mailbox.recv() => self.received(received).await?,
                () = sleep_until(self.wire.silent_until) => self.wire.comment()?,
            }
        }
    }

    /// Sends what has arrived from channels, some at once: it leaves in one write.
    async fn deliver_waiting(&mut self) -> Result<(), EndReason> {
        for _ in 0..MESSAGES_AT_ONCE {
            if self.wire.outgoing.waiting() > BYTES_AT_ONCE {
                break;
            }
            match self.conn.mailbox.try_recv() {
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
        let Outcome { events, stop } = outcome.map_err(|panic| {
            error!(path = self.path, "`{callback}` panicked: {panic}");
            EndReason::Panicked(panic)
        })?;
        for event in events {
            match event.encode() {
                Ok(event) => self.wire.send_in_time(event, &self.stopping).await?,
                Err(mistake) => {
                    error!(path = self.path, "`{callback}` has an event: {mistake}");
                }
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
    /// When something has to be sent, if nothing is sent before.
    silent_until: Instant,
}

impl Wire {
    fn send(&mut self, event: Bytes) -> Result<(), EndReason> {
        self.silent_until = Instant::now() + COMMENT_EVERY;
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
        self.silent_until = Instant::now() + COMMENT_EVERY;
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
        let mut too_long = pin!(async {
            stopping.wait().await;
            sleep(CALLBACK_GRACE).await;
        });
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
