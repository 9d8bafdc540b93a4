//! Clients that misbehave, over real sockets: what they cost is bounded and comes back, and nobody else
//! notices them.
//!
//! Memory is what the allocator has handed out, in this process, clients included.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::alloc::System;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cap::Cap;
use nova_core::pubsub::{Message, PubSub};
use nova_core::{App, Request, Result, protocol};
use nova_ws::{
    Accept, AppBuilderExt, CloseReason, Connection, Frame, Outcome, Shared, WebSocket, WsLimits,
    reply,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Mutex, MutexGuard, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// One test at a time: they look at the memory of the process.
static TURN: Mutex<()> = Mutex::const_new(());

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// What may be left of caches, and of what the tests' own threads do meanwhile.
const SLACK: usize = 256 * KIB;
/// How long anything may take that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Echoes, sends on what is broadcast, and counts who is there.
#[derive(Clone)]
struct Echo {
    open: Arc<AtomicUsize>,
}

impl WebSocket for Echo {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("feed");
        self.open.fetch_add(1, Ordering::SeqCst);
        Ok(Accept::Yes)
    }

    async fn handle(&mut self, frame: Frame, _conn: &mut Connection) -> Outcome {
        reply(frame)
    }

    fn shared(message: &Message) -> Shared {
        match message.decode::<String>() {
            Ok(text) => Shared::text(&**text),
            Err(_) => Shared::Nothing,
        }
    }

    async fn terminate(&mut self, _reason: &CloseReason, _conn: &mut Connection) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Fixture {
    address: SocketAddr,
    pubsub: PubSub,
    open: Arc<AtomicUsize>,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
    _turn: MutexGuard<'static, ()>,
}

impl Fixture {
    async fn new(limits: WsLimits) -> Self {
        let turn = TURN.lock().await;
        let open = Arc::<AtomicUsize>::default();
        let echo = Echo {
            open: Arc::clone(&open),
        };
        let app = App::builder()
            .websocket("echo", echo)
            .limits(limits)
            .route(("/ws", "echo", protocol("ws")))
            .build()
            .unwrap();
        let listener = listener();
        let address = listener.local_addr().unwrap();
        let pubsub = app.pubsub().clone();
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(async move {
            let stop = async {
                let _ = stopped.await;
            };
            app.serve(listener, stop).await.unwrap();
        });
        Fixture {
            address,
            pubsub,
            open,
            stop,
            ended,
            _turn: turn,
        }
    }

    /// A client that has had its 101.
    async fn connect(&self) -> Client {
        connect(self.address, "127.0.0.1".parse().unwrap()).await
    }

    /// Waits until so many connections are there.
    async fn until_open(&self, count: usize) {
        until("the connections are those that should be there", || {
            self.open.load(Ordering::SeqCst) == count
        })
        .await;
    }

    /// Waits until no more is used than this and the slack.
    async fn until_memory_is_back(&self, before: usize) {
        until("the memory is back", || {
            ALLOCATOR.allocated() <= before + SLACK
        })
        .await;
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        timeout(PATIENCE, self.ended).await.unwrap().unwrap();
    }
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = timeout(PATIENCE, wait).await;
    waited.unwrap_or_else(|_| {
        panic!(
            "{what}: not after {PATIENCE:?}, with {} bytes",
            ALLOCATOR.allocated()
        )
    });
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Takes a wave of clients at once: one that finds no place comes again after a second.
fn listener() -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    socket.listen(1024).unwrap()
}

struct Client(BufStream<TcpStream>);

async fn connect(address: SocketAddr, from: std::net::IpAddr) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind((from, 0).into()).unwrap();
    let stream = socket.connect(address).await.unwrap();
    let mut client = Client(BufStream::with_capacity(KIB, KIB, stream));
    let request = format!(
        "GET /ws HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    client.write(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.0.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    client
}

impl Client {
    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes).await?;
        self.0.flush().await
    }

    /// The first byte and the payload of the next frame.
    async fn frame(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let first = self.0.read_u8().await?;
        let length = match self.0.read_u8().await? {
            126 => usize::from(self.0.read_u16().await?),
            127 => usize::try_from(self.0.read_u64().await?).unwrap(),
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await?;
        Ok((first, payload))
    }

    /// The code of the close frame, which others may precede.
    async fn closed(&mut self) -> u16 {
        let code = async {
            loop {
                if let (0x88, payload) = self.frame().await.unwrap() {
                    return u16::from_be_bytes([payload[0], payload[1]]);
                }
            }
        };
        timeout(PATIENCE, code).await.unwrap()
    }

    /// Says something, and hears it.
    async fn echo(&mut self, text: &str) {
        self.write(&frame(0x81, text.as_bytes())).await.unwrap();
        loop {
            let (first, payload) = timeout(PATIENCE, self.frame()).await.unwrap().unwrap();
            if first == 0x89 {
                continue; // a ping; the app hears enough of this client
            }
            return assert_eq!(payload, text.as_bytes());
        }
    }
}

