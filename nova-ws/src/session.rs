//! The life of one connection after the upgrade.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use nova_core::pubsub::Message;
use nova_core::{BoxFuture, Stopping, Upgraded, panic};
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error};

use crate::close::{Close, CloseReason};
use crate::codec;
use crate::connection::Connection;
use crate::end::End;
use crate::frame::Frame;
use crate::grace::{self, grace};
use crate::handler::{ErasedHandler, Info, Made};
use crate::heartbeat::Heartbeat;
use crate::hooks::MessageFlow;
use crate::open::Permit;
use crate::outcome::Outcome;
use crate::outlet::{Arrived, Outlet, Pile};
use crate::pace::Pace;
use crate::register::Route;
use crate::sender::{self, Control};
use crate::wire::Wire;

/// How many messages are sent before the socket is looked at again.
const MESSAGES_AT_ONCE: usize = 64;

/// What `init` has accepted, before there is a connection.
pub(crate) struct Accepted {
    pub(crate) handler: Box<dyn ErasedHandler>,
    pub(crate) conn: Connection,
    /// What the connection's shard and its task write through.
    pub(crate) outlet: Arc<Outlet>,
    pub(crate) route: Arc<Route>,
    /// Let go of at the end.
    pub(crate) permits: Vec<Permit>,
}

impl Accepted {
    /// Tells the handler that there is no connection after all: the client has gone, or gets another
    /// answer.
    pub(crate) fn end_unopened(self) {
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(self.run(Err(io::ErrorKind::NotConnected.into())));
        }
    }

    /// Runs the connection to its end, or tells the handler that there is none.
    pub(crate) async fn run(self, upgraded: io::Result<Upgraded>) {
        let Accepted {
            mut handler,
            mut conn,
            outlet,
            route,
            permits: _permits,
        } = self;
        let name = &*route.name;
        let reason = match upgraded {
            Ok(upgraded) => {
                let mut session = Session {
                    handler: &mut *handler,
                    conn: &mut conn,
                    route: &route,
                    stopping: upgraded.stopping(),
                    heartbeat: Heartbeat::new(&route.limits),
                    pace: route.limits.messages_per_second.map(Pace::new),
                    unsent: 0,
                };
                session.talk(upgraded, outlet).await
            }
            Err(error) => {
                debug!(route = name, "no upgrade: {error}");
                CloseReason::Disconnected
            }
        };
        conn.membership.leave_all();
        debug!(
            route = name,
            path = conn.path(),
            ?reason,
            "a WebSocket ended"
        );
        let terminate = async { handler.terminate(&reason, &mut conn).await };
        if let Err(panic) = panic::catch(terminate).await {
            error!(
                route = name,
                path = conn.path(),
                "`terminate` panicked: {panic}"
            );
        }
        for hook in route.hooks.iter() {
            let closed = async { hook.connection_closed(&reason, &conn).await };
            if let Err(panic) = panic::catch(closed).await {
                error!(
                    route = name,
                    "`connection_closed` of a plugin panicked: {panic}"
                );
            }
        }
    }
}

/// One connection and its handler.
struct Session<'a> {
    handler: &'a mut dyn ErasedHandler,
    conn: &'a mut Connection,
    route: &'a Route,
    stopping: Stopping,
    heartbeat: Heartbeat,
    /// The pace that the client has to keep.
    pace: Option<Pace>,
    /// Messages that were taken from the outlet, and for which a frame found no room.
    unsent: usize,
}

