//! The routes that benchmarks of web frameworks have, through all of Nova; `nova-bench` measures them.
//!
//! Run `cargo run --release -p nova-examples --bin bench-http -- --port 8080`.

use std::process::ExitCode;

use nova_core::{App, Flow, Head, Plugin, Reply, Request, Response, Result, json, text};
use serde::{Deserialize, Serialize};

/// Each has the same five routes in `router.toml`.
const RESOURCES: [&str; 20] = [
    "accounts", "articles", "books", "carts", "channels", "comments", "devices", "events", "files",
    "groups", "invoices", "jobs", "messages", "orders", "photos", "products", "reports", "teams",
    "users", "zones",
];
const KINDS: [&str; 5] = ["list", "search", "get", "items", "item"];

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
    nova_examples::bench::serve("bench-http", app)
}

#[cfg(test)]
mod tests;
