//! Which version of HTTP a client speaks: what it sends first tells.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, ReadBuf};

use super::patience::Patience;
use crate::stopping::Listener;

/// What HTTP/2 begins with (RFC 9113 §3.4). No request of HTTP/1.1 does.
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How many bytes are read before it is known, at most.
const FIRST: usize = 1024;

/// The version of HTTP on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    Http1,
    Http2,
}

/// What a connection has before it speaks.
#[derive(Debug)]
pub(super) struct Beginning {
    /// What has been read.
    pub(super) ahead: BytesMut,
    /// The wait for the first byte, or from then on for the rest of what it is the first of.
    pub(super) patience: Patience,
    pub(super) stop: Listener,
}

impl Beginning {
    pub(super) fn new(stop: Listener, head_timeout: Duration) -> Self {
        Beginning {
            ahead: BytesMut::new(),
            patience: Patience::new(head_timeout),
            stop,
        }
    }

    /// Looks at the first bytes; `None` if there are none, since the client has gone, or is silent for too
    /// long, also for an app that stops.
    ///
    /// # Cancel safety
    /// What was read is kept.
    pub(super) async fn spoken<I: AsyncRead + Unpin>(
        &mut self,
        io: &mut I,
        head_timeout: Duration,
    ) -> io::Result<Option<Spoken>> {
        let Beginning {
            ahead,
            patience,
            stop,
        } = self;
        poll_fn(|context| {
            loop {
                let mut room = [0; FIRST];
                let mut buffer = ReadBuf::new(&mut room);
                let is_over = match Pin::new(&mut *io).poll_read(context, &mut buffer) {
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Ready(Ok(())) => buffer.filled().is_empty(),
                    Poll::Pending => {
                        let is_lost = patience.poll_lost(context).is_ready();
                        let is_over = is_lost || stop.poll_idle(context).is_ready();
                        if !is_over {
                            return Poll::Pending;
                        }
                        is_over
                    }
                };
                if is_over {
                    // Some of the preface is some of a request, and is told what it lacks.
                    return Poll::Ready(Ok((!ahead.is_empty()).then_some(Spoken::Http1)));
                }
                if ahead.is_empty() {
                    patience.renew(head_timeout);
                }
                ahead.extend_from_slice(buffer.filled());
                if ahead.starts_with(PREFACE) {
                    return Poll::Ready(Ok(Some(Spoken::Http2)));
                }
                if !PREFACE.starts_with(ahead) {
                    return Poll::Ready(Ok(Some(Spoken::Http1)));
                }
            }
        })
        .await
    }
}
