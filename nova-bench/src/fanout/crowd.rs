//! The clients: sockets that one thread reads, looking at no more than the heads of frames.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, connect, ipproto, recv,
    send, socket_with, sockopt,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::frames::{self, Frames};
use crate::Result;
use crate::server::Server;

/// How many handshakes are under way at most: fewer than wait in any server's queue of connections.
const HANDSHAKES: usize = 1_000;
/// How many connections come from one address, which has some 28,000 ports.
const FROM_ADDRESS: usize = 20_000;
const READ_BYTES: usize = 64 * 1024;
const EVENTS: usize = 1024;
/// A server that says nothing for so long is taken to hang.
const SILENCE: Duration = Duration::from_secs(20);

/// As many descriptors as the system lets this process, and those that it starts, have.
pub(crate) fn raise_descriptors() -> io::Result<()> {
    const ENOUGH: u64 = 250_000;
    let enough = Rlimit {
        current: Some(ENOUGH),
        maximum: Some(ENOUGH),
    };
    let now = getrlimit(Resource::Nofile);
    if now.current.is_none_or(|current| current >= ENOUGH) {
        return Ok(());
    }
    // Only a privileged process may raise the maximum.
    match setrlimit(Resource::Nofile, enough) {
        Ok(()) => Ok(()),
        Err(_) => Ok(setrlimit(
            Resource::Nofile,
            Rlimit {
                current: now.maximum,
                maximum: now.maximum,
            },
        )?),
    }
}

/// Clients that have connected, until this is dropped.
pub(crate) struct Crowd {
    epoll: OwnedFd,
    clients: Vec<Client>,
    events: Vec<epoll::Event>,
    buffer: Vec<u8>,
    frame: Vec<u8>,
    /// Whose turn it is to say something.
    speaker: usize,
}

struct Client {
    socket: OwnedFd,
    frames: Frames,
    /// How many messages have arrived.
    received: u64,
}

/// How the clients talk.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// So many messages are on their way at once, for so long.
    Flood { in_flight: usize, time: Duration },
    /// A message in each interval, so many.
    Steady { interval: Duration, count: u64 },
}

/// What came of it.
pub(crate) struct Told {
    pub(crate) deliveries: u64,
    pub(crate) time: Duration,
    /// How long each delivery took; empty for a flood.
    pub(crate) delays: Vec<Duration>,
}

