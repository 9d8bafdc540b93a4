//! The life of one connection after the upgrade.

use std::io;
use std::time::Duration;

use nova_core::pubsub::{Message, Received};
use nova_core::{Stopping, Upgraded, panic};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, error};

use crate::close::{Close, CloseReason};
use crate::codec::{self, Limits};
use crate::connection::Connection;
use crate::handler::{ErasedHandler, Info, Shared};
use crate::outcome::Outcome;
use crate::wire::{ReadError, SendError, Wire};

/// How often a client is pinged.
const PING_EVERY: Duration = Duration::from_secs(25);
/// How long after a ping something has to come from the client.
const PONG_WITHIN: Duration = Duration::from_secs(20);
/// How long a callback may go on when the app stops, before it is dropped.
const CALLBACK_GRACE: Duration = Duration::from_secs(3);
/// How many messages are sent before the socket is looked at again.
const MESSAGES_AT_ONCE: usize = 64;

/// One connection and its handler.
struct Session<'a> {
    handler: &'a mut dyn ErasedHandler,
    conn: &'a mut Connection,
    path: &'a str,
    stopping: Stopping,
}

/// How a connection ends, towards the client and towards the handler.
struct End {
    close: Option<Close>,
    reason: CloseReason,
}

impl End {
    fn with(code: u16, text: &str, reason: CloseReason) -> Self {
        End {
            close: Some(Close::new(code, text)),
            reason,
        }
    }

    fn without_close(reason: CloseReason) -> Self {
        End {
            close: None,
            reason,
        }
    }
}

impl From<SendError> for End {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Full => too_slow(),
            SendError::Gone => End::without_close(CloseReason::Disconnected),
        }
    }
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Gone => End::without_close(CloseReason::Disconnected),
            ReadError::Violation(violation) => {
                let told = violation.to_string();
                let reason = CloseReason::Violation(told.clone());
                End::with(violation.code(), &told, reason)
            }
        }
    }
}

fn too_slow() -> End {
    let text = "the connection fell behind";
    End::with(Close::TRY_AGAIN_LATER, text, CloseReason::TooSlow)
}

fn shutdown() -> End {
    End::with(Close::GOING_AWAY, "the server stops", CloseReason::Shutdown)
}

/// What `init` has accepted, before there is a connection.
pub(crate) struct Accepted {
    pub(crate) handler: Box<dyn ErasedHandler>,
    pub(crate) conn: Connection,
    /// The path of the request, for the log.
    pub(crate) path: Box<str>,
}

impl Accepted {
    /// Runs the connection to its end, or tells the handler that there is none.
    pub(crate) async fn run(self, upgraded: io::Result<Upgraded>) {
        let Accepted {
            mut handler,
            mut conn,
            path,
        } = self;
        let reason = match upgraded {
            Ok(upgraded) => {
                let mut session = Session {
                    handler: &mut *handler,
                    conn: &mut conn,
                    path: &path,
                    stopping: upgraded.stopping(),
                };
                session.talk(upgraded).await
            }
            Err(error) => {
                debug!(path, "no upgrade: {error}");
                CloseReason::Disconnected
            }
        };
        conn.mailbox.leave_all();
        debug!(path, ?reason, "a WebSocket ended");
        let terminate = async { handler.terminate(&reason, &mut conn).await };
        if let Err(panic) = panic::catch(terminate).await {
            error!(path, "`terminate` panicked: {panic}");
        }
    }
}

