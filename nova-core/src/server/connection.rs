//! One connection that speaks HTTP: hyper, corked, until the client or the app ends it.

use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;

use super::cork::cork;
use crate::app::Core;
use crate::life::Life;

/// How long the head of a request may take to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_BYTES: usize = 64 * 1024;
const HEADER_FIELDS: usize = 100;

pub(super) async fn connection<I>(io: I, peer: Option<SocketAddr>, core: Arc<Core>, life: Life)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if let Err(error) = serve(io, peer, core, life).await {
        debug!(?peer, "a connection ended: {error}");
    }
}

async fn serve<I>(
    io: I,
    peer: Option<SocketAddr>,
    core: Arc<Core>,
    life: Life,
) -> Result<(), Box<dyn Error + Send + Sync>>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stopping = life.stopping();
    let shared = Arc::new((core, life)); // one count for each request, not one for each part
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move {
            let (core, life) = &*shared;
            Ok::<_, Infallible>(core.enter(request, peer, life).await)
        }
    });
    let (stream, cork) = cork(io);
    // Not `pipeline_flush`: it holds answers back while anything unread waits, also when that is
    // half a request or a malformed one. The cork does not.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES)
        .max_headers(HEADER_FIELDS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();

    let mut connection = pin!(connection);
    let mut stop = pin!(stopping.wait());
    let mut is_finishing = false;
    let ended = poll_fn(|context| {
        if !is_finishing && stop.as_mut().poll(context).is_ready() {
            is_finishing = true;
            connection.as_mut().graceful_shutdown();
        }
        let polled = connection.as_mut().poll(context);
        if polled.is_pending()
            && let Err(error) = ready!(cork.poll_release(context))
        {
            return Poll::Ready(Err(error.into()));
        }
        polled.map_err(Into::into)
    })
    .await;
    // Also what comes before the switch to another protocol.
    let removed = poll_fn(|context| cork.poll_remove(context)).await;
    ended.and(removed.map_err(Into::into))
}