impl Crowd {
    /// Connects so many, and tells how long that took.
    pub(crate) fn connect(server: &Server, path: &str, count: usize) -> Result<(Crowd, Duration)> {
        let mut crowd = Crowd {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            clients: Vec::with_capacity(count),
            events: Vec::with_capacity(EVENTS),
            buffer: vec![0; READ_BYTES],
            frame: frames::text(),
            speaker: 0,
        };
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            server.address
        );
        let start = Instant::now();
        let mut upgraded = 0;
        for number in 0..count {
            crowd.open(server.address, number, request.as_bytes())?;
            while crowd.clients.len() - upgraded >= HANDSHAKES {
                upgraded += crowd.hear_answers(SILENCE)?;
            }
            if number % 64 == 0 {
                upgraded += crowd.hear_answers(Duration::ZERO)?;
            }
        }
        while upgraded < count {
            upgraded += crowd.hear_answers(SILENCE)?;
        }
        Ok((crowd, start.elapsed()))
    }

    fn open(&mut self, server: SocketAddr, number: usize, request: &[u8]) -> Result {
        let stream = (
            AddressFamily::INET,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
        );
        let socket = socket_with(stream.0, stream.1, stream.2, Some(ipproto::TCP))?;
        if number >= FROM_ADDRESS {
            let host = 1 + u8::try_from(number / FROM_ADDRESS)?;
            bind(
                &socket,
                &SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, host), 0),
            )?;
        }
        connect(&socket, &server)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        // Ends with a reset, so that no port is kept for a minute afterwards.
        sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
        send(&socket, request, SendFlags::empty())?;
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&self.epoll, &socket, data, epoll::EventFlags::IN)?;
        self.clients.push(Client {
            socket,
            frames: Frames::default(),
            received: 0,
        });
        Ok(())
    }

    /// How many clients have their 101 now.
    fn hear_answers(&mut self, patience: Duration) -> Result<usize> {
        self.wait(patience)?;
        for event in &self.events {
            let client = &mut self.clients[event.data.u64() as usize];
            let (_, count) = recv(&client.socket, &mut self.buffer[..], RecvFlags::DONTWAIT)?;
            let answer = &self.buffer[..count];
            if !answer.starts_with(b"HTTP/1.1 101 ") || !answer.ends_with(b"\r\n\r\n") {
                let answer = answer.escape_ascii();
                return Err(format!("an answer is no 101: {answer}").into());
            }
        }
        if self.events.is_empty() && !patience.is_zero() {
            return Err("the server does not answer".into());
        }
        Ok(self.events.len())
    }

    /// Waits until something has come.
    fn wait(&mut self, patience: Duration) -> Result {
        let patience = Timespec::try_from(patience)?;
        self.events.clear();
        epoll::wait(
            &self.epoll,
            spare_capacity(&mut self.events),
            Some(&patience),
        )?;
        Ok(())
    }

    /// Has clients say something, one after the other, and hears it all.
    pub(crate) fn talk(&mut self, pace: Pace) -> Result<Told> {
        let start = Instant::now();
        let mut under_way = UnderWay::new(self.clients[0].received, self.clients.len());
        let mut told = Told {
            deliveries: 0,
            time: Duration::ZERO,
            delays: Vec::new(),
        };
        loop {
            let said = under_way.first + under_way.messages.len() as u64 - under_way.begun;
            let patience = match pace {
                Pace::Flood { in_flight, time } if start.elapsed() < time => {
                    for _ in under_way.messages.len()..in_flight {
                        self.speak(&mut under_way)?;
                    }
                    SILENCE
                }
                Pace::Steady { interval, count } if said < count => {
                    let due = interval * u32::try_from(said)?;
                    if start.elapsed() >= due {
                        self.speak(&mut under_way)?;
                    }
                    (interval * u32::try_from(said + 1)?).saturating_sub(start.elapsed())
                }
                _ if under_way.messages.is_empty() => {
                    told.time = start.elapsed();
                    return Ok(told);
                }
                _ => SILENCE,
            };
            self.wait(patience)?;
            if self.events.is_empty() && patience == SILENCE {
                return Err("the server does not deliver".into());
            }
            self.hear(
                &mut under_way,
                matches!(pace, Pace::Steady { .. }),
                &mut told,
            )?;
        }
    }

    fn speak(&mut self, under_way: &mut UnderWay) -> Result {
        self.speaker = (self.speaker + 1) % self.clients.len();
        under_way.messages.push_back(Message {
            missing: self.clients.len(),
            said: Instant::now(),
        });
        let speaker = &self.clients[self.speaker].socket;
        match send(speaker, &self.frame, SendFlags::empty())? == self.frame.len() {
            true => Ok(()),
            false => Err("a message was not sent whole".into()),
        }
    }

    fn hear(&mut self, under_way: &mut UnderWay, is_timed: bool, told: &mut Told) -> Result {
        for event in &self.events {
            let client = &mut self.clients[event.data.u64() as usize];
            let (_, count) = recv(&client.socket, &mut self.buffer[..], RecvFlags::DONTWAIT)?;
            if count == 0 {
                return Err("the server has closed a connection".into());
            }
            let counted = client.frames.count(&self.buffer[..count])?;
            if counted.pings > 0 {
                send(&client.socket, &frames::PONG, SendFlags::empty())?;
            }
            told.deliveries += counted.data;
            let now = is_timed.then(Instant::now);
            for _ in 0..counted.data {
                let said = under_way.delivered(client.received)?;
                told.delays.extend(now.map(|now| now - said));
                client.received += 1;
            }
        }
        under_way.forget_delivered();
        Ok(())
    }

    /// Answers pings for so long, and hears nothing else.
    pub(crate) fn idle(&mut self, time: Duration) -> Result {
        let start = Instant::now();
        let mut none = UnderWay::new(0, self.clients.len());
        let mut told = Told {
            deliveries: 0,
            time,
            delays: Vec::new(),
        };
        while let left @ 1.. = time.saturating_sub(start.elapsed()).as_millis() {
            self.wait(Duration::from_millis(left as u64))?;
            self.hear(&mut none, false, &mut told)?;
        }
        Ok(())
    }
}

/// The messages that not all have heard.
struct UnderWay {
    /// The number of the first message of this talk.
    begun: u64,
    /// The number of the first of `messages`: how many came before.
    first: u64,
    messages: VecDeque<Message>,
}

struct Message {
    missing: usize,
    said: Instant,
}

impl UnderWay {
    fn new(begun: u64, clients: usize) -> Self {
        UnderWay {
            begun,
            first: begun,
            messages: VecDeque::with_capacity(clients.min(16)),
        }
    }

    /// Another client has heard this message; it was said then.
    fn delivered(&mut self, number: u64) -> Result<Instant> {
        let index = number.checked_sub(self.first);
        let message = index.and_then(|index| self.messages.get_mut(index as usize));
        let message = message.ok_or("a message arrives that nobody has said")?;
        message.missing -= 1;
        Ok(message.said)
    }

    fn forget_delivered(&mut self) {
        while self
            .messages
            .front()
            .is_some_and(|message| message.missing == 0)
        {
            self.messages.pop_front();
            self.first += 1;
        }
    }
}
