use std::future::poll_fn;
use std::sync::atomic::AtomicUsize;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::yield_now;

use super::*;
use crate::app::App;
use crate::reply::text;
use crate::server::Served;

const LIMITS: Limits = Limits {
    bytes: 64 * 1024,
    fields: 100,
};

/// A stream that counts how often it is written to.
struct Counted {
    io: DuplexStream,
    writes: Arc<AtomicUsize>,
}

fn counted(io: DuplexStream) -> (Counted, Arc<AtomicUsize>) {
    let writes = Arc::new(AtomicUsize::new(0));
    let counted = Counted {
        io,
        writes: Arc::clone(&writes),
    };
    (counted, writes)
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

async fn released<I: AsyncRead + AsyncWrite + Unpin>(cork: &Cork<I>) {
    poll_fn(
        |context| match cork.poll_standing(context, None).unwrap().is_released {
            true => Poll::Ready(()),
            false => Poll::Pending,
        },
    )
    .await;
}

#[tokio::test]
async fn sixteen_pipelined_answers_leave_in_one_write() {
    let app = App::builder()
        .action("hello", |_| async { text("hello") })
        .route(("/", "hello"));
    let served = Served::start(app.build().unwrap());
    let (mut client, theirs) = duplex(64 * 1024);
    let (counted, writes) = counted(theirs);
    let requests = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(16);
    client.write_all(&requests).await.unwrap();
    served.connect(counted, crate::peer::Peer::Unknown);
    let mut answers = Vec::with_capacity(64 * 1024);
    client.read_buf(&mut answers).await.unwrap();

    let answers = String::from_utf8(answers).unwrap();
    assert_eq!(answers.matches("200 OK").count(), 16);
    assert_eq!(writes.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_long_write_goes_straight_on_behind_what_is_gathered() {
    let (mut far, near) = duplex(1024 * 1024);
    let (counted, writes) = counted(near);
    let (mut corked, cork) = cork(counted, LIMITS);
    let long = vec![b'x'; SMALL + 1];
    corked.write_all(b"head").await.unwrap();
    assert_eq!(writes.load(Ordering::Relaxed), 0);
    corked.write_all(&long).await.unwrap();

    assert_eq!(writes.load(Ordering::Relaxed), 2);
    corked.write_all(b"tail").await.unwrap();
    corked.flush().await.unwrap();
    assert_eq!(writes.load(Ordering::Relaxed), 2);
    released(&cork).await;
    drop((corked, cork));
    let mut arrived = Vec::new();
    far.read_to_end(&mut arrived).await.unwrap();
    assert!(arrived == [b"head", &*long, b"tail"].concat());
}

#[tokio::test]
async fn what_is_gathered_has_a_bound_and_its_writer_waits_there() {
    let (_far, near) = duplex(1);
    let (mut corked, _cork) = cork(near, LIMITS);
    let writer = tokio::spawn(async move {
        let mut written = 0;
        loop {
            let polled = poll_fn(|context| {
                Poll::Ready(Pin::new(&mut corked).poll_write(context, &[0; 1000]))
            });
            match polled.await {
                Poll::Ready(count) => written += count.unwrap(),
                Poll::Pending => return written,
            }
        }
    });

    let written = writer.await.unwrap();
    assert!((GATHERED - 1000..=GATHERED).contains(&written), "{written}");
}

#[tokio::test]
async fn a_shutdown_writes_what_is_gathered() {
    let (mut far, near) = duplex(1);
    let (mut corked, _cork) = cork(near, LIMITS);
    corked.write_all(b"last words").await.unwrap();
    let mut arrived = String::new();
    let (shut, read) = tokio::join!(corked.shutdown(), far.read_to_string(&mut arrived));

    shut.unwrap();
    read.unwrap();
    assert_eq!(arrived, "last words");
}

#[tokio::test]
async fn who_writes_while_the_cork_leaves_is_woken_and_comes_last() {
    let (mut far, near) = duplex(4);
    let (mut corked, cork) = cork(near, LIMITS);
    corked.write_all(b"101 Switching").await.unwrap();
    let removed = tokio::spawn(async move {
        poll_fn(|context| cork.poll_remove(context)).await.unwrap();
    });
    yield_now().await; // four bytes have left, and it waits
    let next = tokio::spawn(async move {
        corked.write_all(b", hello").await.unwrap();
    });
    yield_now().await; // it waits for the first
    let mut arrived = String::new();
    far.read_to_string(&mut arrived).await.unwrap();
    removed.await.unwrap();
    next.await.unwrap();

    assert_eq!(arrived, "101 Switching, hello");
}

#[tokio::test]
async fn without_its_cork_a_stream_is_a_plain_one() {
    let (mut far, near) = duplex(1024);
    let (counted, writes) = counted(near);
    let (mut corked, cork) = cork(counted, LIMITS);
    poll_fn(|context| cork.poll_remove(context)).await.unwrap();
    corked.write_all(b"one").await.unwrap();
    corked.write_all(b"two").await.unwrap();

    assert_eq!(writes.load(Ordering::Relaxed), 2);
    let mut arrived = [0; 6];
    far.read_exact(&mut arrived).await.unwrap();
    assert_eq!(&arrived, b"onetwo");
}

#[tokio::test]
async fn an_idle_connection_keeps_little_room() {
    let (_far, near) = duplex(1024 * 1024);
    let (mut corked, cork) = cork(near, LIMITS);
    corked.write_all(&[0; SMALL]).await.unwrap();
    released(&cork).await;

    assert!(cork.0.lock().gathered.capacity() <= KEPT);
}

#[tokio::test]
async fn a_client_that_lets_the_streams_own_buffer_stand_full_is_noticed() {
    let (mut far, near) = duplex(16);
    let (mut corked, cork) = cork(tokio::io::BufStream::new(near), LIMITS);
    corked.write_all(&[b'x'; 100]).await.unwrap();
    let standing = poll_fn(|context| Poll::Ready(cork.poll_standing(context, None)));
    assert!(standing.await.unwrap().is_full);

    let mut room = [0; 100];
    let read = async { far.read_exact(&mut room).await.unwrap() };
    tokio::join!(read, released(&cork));
    let standing = poll_fn(|context| Poll::Ready(cork.poll_standing(context, None)));
    assert!(!standing.await.unwrap().is_full);
}
