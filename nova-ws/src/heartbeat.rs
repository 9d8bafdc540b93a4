//! Pings the client, notices when it is gone, and when nobody has said anything for long.

use std::time::Duration;

use tokio::time::Instant;

use crate::close::{Close, CloseReason};
use crate::end::End;
use crate::limits::InForce;
use crate::wire::Wire;

pub(crate) struct Heartbeat {
    ping_interval: Duration,
    pong_timeout: Duration,
    idle_timeout: Option<Duration>,
    /// When to ping, or to look for an answer.
    next: Instant,
    ping: Option<Ping>,
    /// When anything came from the client.
    heard: Instant,
    /// When a message came or went.
    active: Instant,
}

/// A ping that was sent, and what the connection had taken by then.
struct Ping {
    at: Instant,
    written: u64,
}

impl Heartbeat {
    pub(crate) fn new(limits: &InForce) -> Self {
        let now = Instant::now();
        Heartbeat {
            ping_interval: limits.ping_interval,
            pong_timeout: limits.pong_timeout,
            idle_timeout: limits.idle_timeout,
            next: now + limits.ping_interval,
            ping: None,
            heard: now,
            active: now,
        }
    }

    /// Anything from the client shows that it is there.
    pub(crate) fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// A message came or went.
    pub(crate) fn active(&mut self) {
        if self.idle_timeout.is_some() {
            self.active = Instant::now();
        }
    }

    /// When to look next.
    pub(crate) fn due(&self, wire: &Wire) -> Instant {
        match self.idle_timeout {
            Some(timeout) => self.next.min(self.active.max(wire.sent_at()) + timeout),
            None => self.next,
        }
    }

    pub(crate) fn beat(&mut self, wire: &mut Wire) -> Result<(), End> {
        let now = Instant::now();
        if let Some(timeout) = self.idle_timeout
            && now >= self.active.max(wire.sent_at()) + timeout
        {
            let text = "the connection was idle";
            return Err(End::with(Close::GOING_AWAY, text, CloseReason::Idle));
        }
        if now < self.next {
            return Ok(());
        }
        let Some(Ping { at, written }) = self.ping.take() else {
            self.next = now + self.pong_timeout;
            wire.ping()?;
            let written = wire.written();
            self.ping = Some(Ping { at: now, written });
            return Ok(());
        };
        // The ping of a slow client may still wait behind much else; that it reads is a sign too.
        let reads = wire.is_behind() && wire.written() > written;
        if self.heard < at && !reads {
            return Err(End::without_close(CloseReason::Silent));
        }
        self.next = now.max(at + self.ping_interval);
        Ok(())
    }
}
