//! The servers to compare with: this program, started again with the name of one of them.
//!
//! Each has one worker, port 0 and a backlog that takes a burst, and says where it listens as
//! `bench-http` does.

mod actix;
mod axum;
mod axum_chat;
mod ceiling;
mod hyper;
mod tungstenite;

use std::io;
use std::net::Ipv4Addr;

use tokio::net::{TcpListener, TcpSocket};

use crate::Result;

const BACKLOG: u32 = 4096;

pub(crate) fn serve(name: &str) -> Result {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    match name {
        "hyper" => runtime.block_on(hyper::serve()),
        "axum" => runtime.block_on(axum::serve()),
        "actix-web" => actix::serve(),
        "ceiling" | "ceiling-batched" => {
            let _inside = runtime.enter();
            let listener = listen()?.into_std()?;
            ceiling::serve(&listener, name == "ceiling-batched")
        }
        "axum-chat" => runtime.block_on(axum_chat::serve()),
        "tungstenite" => runtime.block_on(tungstenite::serve()),
        _ => Err(format!("there is no server `{name}`").into()),
    }
}

fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let listener = socket.listen(BACKLOG)?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    Ok(listener)
}
