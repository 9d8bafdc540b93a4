//! One connection that speaks HTTP: hyper, corked, until the client or the app ends it.

use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;

use super::cork::{Cork, cork};
use super::patience::Patience;
use super::under_way::{LastPart, UnderWay};
use crate::app::Core;
use crate::layer::Entered;
use crate::life::Life;
use crate::request::Via;

/// How long the head of a request may take to arrive, from the end of the answer before it.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_BYTES: usize = 64 * 1024;
const TIMED_OUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

type Failure = Box<dyn Error + Send + Sync>;

/// What the requests of a connection share.
struct Connection {
    core: Arc<Core>,
    life: Life,
    via: Arc<Via>,
    under_way: Arc<UnderWay>,
}

pub(super) async fn connection<I>(io: I, peer: Option<SocketAddr>, core: Arc<Core>, life: Life)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = Connection {
        via: core.via(peer),
        core,
        life,
        under_way: Arc::default(),
    };
    if let Err(error) = serve(io, &connection).await {
        debug!(?peer, "a connection ended: {error}");
    }
}

async fn serve<I>(io: I, connection: &Connection) -> Result<(), Failure>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut stop = connection.life.stopping().listener();
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
            let response = match entered {
                Entered::App(received) => core.respond(received, life).await,
                Entered::Layers(answer) => answer.await,
            };
            Ok::<_, Infallible>(response.map(|body| LastPart::new(body, under_way)))
        }
    });
    let (stream, cork) = cork(io);
    // Not `pipeline_flush`: it holds answers back while anything unread waits, also when that is
    // half a request or a malformed one; the cork does not. Not `header_read_timeout`: `Waiting` is
    // the same for less. Nor `max_headers`: 100 is hyper's own limit, and costs 1,700 instructions for
    // each request when it is named.
    // `half_close`, and `poll_hung_up` for what it gives up: hyper looks for a client that has hung up
    // as soon as it has a request, and makes a buffer of 8 KiB to do so, since the request still has the
    // last one. Most answers are ready before there is anything to look for.
    // `writev` is for long bodies, and costs short ones a queue.
    let hyper = http1::Builder::new()
        .half_close(true)
        .writev(false)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();

    let mut hyper = pin!(hyper);
    let mut waiting = Waiting::new();
    let mut is_finishing = false;
    let ended: Result<End, Failure> = poll_fn(|context| {
        if !is_finishing && stop.poll(context).is_ready() {
            is_finishing = true;
            hyper.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(ended) = hyper.as_mut().poll(context) {
            return Poll::Ready(ended.map(|()| End::Usual).map_err(Into::into));
        }
        if under_way.is_busy() && cork.poll_hung_up(context).is_ready() {
            return Poll::Ready(Err("the client has hung up before its answer".into()));
        }
        let Poll::Ready(released) = cork.poll_release(context) else {
            waiting.put_off();
            return Poll::Pending;
        };
        released?;
        waiting.poll(context, under_way, &cork).map(Ok)
    })
    .await;
    if let Ok(End::Silent { in_a_head: true }) = ended {
        cork.write(TIMED_OUT);
    }
    // Also what comes before the switch to another protocol.
    let removed = poll_fn(|context| cork.poll_remove(context)).await;
    ended?;
    Ok(removed?)
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
}

/// The wait for the next request.
struct Waiting {
    patience: Patience,
    /// How many requests had begun when it began; `None` when it is to begin.
    since: Option<u32>,
    /// How many bytes had arrived then.
    received: u64,
}

impl Waiting {
    fn new() -> Self {
        Waiting {
            patience: Patience::new(HEADER_TIMEOUT),
            since: Some(0),
            received: 0,
        }
    }

    /// To be called while answers wait for the client to read. Those that hyper has not written yet are
    /// among them: it writes at once unless the cork is full.
    fn put_off(&mut self) {
        self.since = None;
    }

    /// To be called after each poll of hyper, when all is written.
    fn poll<I>(
        &mut self,
        context: &mut Context<'_>,
        under_way: &UnderWay,
        cork: &Cork<I>,
    ) -> Poll<End> {
        if under_way.is_busy() {
            self.since = None;
            return Poll::Pending;
        }
        if self.since != Some(under_way.begun()) {
            self.since = Some(under_way.begun());
            self.received = cork.received();
            self.patience.renew();
        }
        ready!(self.patience.poll_lost(context));
        Poll::Ready(End::Silent {
            in_a_head: cork.received() > self.received,
        })
    }
}
