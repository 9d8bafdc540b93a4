//! The app's code, stage by stage: a panic in it is an error.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::{Error, Result};
use crate::panic;
use crate::protocol::BoxFuture;

/// Whose code runs.
pub(super) enum Stage<'s> {
    Plugin(&'s str),
    Security(&'s str),
    Controller,
    Handler,
    StatusPage,
}

impl<'s> Stage<'s> {
    /// Runs a stage. The call itself is inside: what it does before its first await may panic, too.
    pub(super) fn run<'f, T, C>(self, call: C) -> Running<'s, 'f, T, C>
    where
        C: FnOnce() -> BoxFuture<'f, Result<T>>,
    {
        Running {
            stage: self,
            call: Some(call),
            work: None,
        }
    }
}

impl fmt::Display for Stage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Plugin(name) => write!(f, "the plugin `{name}`"),
            Stage::Security(name) => write!(f, "the security function `{name}`"),
            Stage::Controller => f.write_str("the controller"),
            Stage::Handler => f.write_str("the handler"),
            Stage::StatusPage => f.write_str("the status page"),
        }
    }
}

/// A stage that runs. By hand, and not an `async fn` around [`panic::catch`]: that would hold what it
/// calls twice, and be the larger part of what each request moves.
pub(super) struct Running<'s, 'f, T, C> {
    stage: Stage<'s>,
    call: Option<C>,
    work: Option<BoxFuture<'f, Result<T>>>,
}

impl<'f, T, C> Future for Running<'_, 'f, T, C>
where
    C: FnOnce() -> BoxFuture<'f, Result<T>> + Unpin,
{
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let Running { stage, call, work } = &mut *self;
        let poll = AssertUnwindSafe(|| {
            if let Some(call) = call.take() {
                *work = Some(call());
            }
            match work {
                Some(work) => work.as_mut().poll(context),
                None => Poll::Pending, // it has panicked, and that was told
            }
        });
        catch_unwind(poll).unwrap_or_else(|panic| {
            *work = None;
            let message = panic::message(&*panic);
            Poll::Ready(Err(Error::internal(format!("{stage} panicked: {message}"))))
        })
    }
}