/// A frame with this first byte, masked with zeroes, which change nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | short as u8),
        medium @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((medium as u16).to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// Clients that come at once, and leave each in one of the ways that there are. Each wave has an
/// address of its own, so that there are ports enough.
async fn wave(fixture: &Fixture, number: usize) {
    const CLIENTS: usize = 200;
    let (address, from) = (fixture.address, [127, 0, 1, (number % 200) as u8 + 1]);
    let mut clients = JoinSet::new();
    for n in 0..CLIENTS {
        clients.spawn(async move {
            let mut client = connect(address, from.into()).await;
            client.echo("hello").await;
            match n % 4 {
                // The closing handshake.
                0 => {
                    client
                        .write(&frame(0x88, &1000u16.to_be_bytes()))
                        .await
                        .unwrap();
                    assert_eq!(client.closed().await, 1000);
                }
                // Half a frame.
                1 => client.write(&frame(0x81, b"half")[..4]).await.unwrap(),
                // Something unread: a reset.
                2 => client.write(&frame(0x81, b"unread")).await.unwrap(),
                _ => {}
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_thousand_connections_leave_neither_memory_nor_descriptors_behind() {
    let fixture = Fixture::new(WsLimits::default()).await;
    let mut steady = fixture.connect().await;
    for number in 0..5 {
        wave(&fixture, number).await;
    }
    fixture.until_open(1).await;
    // Connections that are closing hold theirs for a moment.
    let first = descriptors();
    until("descriptors are given back", || {
        descriptors() <= first.min(40)
    })
    .await;
    let (memory, open) = (ALLOCATOR.allocated(), descriptors());

    for number in 0..200 {
        wave(&fixture, number).await;
        steady.echo("still here").await;
    }

    fixture.until_open(1).await;
    until("descriptors are given back", || descriptors() <= open).await;
    fixture.until_memory_is_back(memory).await;
    assert_eq!(fixture.pubsub.get_local_members("feed").len(), 1);
    drop(steady);
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_cost_what_may_wait_for_them_and_others_get_everything() {
    const FROZEN: usize = 20;
    const MESSAGES: usize = 1_000;
    let fixture = Fixture::new(WsLimits::default()).await;
    let (mut one, mut other) = (fixture.connect().await, fixture.connect().await);
    let before = ALLOCATOR.allocated();
    let mut frozen = Vec::new();
    for _ in 0..FROZEN {
        frozen.push(fixture.connect().await);
    }
    fixture.until_open(FROZEN + 2).await;

    let mut most = 0;
    for number in 0..MESSAGES {
        // Ten megabytes for each, of which the kernel takes some for those who do not read.
        let text = format!("{number:05}{}", "x".repeat(10 * KIB));
        fixture.pubsub.broadcast("feed", "text", &text);
        for reader in [&mut one, &mut other] {
            let (first, payload) = timeout(PATIENCE, reader.frame()).await.unwrap().unwrap();
            assert_eq!((first, payload), (0x81, text.clone().into_bytes()));
        }
        most = most.max(ALLOCATOR.allocated());
    }

    // What waits for each is at most 1 MiB; its buffer may be twice that when it grows.
    assert!(
        most < before + FROZEN * 3 * MIB,
        "{} MiB",
        (most - before) / MIB
    );
    // They neither read nor close, and are gone all the same.
    fixture.until_open(2).await;
    fixture.until_memory_is_back(before).await;
    one.echo("still here").await;
    drop((one, other, frozen));
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_pings_from_a_peer_that_never_reads_costs_next_to_nothing() {
    let fixture = Fixture::new(WsLimits::default()).await;
    let mut steady = fixture.connect().await;
    let before = ALLOCATOR.allocated();
    let mut flooding = fixture.connect().await;
    let pings = frame(0x89, &[b'p'; 125]).repeat(500);
    for _ in 0..400 {
        // 200,000 pings, 26 MB. The app reads them all.
        timeout(PATIENCE, flooding.write(&pings))
            .await
            .unwrap()
            .unwrap();
        assert!(ALLOCATOR.allocated() < before + MIB);
        steady.echo("still here").await;
    }
    drop(flooding);
    fixture.until_open(1).await;
    fixture.until_memory_is_back(before).await;
    drop(steady);
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_without_an_end_are_1009_and_take_no_more_than_the_limit() {
    const CLIENTS: usize = 20;
    let fixture = Fixture::new(WsLimits::default()).await;
    let mut steady = fixture.connect().await;
    let before = ALLOCATOR.allocated();
    let mut endless = Vec::new();
    for n in 0..CLIENTS {
        let mut client = fixture.connect().await;
        let (first, more) = match n % 2 {
            0 => (frame(0x01, &[b'a'; 1_000]), frame(0x00, &[b'a'; 1_000])),
            _ => (frame(0x02, b""), frame(0x00, b"").repeat(1_000)),
        };
        client.write(&first).await.unwrap();
        endless.push((client, more));
    }
    for _ in 0..60 {
        for (client, more) in &mut endless {
            client.write(more).await.unwrap();
        }
    }
    steady.echo("still here").await;
    assert!(ALLOCATOR.allocated() < before + CLIENTS * 160 * KIB);

    for (n, (client, more)) in endless.iter_mut().enumerate() {
        if n % 2 == 0 {
            for _ in 0..10 {
                // The app may have closed by now.
                let _ = client.write(more).await;
            }
            assert_eq!(client.closed().await, 1009);
        }
    }
    drop(endless);
    fixture.until_open(1).await;
    fixture.until_memory_is_back(before).await;
    drop(steady);
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_length_beyond_the_limit_is_1009_before_anything_of_it_has_come() {
    let fixture = Fixture::new(WsLimits::default()).await;
    let before = ALLOCATOR.allocated();
    for length in [64 * KIB as u64 + 1, u64::from(u32::MAX), i64::MAX as u64] {
        let mut client = fixture.connect().await;
        let mut head = vec![0x82, 0x80 | 127];
        head.extend(length.to_be_bytes());
        head.extend([0; 4]);
        client.write(&head).await.unwrap();
        assert_eq!(client.closed().await, 1009, "{length}");
    }
    fixture.until_open(0).await;
    fixture.until_memory_is_back(before).await;
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_freeze_without_closing_are_gone_after_a_ping() {
    let second = Some(Duration::from_secs(1));
    let fixture = Fixture::new(WsLimits {
        ping_interval: second,
        pong_timeout: second,
        ..WsLimits::default()
    })
    .await;
    let before = ALLOCATOR.allocated();
    let mut frozen = Vec::new();
    for _ in 0..50 {
        frozen.push(fixture.connect().await);
    }
    fixture.until_open(50).await;
    fixture.until_open(0).await;
    assert!(fixture.pubsub.get_local_members("feed").is_empty());
    drop(frozen);
    fixture.until_memory_is_back(before).await;
    fixture.end().await;
}