impl Session<'_> {
    async fn talk(&mut self, upgraded: Upgraded) -> CloseReason {
        let mut wire = Wire::new(upgraded, Limits::default());
        let End { close, reason } = self.until_end(&mut wire).await;
        self.conn.mailbox.leave_all(); // a connection that is closing is no member any more
        match close {
            Some(close) => wire.close(close).await,
            None if matches!(reason, CloseReason::Remote { .. }) => wire.see_off().await,
            None => drop(wire),
        }
        reason
    }

    async fn until_end(&mut self, wire: &mut Wire) -> End {
        let mut heartbeat = Heartbeat::new();
        loop {
            if let Err(end) = self.deliver_waiting(wire).await {
                return end;
            }
            let step = tokio::select! {
                biased;
                () = self.stopping.wait() => return shutdown(),
                read = wire.next() => {
                    heartbeat.heard();
                    self.read(wire, read).await
                }
                received = self.conn.mailbox.recv() => self.received(wire, received).await,
                () = sleep_until(heartbeat.due) => heartbeat.beat(wire),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Sends what has arrived from channels, some at once: it leaves in one write.
    async fn deliver_waiting(&mut self, wire: &mut Wire) -> Result<(), End> {
        for _ in 0..MESSAGES_AT_ONCE {
            match self.conn.mailbox.try_recv() {
                None => return Ok(()),
                received => self.received(wire, received).await?,
            }
        }
        // In a flood of messages, other tasks have their turn too, and the client a chance to
        // read, before it is found to be too slow.
        wire.flush_while(yield_now()).await;
        Ok(())
    }

    async fn received(&mut self, wire: &mut Wire, received: Option<Received>) -> Result<(), End> {
        match received {
            Some(Received::Message(message)) => self.deliver(wire, message).await,
            // Frames are missing from here on: better a client that connects anew.
            Some(Received::Lagged(_)) => Err(too_slow()),
            None => Err(shutdown()),
        }
    }

    async fn deliver(&mut self, wire: &mut Wire, message: Message) -> Result<(), End> {
        match &*self.handler.shared(&message) {
            Shared::Frame(frame) => Ok(wire.send(frame.clone())?),
            Shared::Nothing => Ok(()),
            Shared::Info => {
                let (handler, conn) = (&mut *self.handler, &mut *self.conn);
                let info = Info::Published(message);
                let callback = async { handler.info(info, conn).await };
                let outcome = outcome_of(wire, &self.stopping, callback).await?;
                self.answer("info", wire, outcome)
            }
        }
    }

    async fn read(
        &mut self,
        wire: &mut Wire,
        read: Result<codec::Message, ReadError>,
    ) -> Result<(), End> {
        let frame = match read? {
            codec::Message::Data(frame) => frame,
            codec::Message::Ping(_) | codec::Message::Pong(_) => return Ok(()),
            codec::Message::Close(close) => {
                let reason = CloseReason::Remote {
                    code: close.as_ref().map(|close| close.code),
                    reason: close.map(|close| close.reason).unwrap_or_default(),
                };
                return Err(End::without_close(reason));
            }
        };
        let (handler, conn) = (&mut *self.handler, &mut *self.conn);
        let callback = async { handler.handle(frame, conn).await };
        let outcome = outcome_of(wire, &self.stopping, callback).await?;
        self.answer("handle", wire, outcome)
    }

    /// Does what a callback said, or ends a connection whose callback panicked.
    fn answer(
        &self,
        callback: &str,
        wire: &mut Wire,
        outcome: Result<Outcome, String>,
    ) -> Result<(), End> {
        let Outcome { frames, stop } = outcome.map_err(|panic| {
            error!(path = self.path, "`{callback}` panicked: {panic}");
            End::with(Close::INTERNAL_ERROR, "", CloseReason::Panicked(panic))
        })?;
        for frame in frames {
            wire.send(frame)?;
        }
        match stop {
            None => Ok(()),
            close => Err(End {
                close,
                reason: CloseReason::Stopped,
            }),
        }
    }
}

/// What a callback returned, or the message of its panic; the end, if it goes on for too long
/// when the app stops.
async fn outcome_of(
    wire: &mut Wire,
    stopping: &Stopping,
    callback: impl Future<Output = Outcome>,
) -> Result<Result<Outcome, String>, End> {
    let too_long = async {
        stopping.wait().await;
        sleep(CALLBACK_GRACE).await;
    };
    tokio::select! {
        outcome = wire.flush_while(panic::catch(callback)) => Ok(outcome),
        () = too_long => Err(shutdown()),
    }
}

/// Pings the client, and notices when it is gone.
struct Heartbeat {
    /// When to look next.
    due: Instant,
    ping: Option<Ping>,
    heard: Instant,
}

/// A ping that was sent, and what the connection had taken by then.
struct Ping {
    at: Instant,
    written: u64,
}

impl Heartbeat {
    fn new() -> Self {
        let now = Instant::now();
        Heartbeat {
            due: now + PING_EVERY,
            ping: None,
            heard: now,
        }
    }

    /// Anything from the client shows that it is there.
    fn heard(&mut self) {
        self.heard = Instant::now();
    }

    fn beat(&mut self, wire: &mut Wire) -> Result<(), End> {
        let Some(Ping { at, written }) = self.ping.take() else {
            let at = Instant::now();
            self.due = at + PONG_WITHIN;
            wire.ping()?;
            let written = wire.written();
            self.ping = Some(Ping { at, written });
            return Ok(());
        };
        // The ping of a slow client may still wait behind much else; that it reads is a sign too.
        let reads = wire.is_behind() && wire.written() > written;
        if self.heard < at && !reads {
            return Err(End::without_close(CloseReason::Silent));
        }
        self.due = at + PING_EVERY;
        Ok(())
    }
}
