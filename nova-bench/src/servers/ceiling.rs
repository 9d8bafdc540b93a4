//! What no server can beat that calls the kernel as often: each text that a client sends is written to all
//! of them as a prebuilt frame, by one thread that does nothing else.

use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send, sockopt};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::Result;
use crate::fanout::Frames;

const LISTENER: u64 = u64::MAX;
/// A text of 128 bytes as servers send it (RFC 6455 §5.2), like those that come.
const HEAD: [u8; 4] = [0x81, 126, 0, 128];
const TEXT: [u8; 128] = [b'x'; 128];

struct Client {
    socket: OwnedFd,
    /// `None` before the handshake.
    frames: Option<Frames>,
}

/// Serves for ever. With `is_batched`, all that has come in one look at the sockets leaves in one call for
/// each.
pub(super) fn serve(listener: &TcpListener, is_batched: bool) -> Result {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let watch = |socket: BorrowedFd<'_>, number| {
        epoll::add(&epoll, socket, EventData::new_u64(number), EventFlags::IN)
    };
    watch(listener.as_fd(), LISTENER)?;
    let frame = [&HEAD[..], &TEXT].concat();
    let mut clients: Vec<Option<Client>> = Vec::new();
    let mut events = Vec::with_capacity(1024);
    loop {
        events.clear();
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        let mut texts = 0;
        for event in events.drain(..) {
            let number = event.data.u64();
            if number == LISTENER {
                let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
                let socket = accept_with(listener, flags)?;
                sockopt::set_tcp_nodelay(&socket, true)?;
                watch(socket.as_fd(), clients.len() as u64)?;
                clients.push(Some(Client {
                    socket,
                    frames: None,
                }));
                continue;
            }
            let place = &mut clients[number as usize];
            match place.as_mut().map(Client::read) {
                Some(Ok(count)) => texts += count,
                Some(Err(_)) | None => *place = None,
            }
        }
        let (times, calls) = if is_batched { (texts, 1) } else { (1, texts) };
        let bytes = frame.repeat(times);
        for _ in 0..calls.min(texts) {
            for client in clients.iter().flatten() {
                client.write(&bytes)?;
            }
        }
    }
}

impl Client {
    /// Answers the handshake, or counts texts.
    fn read(&mut self) -> Result<usize> {
        let mut buffer = [0; 4096];
        let (_, count) = recv(&self.socket, &mut buffer[..], RecvFlags::empty())?;
        let read = &buffer[..count];
        match &mut self.frames {
            _ if read.is_empty() => Err("the client has gone".into()),
            Some(frames) => Ok(frames.count(read)?.data as usize),
            None => {
                let mut headers = [httparse::EMPTY_HEADER; 16];
                let mut request = httparse::Request::new(&mut headers);
                request.parse(read)?;
                let mut headers = request.headers.iter();
                let key = headers.find(|header| header.name == "sec-websocket-key");
                let key = key.ok_or("a request is no handshake")?;
                let answer = format!(
                    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                     sec-websocket-accept: {}\r\n\r\n",
                    derive_accept_key(key.value)
                );
                self.write(answer.as_bytes())?;
                self.frames = Some(Frames::default());
                Ok(0)
            }
        }
    }

    fn write(&self, bytes: &[u8]) -> Result {
        match send(&self.socket, bytes, SendFlags::NOSIGNAL)? == bytes.len() {
            true => Ok(()),
            false => Err("a client reads too slowly to be a ceiling".into()),
        }
    }
}
