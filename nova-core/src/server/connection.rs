//! One connection that speaks HTTP: hyper, corked, until the client or the app ends it. What begins as
//! HTTP/2 is in `http2.rs`.

use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;

use super::cork::{HeldBack, Standing, cork};
use super::first_words::{Beginning, Spoken};
use super::framing::Limits;
use super::http2;
use super::last_words::{last_words, linger};
use super::patience::{Patience, Progress};
use super::under_way::{LastPart, UnderWay};
use crate::app::Core;
use crate::config::ServerConfig;
use crate::layer::Entered;
use crate::life::Life;
use crate::peer::Peer;
use crate::request::Via;

/// The room that hyper has beside a head.
const MORE: usize = 8 * 1024;

pub(super) type Failure = Box<dyn Error + Send + Sync>;

/// What the requests of a connection share.
struct Connection {
    core: Arc<Core>,
    life: Life,
    via: Arc<Via>,
    under_way: Arc<UnderWay>,
}

/// Serves what a client asks for on `io`. In which version of HTTP, its first bytes tell where it is not
/// known yet.
pub(super) async fn connection<I>(
    mut io: I,
    known: Option<Spoken>,
    peer: Peer,
    core: Arc<Core>,
    life: Life,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let config = &core.config.server;
    let mut beginning = Beginning::new(life.stopping().listener(), config.head_timeout);
    let spoken = match known {
        None if config.http2 => beginning.spoken(&mut io, config.head_timeout).await,
        None => Ok(Some(Spoken::Http1)),
        known => Ok(known),
    };
    let ended = match spoken {
        Ok(None) => Ok(()),
        Ok(Some(Spoken::Http1)) => {
            let connection = Connection {
                via: core.via(peer),
                core,
                life,
                under_way: Arc::default(),
            };
            serve(io, beginning, &connection).await
        }
        Ok(Some(Spoken::Http2)) => {
            let via = core.via(peer);
            life.clone().track_counted(|counted| async move {
                let ended = http2::serve(io, beginning, core, via, life, counted);
                if let Err(error) = ended.await {
                    debug!(?peer, "a connection ended: {error}");
                }
            });
            Ok(())
        }
        Err(error) => Err(error.into()),
    };
    if let Err(error) = ended {
        debug!(?peer, "a connection ended: {error}");
    }
}

