//! The clients: connections that send prepared requests and count answers.

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Result;
use crate::cases::Case;
use crate::server::Server;

const CONNECTIONS: usize = 64;

/// What a server did in one turn.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) requests_per_second: f64,
    /// Microseconds of processor time that the server took for a request; `None` where the system
    /// does not tell.
    pub(crate) cpu_per_request: Option<f64>,
}

/// Asks `server` for so long.
pub(crate) fn run(server: &Server, case: &Case, time: Duration) -> Result<Turn> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let mut streams = Vec::new();
        for _ in 0..CONNECTIONS {
            let stream = TcpStream::connect(server.address).await?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let cpu = server.cpu_time();
        let start = Instant::now();
        let mut connections = JoinSet::new();
        for (number, stream) in streams.into_iter().enumerate() {
            let mut requests = case.requests.clone();
            let first = number % requests.len();
            requests.rotate_left(first); // not all of them for the same
            let goes_on = move || Instant::now() < start + time;
            connections.spawn(ask(stream, requests, case.pipelined, goes_on));
        }
        let mut answers = 0;
        while let Some(counted) = connections.join_next().await {
            answers += counted??;
        }
        let seconds = start.elapsed().as_secs_f64();
        let cpu = cpu.and_then(|before| Ok(server.cpu_time()? - before)).ok();
        let answers = answers as f64;
        Ok(Turn {
            requests_per_second: answers / seconds,
            cpu_per_request: cpu.map(|time| time.as_secs_f64() * 1e6 / answers),
        })
    })
}

/// Asks so many times on one connection, and tells the number of answers.
pub(crate) fn rounds(server: &Server, case: &Case, rounds: usize) -> Result<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let stream = TcpStream::connect(server.address).await?;
        stream.set_nodelay(true)?;
        let mut left = rounds;
        let goes_on = move || {
            let goes_on = left > 0;
            left = left.saturating_sub(1);
            goes_on
        };
        ask(stream, case.requests.clone(), case.pipelined, goes_on).await
    })
}

/// The number of answers until it does not go on.
async fn ask(
    mut stream: TcpStream,
    requests: Vec<Vec<u8>>,
    pipelined: usize,
    mut goes_on: impl FnMut() -> bool,
) -> Result<u64> {
    let mut received = BytesMut::with_capacity(16 * 1024);
    let mut answers = 0;
    for request in requests.iter().cycle() {
        if !goes_on() {
            break;
        }
        stream.write_all(request).await?;
        let mut missing = pipelined;
        while missing > 0 {
            match answer(&received)? {
                Some(length) => {
                    received.advance(length);
                    missing -= 1;
                }
                None => {
                    received.reserve(16 * 1024);
                    if stream.read_buf(&mut received).await? == 0 {
                        return Err("the server has closed the connection".into());
                    }
                }
            }
        }
        answers += pipelined as u64;
    }
    Ok(answers)
}

/// The length of the answer that `received` begins with, if all of it is there.
fn answer(received: &[u8]) -> Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head_length) = head.parse(received)? else {
        return Ok(None);
    };
    if head.code != Some(200) {
        return Err(format!("an answer is no 200: {}", received.escape_ascii()).into());
    }
    let length = head
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .ok_or("an answer has no content-length")?;
    let length: usize = std::str::from_utf8(length.value)?.parse()?;
    let whole = head_length + length;
    Ok((received.len() >= whole).then_some(whole))
}
