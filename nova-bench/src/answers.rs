//! What the servers answer: the same bytes from all of them.

use serde::{Deserialize, Serialize};

pub(crate) const RESOURCES: [&str; 20] = [
    "accounts", "articles", "books", "carts", "channels", "comments", "devices", "events", "files",
    "groups", "invoices", "jobs", "messages", "orders", "photos", "products", "reports", "teams",
    "users", "zones",
];

#[derive(Serialize)]
pub(crate) struct Greeting {
    message: &'static str,
}

pub(crate) const HELLO: &str = "Hello, World!";
pub(crate) const GREETING: Greeting = Greeting { message: HELLO };

#[derive(Serialize)]
pub(crate) struct Note {
    pub(crate) id: u64,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct NewNote {
    title: String,
    body: String,
    author: String,
}

/// The answer of a hundred routes, with 0 for what a path does not have.
#[derive(Serialize)]
pub(crate) struct Resource {
    pub(crate) resource: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) id: u64,
    pub(crate) item: u64,
}

impl Resource {
    pub(crate) fn new(resource: &'static str, kind: &'static str, id: u64, item: u64) -> Self {
        Resource {
            resource,
            kind,
            id,
            item,
        }
    }
}
