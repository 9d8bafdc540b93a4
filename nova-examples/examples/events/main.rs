//! A notice board. What somebody puts up appears in all browsers, and who was away gets what was
//! missed.
//!
//! Run `cargo run -p nova-examples --example events`, then open <http://127.0.0.1:8080> in two tabs.
//! Stop it, and start it again.

mod board;

use std::process::ExitCode;

use nova_core::{App, Reply, Request, Result, controller, status};
use nova_ws::sse::{Event, EventSource, Outcome, last_event_id, ok, send, send_all};
use nova_ws::{Accept, AppBuilderExt, Connection, Info};
use serde::Deserialize;

use board::{Board, Notice};

struct NoticesController {
    board: Board,
}

controller!("notices" => NoticesController { create });

#[derive(Deserialize)]
struct NewNotice {
    text: String,
}

impl NoticesController {
    async fn create(&self, mut request: Request) -> Result<Reply> {
        let NewNotice { text } = request.params().await?;
        self.board.put_up(text, request.pubsub());
        Ok(status(204))
    }
}

// ANCHOR: source
#[derive(Clone)]
struct Notices {
    board: Board,
    /// The last notice that this client has.
    seen: u64,
}

impl EventSource for Notices {
    async fn init(&mut self, request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("notices"); // first: nothing falls between
        self.seen = last_event_id(request).unwrap_or(0);
        Ok(Accept::Yes)
    }

    async fn started(&mut self, _conn: &mut Connection) -> Outcome {
        let missed = self.board.since(self.seen);
        self.seen = missed.last().map_or(self.seen, |notice| notice.id);
        send_all(missed.iter().map(event))
    }

    async fn info(&mut self, info: Info, _conn: &mut Connection) -> Outcome {
        if let Info::Published(message) = info
            && let Ok(notice) = message.decode::<Notice>()
            && notice.id > self.seen
        // or it was among those that were missed
        {
            self.seen = notice.id;
            return send(event(&notice));
        }
        ok()
    }
}

fn event(notice: &Notice) -> Event {
    Event::text(&notice.text).name("notice").id(notice.id)
}
// ANCHOR_END: source

// ANCHOR: app
async fn app() -> Result<App> {
    let board = Board::new();
    let app = App::builder()
        .root(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/events"))
        .event_source(
            "notices",
            Notices {
                board: board.clone(),
                seen: 0,
            },
        )
        .controller(NoticesController { board });
    Ok(app.build()?)
}
// ANCHOR_END: app

fn main() -> ExitCode {
    nova_core::run(app)
}

#[cfg(test)]
mod tests;
