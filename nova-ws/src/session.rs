//! The life of one connection after the upgrade.

use std::io;
use std::time::Duration;

use nova_core::pubsub::{Message, Received};
use nova_core::{Stopping, Upgraded, panic};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite;
use tracing::{debug, error};

use crate::close::{Close, CloseReason, violation};
use crate::connection::Connection;
use crate::frame::Frame;
use crate::handler::{ErasedHandler, Info, Shared};
use crate::outcome::Outcome;
use crate::wire::{SendError, Wire};

/// How often a client is pinged.
const PING_EVERY: Duration = Duration::from_secs(25);
/// How long after a ping something has to come from the client.
const PONG_WITHIN: Duration = Duration::from_secs(20);
/// How many messages are sent before the socket is looked at again.
const MESSAGES_AT_ONCE: usize = 64;

/// One connection and its handler.
pub(crate) struct Session {
    pub(crate) handler: Box<dyn ErasedHandler>,
    pub(crate) conn: Connection,
    /// The path of the request, for the log.
    pub(crate) path: Box<str>,
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

fn too_slow() -> End {
    let text = "the client reads too slowly";
    End::with(Close::TRY_AGAIN_LATER, text, CloseReason::TooSlow)
}

impl Session {
    /// Runs the connection to its end.
    pub(crate) async fn run(mut self, upgraded: io::Result<Upgraded>) {
        let reason = match upgraded {
            Ok(upgraded) => self.talk(upgraded).await,
            Err(error) => {
                debug!(path = %self.path, "no upgrade: {error}");
                CloseReason::Disconnected
            }
        };
        debug!(path = %self.path, ?reason, "a WebSocket ended");
        let Session {
            mut handler,
            mut conn,
            path,
        } = self;
        let terminate = async { handler.terminate(&reason, &mut conn).await };
        if let Err(panic) = panic::catch(terminate).await {
            error!(%path, "`terminate` panicked: {panic}");
        }
    }

    async fn talk(&mut self, upgraded: Upgraded) -> CloseReason {
        let stopping = upgraded.stopping();
        let mut wire = Wire::new(upgraded).await;
        let End { close, reason } = self.until_end(&mut wire, &stopping).await;
        self.conn.mailbox.leave_all(); // a connection that is closing is no member any more
        match close {
            Some(close) => wire.close(close).await,
            None if matches!(reason, CloseReason::Remote { .. }) => wire.closed_by_client().await,
            None => drop(wire),
        }
        reason
    }

    async fn until_end(&mut self, wire: &mut Wire, stopping: &Stopping) -> End {
        let mut heartbeat = Heartbeat::new();
        loop {
            if let Err(end) = self.deliver_waiting(wire).await {
                return end;
            }
            let step = tokio::select! {
                biased;
                () = stopping.wait() => {
                    let text = "the server stops";
                    return End::with(Close::GOING_AWAY, text, CloseReason::Shutdown);
                }
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
                None => break,
                received => self.received(wire, received).await?,
            }
        }
        Ok(())
    }

    async fn received(&mut self, wire: &mut Wire, received: Option<Received>) -> Result<(), End> {
        match received {
            Some(Received::Message(message)) => self.deliver(wire, message).await,
            // Frames are missing from here on: better a client that connects anew.
            Some(Received::Lagged(_)) => Err(too_slow()),
            None => {
                let text = "the server stops";
                Err(End::with(Close::GOING_AWAY, text, CloseReason::Shutdown))
            }
        }
    }

    async fn deliver(&mut self, wire: &mut Wire, message: Message) -> Result<(), End> {
        match &*self.handler.shared(&message) {
            Shared::Frame(frame) => Ok(wire.send(frame.clone().into_message())?),
            Shared::Nothing => Ok(()),
            Shared::Info => {
                let (handler, conn) = (&mut self.handler, &mut self.conn);
                let info = Info::Published(message);
                let outcome = outcome_of(wire, async { handler.info(info, conn).await }).await;
                self.answer("info", wire, outcome)
            }
        }
    }

    async fn read(
        &mut self,
        wire: &mut Wire,
        read: Option<Result<tungstenite::Message, tungstenite::Error>>,
    ) -> Result<(), End> {
        let message = match read {
            Some(Ok(tungstenite::Message::Close(frame))) => {
                let reason = CloseReason::Remote {
                    code: frame.as_ref().map(|frame| frame.code.into()),
                    reason: frame.map_or_else(String::new, |frame| frame.reason.to_string()),
                };
                return Err(End::without_close(reason));
            }
            Some(Ok(message)) => message,
            Some(Err(error)) => {
                return Err(match violation(&error) {
                    Some((close, reason)) => End {
                        close: Some(close),
                        reason,
                    },
                    None => End::without_close(CloseReason::Disconnected),
                });
            }
            None => return Err(End::without_close(CloseReason::Disconnected)),
        };
        let Some(frame) = Frame::from_message(message) else {
            return Ok(()); // a ping, answered already, or a pong
        };
        let (handler, conn) = (&mut self.handler, &mut self.conn);
        let outcome = outcome_of(wire, async { handler.handle(frame, conn).await }).await;
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
            error!(path = %self.path, "`{callback}` panicked: {panic}");
            End::with(Close::INTERNAL_ERROR, "", CloseReason::Panicked(panic))
        })?;
        for frame in frames {
            wire.send(frame.into_message())?;
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

async fn outcome_of(
    wire: &mut Wire,
    callback: impl Future<Output = Outcome>,
) -> Result<Outcome, String> {
    wire.flush_while(panic::catch(callback)).await
}

/// Pings the client, and notices when it is gone.
struct Heartbeat {
    /// When to look next.
    due: Instant,
    pinged: Option<Instant>,
    heard: Instant,
}

impl Heartbeat {
    fn new() -> Self {
        let now = Instant::now();
        Heartbeat {
            due: now + PING_EVERY,
            pinged: None,
            heard: now,
        }
    }

    /// Anything from the client shows that it is there.
    fn heard(&mut self) {
        self.heard = Instant::now();
    }

    fn beat(&mut self, wire: &mut Wire) -> Result<(), End> {
        match self.pinged.take() {
            Some(pinged) if self.heard < pinged => Err(End::without_close(CloseReason::Silent)),
            Some(pinged) => {
                self.due = pinged + PING_EVERY;
                Ok(())
            }
            None => {
                let now = Instant::now();
                self.pinged = Some(now);
                self.due = now + PONG_WITHIN;
                Ok(wire.ping()?)
            }
        }
    }
}
