//! The app's code, stage by stage: a panic in it is an error.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::error::{Error, Result};
use crate::panic;

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
    pub(super) fn run<T, W, C>(self, call: C) -> Running<'s, W, C>
    where
        C: FnOnce() -> W,
        W: Future<Output = Result<T>>,
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

pin_project! {
    /// A stage that runs. By hand, and not an `async fn` around [`panic::catch`]: that would hold what
    /// it calls twice, and be the larger part of what each request moves.
    pub(super) struct Running<'s, W, C> {
        stage: Stage<'s>,
        call: Option<C>,
        #[pin]
        work: Option<W>,
    }
}

impl<T, W, C> Future for Running<'_, W, C>
where
    C: FnOnce() -> W,
    W: Future<Output = Result<T>>,
{
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let mut running = self.project();
        let poll = AssertUnwindSafe(|| {
            if let Some(call) = running.call.take() {
                running.work.set(Some(call()));
            }
            match running.work.as_mut().as_pin_mut() {
                Some(work) => work.poll(context),
                None => Poll::Pending, // it has panicked, and that was told
            }
        });
        catch_unwind(poll).unwrap_or_else(|panic| {
            running.work.set(None);
            let message = panic::message(&*panic);
            let stage = running.stage;
            Poll::Ready(Err(Error::internal(format!("{stage} panicked: {message}"))))
        })
    }
}