async fn serve<I>(io: I, beginning: Beginning, connection: &Connection) -> Result<(), Failure>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Beginning {
        ahead,
        patience,
        mut stop,
    } = beginning;
    // The service and its futures borrow these: hyper ends before `connection` does.
    let Connection {
        core,
        life,
        via,
        under_way,
    } = connection;
    let service = service_fn(move |request| {
        under_way.begin();
        let entered = core.enter(request, via, life);
        async move {
            let mut response = match entered {
                Entered::App(received) => core.respond(received, life).await,
                Entered::Layers(answer) => answer.await,
            };
            // RFC 9110 §15.5.9. The rest of the body may never come.
            if response.status() == StatusCode::REQUEST_TIMEOUT {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            } else if life.is_stopping() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                let close = HeaderValue::from_static("close");
                response.headers_mut().append(header::CONNECTION, close);
            }
            if response.body().is_flowing() && are_events(response.headers()) {
                under_way.begin_events();
            }
            Ok::<_, Infallible>(response.map(|body| LastPart::new(body, under_way)))
        }
    });
    let config = &core.config.server;
    let limits = Limits {
        bytes: config.head_limit,
        fields: config.head_fields,
    };
    let (stream, cork) = cork(io, limits);
    let mut waiting = Waiting::new(config, patience, !ahead.is_empty());
    cork.put_back(&ahead);
    drop(ahead);
    // Not `pipeline_flush`: it holds answers back while anything unread waits, also when that is
    // half a request or a malformed one; the cork does not. Not `header_read_timeout`: `Waiting` is
    // the same for less.
    // `half_close`, and `poll_standing` for what it gives up: hyper looks for a client that has hung up
    // as soon as it has a request, and makes a buffer of 8 KiB to do so, since the request still has the
    // last one. Most answers are ready before there is anything to look for.
    // `writev` is for long bodies, and costs short ones a queue.
    let mut builder = http1::Builder::new();
    builder
        .half_close(true)
        .writev(false)
        .max_buf_size(config.head_limit + MORE);
    // It is hyper's own limit, and costs 1,700 instructions for each request when it is named.
    if config.head_fields > 100 {
        builder.max_headers(config.head_fields);
    }
    let hyper = builder
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();

    let mut hyper = pin!(hyper);
    let mut taking = Progress::new(config.send_timeout);
    let mut answering = Progress::new(config.half_closed_timeout);
    let mut is_finishing = false;
    let ended: Result<End, Failure> = poll_fn(|context| {
        let mut polled = hyper.as_mut().poll(context);
        // Behind what hyper has read: a request that has come is answered, with `connection: close`.
        if polled.is_pending() && !is_finishing && stop.poll_idle(context).is_ready() {
            is_finishing = true;
            hyper.as_mut().graceful_shutdown();
            polled = hyper.as_mut().poll(context);
        }
        if let Poll::Ready(ended) = polled {
            return Poll::Ready(ended.map(|()| End::Usual).map_err(Into::into));
        }
        let is_busy = under_way.is_busy();
        let standing = cork.poll_standing(context, is_busy.then(|| under_way.begun()))?;
        let is_full = standing.is_full && (is_busy || !standing.is_released);
        if taking.poll_lost(context, is_full.then_some(standing.sent)) {
            return Poll::Ready(Ok(End::Unread));
        }
        // A client that has closed its side may still read, and there is no way to know but to send. Nor is
        // there whether one has closed it behind more than is read ahead.
        let may_be_gone = standing.has_hung_up || standing.is_out_of_sight;
        let is_in_doubt = is_busy && may_be_gone && !is_full;
        let is_gone = is_in_doubt && standing.has_hung_up && under_way.sends_events();
        if answering.poll_lost(context, is_in_doubt.then_some(standing.sent)) || is_gone {
            return Poll::Ready(Err("the client has hung up before its answer".into()));
        }
        if !standing.is_released {
            waiting.put_off();
            return Poll::Pending;
        }
        match standing.held_back {
            Some(HeldBack::Refused(status)) if !is_busy => {
                return Poll::Ready(Ok(End::Refused(status)));
            }
            Some(HeldBack::Switch) if !is_busy => {
                cork.stay();
                context.waker().wake_by_ref();
            }
            _ => {}
        }
        waiting.poll(context, under_way, &standing).map(Ok)
    })
    .await;
    let last_status = match ended {
        Ok(End::Silent { in_a_head: true }) => Some(408),
        Ok(End::Refused(status)) => Some(status),
        Ok(End::Unread) => return Err("the client does not read its answer".into()),
        _ => None,
    };
    if let Some(status) = last_status {
        debug!(status, "what a client sends is refused");
        cork.write(&last_words(status));
        linger(&cork).await?;
    }
    // Also what comes before the switch to another protocol.
    let removed = poll_fn(|context| cork.poll_remove(context)).await;
    ended?;
    Ok(removed?)
}

/// Whether the answer is one that does not end by itself, to a client that is one no longer when it has
/// closed its side.
fn are_events(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// How a connection ends.
enum End {
    /// As hyper says.
    Usual,
    /// The client has sent no request for too long.
    Silent {
        /// The rest of a head is missing.
        in_a_head: bool,
    },
    /// What the client sends is no request, and gets this status.
    Refused(u16),
    /// The client does not take what it has asked for.
    Unread,
}

/// The wait for the next request.
struct Waiting<'c> {
    config: &'c ServerConfig,
    patience: Patience,
    /// How many requests had begun when it began; `None` when it is to begin.
    since: Option<u32>,
    /// How many bytes had arrived then.
    received: u64,
    in_a_head: bool,
}

impl<'c> Waiting<'c> {
    /// `patience` is that with the first head, of which a part may have come.
    fn new(config: &'c ServerConfig, patience: Patience, in_a_head: bool) -> Self {
        Waiting {
            config,
            patience,
            since: Some(0),
            received: 0,
            in_a_head,
        }
    }

    /// To be called while answers wait for the client to read. Those that hyper has not written yet are
    /// among them: it writes at once unless the cork is full.
    fn put_off(&mut self) {
        self.since = None;
    }

    /// To be called after each poll of hyper, when all is written.
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        under_way: &UnderWay,
        standing: &Standing,
    ) -> Poll<End> {
        if under_way.is_busy() {
            self.since = None;
            return Poll::Pending;
        }
        if self.since != Some(under_way.begun()) {
            self.since = Some(under_way.begun());
            self.received = standing.received;
            self.in_a_head = false;
            self.patience.renew(self.config.keep_alive_timeout);
        }
        if !self.in_a_head && standing.received > self.received {
            self.in_a_head = true;
            self.patience.renew(self.config.head_timeout);
        }
        ready!(self.patience.poll_lost(context));
        Poll::Ready(End::Silent {
            in_a_head: self.in_a_head,
        })
    }
}
