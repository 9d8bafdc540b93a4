//! The routes that benchmarks of web frameworks have, through all of Nova; `nova-bench` measures them.
//!
//! Run `cargo run --release -p nova-examples --bin bench-http -- --port 8080`.

use std::net::Ipv4Addr;
use std::process::ExitCode;

use nova_core::{App, Flow, Head, Plugin, Reply, Request, Response, Result, json, text};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpSocket};

/// Each has the same five routes in `router.toml`.
const RESOURCES: [&str; 20] = [
    "accounts", "articles", "books", "carts", "channels", "comments", "devices", "events", "files",
    "groups", "invoices", "jobs", "messages", "orders", "photos", "products", "reports", "teams",
    "users", "zones",
];
const KINDS: [&str; 5] = ["list", "search", "get", "items", "item"];
/// A burst of connections is not dropped.
const BACKLOG: u32 = 4096;
const USAGE: &str = "usage: bench-http --port N [--workers N]";

#[derive(Serialize)]
struct Greeting {
    message: &'static str,
}

#[derive(Serialize)]
struct Note {
    id: u64,
}

#[derive(Deserialize, Serialize)]
struct NewNote {
    title: String,
    body: String,
    author: String,
}

#[derive(Serialize)]
struct Resource {
    resource: &'static str,
    kind: &'static str,
    id: u64,
    item: u64,
}

/// A plugin that is called before and after, and does nothing.
struct Nothing;

impl Plugin for Nothing {
    async fn pre_request(&self, _request: &mut Request) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    async fn post_request(&self, _head: &Head, _response: &mut Response) -> Result<Flow> {
        Ok(Flow::Continue)
    }
}

fn app() -> Result<App> {
    let mut builder = App::builder()
        .root(concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin/bench-http"))
        .action("json", |_| async {
            json(&Greeting {
                message: "Hello, World!",
            })
        })
        .action("plaintext", |_| async { text("Hello, World!") })
        .action("note", note)
        .action("echo", echo);
    for plugin in ["first", "second", "third", "fourth", "fifth"] {
        builder = builder.plugin(plugin, Nothing);
    }
    for resource in RESOURCES {
        for kind in KINDS {
            let name = format!("{resource}::{kind}");
            builder = builder.action(&name, move |request| answer(request, resource, kind));
        }
    }
    Ok(builder.build()?)
}

async fn note(request: Request) -> Result<Reply> {
    let id = request.binding("id")?;
    Ok(json(&Note { id }))
}

async fn echo(mut request: Request) -> Result<Reply> {
    let note: NewNote = request.params().await?;
    Ok(json(&note).with_status(200)) // it is a POST, and so 201 by default
}

async fn answer(request: Request, resource: &'static str, kind: &'static str) -> Result<Reply> {
    let (has_id, has_item) = (matches!(kind, "get" | "items" | "item"), kind == "item");
    Ok(json(&Resource {
        resource,
        kind,
        id: if has_id { request.binding("id")? } else { 0 },
        item: if has_item {
            request.binding("item")?
        } else {
            0
        },
    }))
}

fn main() -> ExitCode {
    let ended = arguments(std::env::args().skip(1)).and_then(|(port, workers)| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        if let Some(workers) = workers {
            runtime.worker_threads(workers);
        }
        let runtime = runtime.enable_all().build();
        let runtime = runtime.map_err(|error| format!("the runtime does not start: {error}"))?;
        runtime.block_on(serve(port))
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The port, and how many threads serve; `None` for as many as there are processors.
fn arguments(mut given: impl Iterator<Item = String>) -> Result<(u16, Option<usize>), String> {
    let (mut port, mut workers) = (None, None);
    while let Some(name) = given.next() {
        let value = given.next();
        let value = value.ok_or_else(|| format!("`{name}` has no value\n{USAGE}"))?;
        let wrong = |error: &dyn std::fmt::Display| format!("`{name} {value}`: {error}\n{USAGE}");
        match name.as_str() {
            "--port" => port = Some(value.parse().map_err(|error| wrong(&error))?),
            "--workers" => match value.parse() {
                Ok(0) => return Err(wrong(&"it takes one at least")),
                Ok(count) => workers = Some(count),
                Err(error) => return Err(wrong(&error)),
            },
            _ => return Err(format!("there is no `{name}`\n{USAGE}")),
        }
    }
    match port {
        Some(port) => Ok((port, workers)),
        None => Err(USAGE.to_owned()),
    }
}

async fn serve(port: u16) -> Result<(), String> {
    let app = app().map_err(|error| error.to_string())?;
    let listener = listen(port).map_err(|error| format!("cannot listen on {port}: {error}"))?;
    if let Ok(address) = listener.local_addr() {
        eprintln!("listening on http://{address}");
    }
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    app.serve(listener, stop)
        .await
        .map_err(|error| error.to_string())
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests;