impl Session<'_> {
    async fn talk(&mut self, upgraded: Upgraded, outlet: Arc<Outlet>) -> CloseReason {
        let _in_crowd = self.route.crowd.enter();
        let mut wire = Box::pin(Wire::new(upgraded, outlet, self.route.limits.codec)).await;
        let End { close, reason } = self.until_end(&mut wire).await;
        self.conn.membership.leave_all(); // a connection that is closing is no member any more
        if reason == CloseReason::TooSlow {
            self.conn.membership.lost(wire.lost() + self.unsent);
        }
        match close {
            // Behind pointers, so that connections that go on have no room for them.
            Some(close) => Box::pin(wire.close(close, &self.stopping)).await,
            None if matches!(reason, CloseReason::Remote { .. }) => {
                Box::pin(wire.see_off(&self.stopping)).await;
            }
            None => drop(wire),
        }
        reason
    }

    async fn until_end(&mut self, wire: &mut Wire) -> End {
        // What runs now and then is behind a pointer: a connection has no room for it while it waits.
        if let Err(end) = Box::pin(self.started(wire)).await {
            return end;
        }
        // When the turn of this connection comes, once the app stops.
        let mut leaves: Option<Instant> = None;
        // These two wait for as long as the connection lasts: to begin anew for each message costs more
        // than some messages do.
        let stopping = self.stopping.clone();
        let mut stop = pin!(stopping.wait());
        let mut is_stop_registered = false;
        let mut alarm = pin!(sleep_until(self.heartbeat.due(wire)));
        let strain = self.conn.membership.strain();
        let mut is_alarm_set = false;
        loop {
            if let Err(end) = self.deliver_waiting(wire).await {
                return end;
            }
            // Also while a client never stops to talk.
            if leaves.is_some_and(|leaves| leaves <= Instant::now()) {
                return self.shutdown();
            }
            let due = self.heartbeat.due(wire);
            let due = leaves.map_or(due, |leaves| leaves.min(due));
            if alarm.deadline() != due {
                alarm.as_mut().reset(due);
                is_alarm_set = false;
            }
            // Who makes the shards write has to wait for them, as one who broadcasts does not.
            let is_held_back = strain.is_felt();
            if let Some(pace) = &mut self.pace {
                pace.hold(is_held_back);
            }
            // Each poll of `stop` takes two locks that all connections share. The first has this task
            // woken; from then on a flag tells.
            let said = poll_fn(|context| {
                match stopping.is_stopping() || !mem::replace(&mut is_stop_registered, true) {
                    true => stop.as_mut().poll(context),
                    false => Poll::Pending,
                }
            });
            let due = poll_fn(|context| {
                match alarm.is_elapsed() || !mem::replace(&mut is_alarm_set, true) {
                    true => alarm.as_mut().poll(context),
                    false => Poll::Pending,
                }
            });
            let step = tokio::select! {
                biased;
                () = said, if leaves.is_none() => {
                    let turn = self.route.crowd.turn(self.stopping.time_left());
                    leaves = Some(Instant::now() + turn);
                    Ok(())
                }
                next = wire.next_or_arrived(&strain, is_held_back) => match next {
                    Ok(Some(message)) => {
                        self.heartbeat.heard();
                        Box::pin(self.read(wire, message)).await
                    }
                    Ok(None) => Ok(()),
                    Err(error) => Err(error.into()),
                },
                () = strain.eased(), if is_held_back => Ok(()),
                () = due => {
                    if is_held_back {
                        self.heartbeat.heard(); // its pong is not read
                    }
                    self.heartbeat.beat(wire)
                }
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn started(&mut self, wire: &mut Wire) -> Result<(), End> {
        let Session {
            handler,
            conn,
            route,
            stopping,
            ..
        } = self;
        let callback = async {
            let outcome = handler.started(conn).await;
            route.hooks.post_message(outcome, conn).await
        };
        let outcome = outcome_of(wire, stopping, pin!(callback)).await;
        self.answer("started", wire, outcome)
    }

    /// Does what has arrived for the handler, some at once: what it sends leaves in one write.
    async fn deliver_waiting(&mut self, wire: &mut Wire) -> Result<(), End> {
        let mut delivered = 0;
        while delivered < MESSAGES_AT_ONCE {
            match wire.take() {
                None => return Ok(()),
                Some(Arrived::Messages(pile)) => {
                    delivered += pile.messages().len();
                    Box::pin(self.deliver_pile(wire, pile)).await?;
                }
                // Frames are missing from here on: better a client that connects anew.
                Some(Arrived::Missed) => return Err(End::too_slow()),
                Some(Arrived::Over) => return Err(self.shutdown()),
            }
        }
        // In a flood of messages, other tasks have their turn too, and the client a chance to
        // read, before it is found to be too slow.
        Box::pin(wire.flush_while(yield_now())).await;
        Ok(())
    }

    async fn deliver_pile(&mut self, wire: &mut Wire, pile: Pile) -> Result<(), End> {
        let messages = pile.messages();
        for (sent, message) in messages.iter().enumerate() {
            let message = message.clone();
            let delivered = match pile.is_for_info {
                true => self.info(wire, Info::Published(message)).await,
                false => self.deliver(wire, message).await,
            };
            if delivered.is_err() {
                self.unsent = messages.len() - sent;
                return delivered;
            }
        }
        Ok(())
    }

    async fn deliver(&mut self, wire: &mut Wire, message: Message) -> Result<(), End> {
        match sender::control(&message, self.conn) {
            Some(Control::Close(close)) => return Err(End::ordered(close)),
            Some(Control::Nothing) => return Ok(()),
            None => {}
        }
        if message.is_direct() {
            return self.info(wire, Info::Sent(message)).await;
        }
        match &*self.handler.shared(&message) {
            Made::Frame(encoded) => {
                self.heartbeat.active();
                Ok(wire.send_encoded(encoded)?)
            }
            Made::Nothing => Ok(()),
            Made::Info => self.info(wire, Info::Published(message)).await,
        }
    }

    async fn info(&mut self, wire: &mut Wire, info: Info) -> Result<(), End> {
        let Session {
            handler,
            conn,
            route,
            stopping,
            ..
        } = self;
        let mut outcome = match Begun::of(|| handler.info(info, conn)) {
            Ok(Begun::Done(outcome)) => Some(Ok(outcome)),
            // Behind a pointer, as everything is that most callbacks do not need.
            Ok(Begun::Waits(callback)) => Box::pin(outcome_of(wire, stopping, callback)).await,
            Err(panic) => Some(Err(panic)),
        };
        if !route.hooks.is_empty()
            && let Some(Ok(made)) = outcome
        {
            let hooks: BoxFuture<'_, Outcome> = Box::pin(route.hooks.post_message(made, conn));
            outcome = Box::pin(outcome_of(wire, stopping, hooks)).await;
        }
        self.answer("info", wire, outcome)
    }

    async fn read(&mut self, wire: &mut Wire, message: codec::Message) -> Result<(), End> {
        if let codec::Message::Data(_) | codec::Message::Ping(_) = message
            && let Some(pace) = &mut self.pace
            && !pace.keeps()
        {
            return Err(End::too_fast());
        }
        match message {
            codec::Message::Data(frame) => self.handle(wire, frame).await,
            codec::Message::Ping(payload) => {
                let Session {
                    handler,
                    conn,
                    route,
                    stopping,
                    ..
                } = self;
                let callback = async {
                    let outcome = handler.ping(payload, conn).await;
                    route.hooks.post_message(outcome, conn).await
                };
                let outcome = outcome_of(wire, stopping, pin!(callback)).await;
                self.answer("ping", wire, outcome)
            }
            codec::Message::Pong(_) => Ok(()),
            codec::Message::Close(close) => Err(End::without_close(CloseReason::Remote {
                code: close.as_ref().map(|close| close.code),
                reason: close.map(|close| close.reason).unwrap_or_default(),
            })),
        }
    }

    async fn handle(&mut self, wire: &mut Wire, frame: Frame) -> Result<(), End> {
        self.heartbeat.active();
        let Session {
            handler,
            conn,
            route,
            stopping,
            ..
        } = self;
        let callback = async {
            let outcome = match route.hooks.pre_message(frame, conn).await {
                MessageFlow::Continue(frame) => handler.handle(frame, conn).await,
                MessageFlow::Stop(outcome) => outcome,
            };
            route.hooks.post_message(outcome, conn).await
        };
        let outcome = outcome_of(wire, stopping, pin!(callback)).await;
        self.answer("handle", wire, outcome)
    }

    /// Does what a callback said, or ends a connection whose callback panicked or goes on for too long
    /// when the app stops.
    fn answer(
        &mut self,
        callback: &str,
        wire: &mut Wire,
        outcome: Option<Result<Outcome, String>>,
    ) -> Result<(), End> {
        let Some(outcome) = outcome else {
            return Err(self.shutdown());
        };
        let Outcome {
            first,
            frames,
            stop,
            hibernate,
        } = outcome.map_err(|panic| {
            let (route, path) = (&*self.route.name, self.conn.path());
            error!(
                route,
                path, "`{callback}`, or a plugin around it, panicked: {panic}"
            );
            End::with(Close::INTERNAL_ERROR, "", CloseReason::Panicked(panic))
        })?;
        for frame in first.into_iter().chain(frames) {
            self.send(wire, frame)?;
        }
        if hibernate {
            wire.shrink();
        }
        match stop {
            None => Ok(()),
            close => Err(End {
                close,
                reason: CloseReason::Stopped,
            }),
        }
    }

    fn send(&mut self, wire: &mut Wire, frame: Frame) -> Result<(), End> {
        self.heartbeat.active();
        Ok(wire.send(frame)?)
    }

    fn shutdown(&self) -> End {
        let Route { limits, crowd, .. } = self.route;
        End {
            close: Some(crowd.farewell(limits.stop_code)),
            reason: CloseReason::Shutdown,
        }
    }
}

/// A callback that was polled once.
enum Begun<'c> {
    Done(Outcome),
    Waits(BoxFuture<'c, Outcome>),
}

impl<'c> Begun<'c> {
    /// Most callbacks wait for nothing, and all that others need is not set up for them. Or the message
    /// of a panic.
    fn of(callback: impl FnOnce() -> BoxFuture<'c, Outcome>) -> Result<Self, String> {
        let begin = || {
            let mut callback = callback();
            // Who waits is polled again, with a waker that is one.
            let mut context = Context::from_waker(Waker::noop());
            match callback.as_mut().poll(&mut context) {
                Poll::Ready(outcome) => Begun::Done(outcome),
                Poll::Pending => Begun::Waits(callback),
            }
        };
        catch_unwind(AssertUnwindSafe(begin)).map_err(|panic| panic::message(&*panic))
    }
}

/// What a callback returned, or the message of its panic; `None` if it goes on for too long when the
/// app stops.
async fn outcome_of(
    wire: &mut Wire,
    stopping: &Stopping,
    callback: impl Future<Output = Outcome> + Send,
) -> Option<Result<Outcome, String>> {
    let too_long = grace(stopping, grace::OF_CALLBACK);
    tokio::select! {
        biased; // most callbacks wait for nothing
        outcome = wire.flush_while(panic::catch(callback)) => Some(outcome),
        () = too_long => None,
    }
}
