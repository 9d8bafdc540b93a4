//! One connection that speaks HTTP/2: hyper, watched, until the client or the app ends it.
//!
//! hyper knows the streams of the connection, and runs each in a task of its own. What it does not know
//! is time, and how much is too much: [`watched`] reads the frames on their way and counts, and
//! [`streams`] looks whether the client takes what it has asked for. `docs/design/server.md` says what
//! each attack meets.

mod allowance;
mod arriving;
mod frames;
mod head;
mod leaving;
mod outline;
mod sent;
mod socket;
mod streams;
mod watched;

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::{Method, Request};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;

use super::connection::Failure;
use super::first_words::Beginning;
use super::patience::{Patience, Progress};
use crate::app::Core;
use crate::layer::Entered;
use crate::life::{Counted, Life};
use crate::request::Via;
use crate::response;
use frames::{ENHANCE_YOUR_CALM, FRAME};
use sent::{Sending, Sent};
use streams::Streams;
use watched::watched;

/// How much of an answer waits for the client, beside the piece that is in hand.
const SEND_BUFFER: usize = 64 * 1024;
/// How long a client that is told to go may take to do so.
const GOING: Duration = Duration::from_secs(1);

/// What the requests of a connection share.
struct Shared {
    core: Arc<Core>,
    via: Arc<Via>,
    life: Life,
}

/// How a connection ends.
enum End {
    /// As hyper says.
    Usual,
    /// The client was told to go, and nothing is under way any more.
    Told,
    /// The client gets this error code, and no more.
    Refused(u32),
    /// The client does not take what it has asked for.
    Unread,
}

pub(super) async fn serve<I>(
    io: I,
    beginning: Beginning,
    core: Arc<Core>,
    via: Arc<Via>,
    life: Life,
    mut counted: Counted,
) -> Result<(), Failure>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Beginning {
        ahead,
        patience,
        mut stop,
    } = beginning;
    let config = core.config.server.clone();
    let (stream, watch) = watched(io, ahead, config.head_limit);
    let streams = Streams::new(life.clone(), config.send_timeout);
    let executor = streams.clone();
    let shared = Arc::new(Shared { core, via, life });
    let service = {
        let streams = streams.clone();
        service_fn(move |request| {
            let answer = answer(Arc::clone(&shared), request, streams.begin());
            async move { Ok::<_, Infallible>(answer.await) }
        })
    };
    let mut builder = http2::Builder::new(executor);
    builder
        .max_concurrent_streams(u32::try_from(config.http2_streams).unwrap_or(u32::MAX))
        .max_header_list_size(u32::try_from(config.head_limit).unwrap_or(u32::MAX))
        .max_frame_size(FRAME)
        .initial_connection_window_size(config.http2_window)
        .initial_stream_window_size(config.http2_window / 4)
        .max_send_buf_size(SEND_BUFFER)
        .enable_connect_protocol();
    let hyper = builder.serve_connection(TokioIo::new(stream), service);

    let mut hyper = pin!(hyper);
    let mut idle = Idle::new(patience, config.keep_alive_timeout);
    let mut taking = Progress::new(config.send_timeout);
    let mut arriving = Progress::new(config.head_timeout);
    let mut is_finishing = false;
    let ended: Result<End, Failure> = poll_fn(|context| {
        streams.register(context.waker());
        loop {
            if !is_finishing && stop.poll(context).is_ready() {
                is_finishing = true;
                hyper.as_mut().graceful_shutdown();
            }
            if let Poll::Ready(ended) = hyper.as_mut().poll(context) {
                let refused = watch.refused().map(End::Refused);
                return Poll::Ready(match refused {
                    Some(refused) => Ok(refused),
                    None => ended.map(|()| End::Usual).map_err(Into::into),
                });
            }
            if streams.is_stuck() || taking.poll_lost(context, watch.is_full()) {
                return Poll::Ready(Ok(End::Unread));
            }
            if arriving.poll_lost(context, watch.unfinished()) {
                return Poll::Ready(Ok(End::Refused(ENHANCE_YOUR_CALM)));
            }
            if is_finishing && !streams.is_busy() && streams.has_sockets() {
                counted.as_socket(); // so that the requests of others do not wait for it
            }
            let patience = match is_finishing {
                true => idle.going(&streams),
                false => idle.waiting(&streams),
            };
            match patience.map(|patience| patience.poll_lost(context)) {
                Some(Poll::Ready(())) if is_finishing => return Poll::Ready(Ok(End::Told)),
                Some(Poll::Ready(())) => {
                    is_finishing = true;
                    hyper.as_mut().graceful_shutdown();
                }
                Some(Poll::Pending) | None => return Poll::Pending,
            }
        }
    })
    .await;
    match ended {
        Ok(End::Usual | End::Told) => Ok(()),
        Ok(End::Unread) => Err("the client does not read its answers".into()),
        Ok(End::Refused(code)) => {
            debug!(code, "what a client sends is refused");
            watch.go_away(code).await?;
            Ok(watch.linger().await?)
        }
        Err(error) => {
            watch.linger().await?; // hyper has said why
            Err(error)
        }
    }
}

async fn answer(
    shared: Arc<Shared>,
    mut request: Request<Incoming>,
    sending: Arc<Sending>,
) -> http::Response<Sent> {
    let Shared { core, via, life } = &*shared;
    let is_head = request.method() == Method::HEAD;
    let asked = socket::asked(&mut request);
    let received = match asked {
        Ok(_) => head::received(request, core.config.server.head_fields),
        Err(status) => Err(status),
    };
    let mut response = match received {
        Ok(request) => match core.enter(request, via, life) {
            Entered::App(received) => core.respond(received, life).await,
            Entered::Layers(answer) => answer.await,
        },
        Err(status) => response::empty(status),
    };
    if asked == Ok(true) {
        socket::answered(&mut response);
    }
    head::answered(&mut response, is_head);
    response.map(|body| Sent::new(body, sending))
}

/// The wait for the next request.
struct Idle {
    patience: Patience,
    /// How many requests had begun when it began; `None` when it is to begin.
    since: Option<usize>,
    keep_alive: Duration,
    is_going: bool,
}

impl Idle {
    /// `patience` is that with the first request.
    fn new(patience: Patience, keep_alive: Duration) -> Self {
        Idle {
            patience,
            since: Some(0),
            keep_alive,
            is_going: false,
        }
    }

    /// How long the client may still be silent, if nothing is under way.
    fn waiting(&mut self, streams: &Streams) -> Option<&mut Patience> {
        self.patience(streams, self.keep_alive)
    }

    /// How long a client that was told to go may still be there, if nothing is under way.
    fn going(&mut self, streams: &Streams) -> Option<&mut Patience> {
        if !std::mem::replace(&mut self.is_going, true) {
            self.since = None;
        }
        self.patience(streams, GOING)
    }

    fn patience(&mut self, streams: &Streams, limit: Duration) -> Option<&mut Patience> {
        if streams.is_busy() || streams.has_sockets() {
            self.since = None;
            return None;
        }
        if self.since != Some(streams.begun()) {
            self.since = Some(streams.begun());
            self.patience.renew(limit);
        }
        Some(&mut self.patience)
    }
}
