//! Server-sent events: the `sse` protocol of routes, for clients that only listen.
//!
//! It is the idea of [`WebSocket`](crate::WebSocket) over plain HTTP (WHATWG HTML §9.2): an answer
//! that does not end, and in browsers an `EventSource` that comes back by itself when it does. A
//! handler is a value that implements [`EventSource`]; [`AppBuilderExt::event_source`] registers it,
//! and a route with `protocol = "sse"` names it. This feed sends the news to all who listen:
//!
//! ```
//! use nova_core::pubsub::Message;
//! use nova_core::testing::TestClient;
//! use nova_core::{App, Request, Result, protocol};
//! use nova_ws::sse::{Event, EventSource, Shared};
//! use nova_ws::testing::TestEvents;
//! use nova_ws::{Accept, AppBuilderExt, Connection};
//!
//! #[derive(Clone)]
//! struct News;
//!
//! impl EventSource for News {
//!     async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
//!         conn.join("news");
//!         Ok(Accept::Yes)
//!     }
//!
//!     fn shared(message: &Message) -> Shared {
//!         Shared::Event(Event::json(message.payload()).name(message.topic()))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let app = App::builder()
//!     .event_source("news", News)
//!     .route(("/news", "news", protocol("sse")))
//!     .build()
//!     .unwrap();
//! let client = TestClient::new(app);
//! let mut events = TestEvents::connect(&client, "/news").await.unwrap();
//!
//! client.pubsub().broadcast("news", "rain", "take an umbrella");
//!
//! let event = events.recv().await;
//! assert_eq!(event.name, "rain");
//! assert_eq!(event.data, r#""take an umbrella""#);
//! # }
//! ```
//!
//! [`AppBuilderExt::event_source`]: crate::AppBuilderExt::event_source
//!
//! # Coming back
//! An [`Event`] may have an id. A client that comes back says which one it has seen last, and
//! [`last_event_id`] tells it to the handler, whose [`started`](EventSource::started) sends what was
//! missed. Whoever has no id to go by reads everything anew.
//!
//! An `EventSource` comes back when a stream ends, however it ends, and when nobody answers. It stays
//! away after any answer but a 200: what [`init`](EventSource::init) refuses is refused for good, as
//! are a 503 and what a proxy says while the app is away. A page that goes on nevertheless makes a new
//! one.
//!
//! # The answer
//! It is for a `GET`, or a `HEAD`, of a client that does not exclude `text/event-stream` in its
//! `Accept` header (406); one that names it gets the events also where an `http` route has the same
//! path. The plugins and the security function run before, as for any request, and a page of another
//! origin needs the `cors` plugin. The answer says `cache-control: no-store, no-transform` and
//! `x-accel-buffering: no`, so that nothing on the way keeps, compresses or collects it. It begins
//! with a `retry` of 2 to 5 s, at random, so that those who were cut off together do not come back
//! together.
//!
//! # Limits
//! What waits for a client that does not read is at most 1 MiB, or one event that is longer; what
//! waits while a handler is busy is at most 16,384 messages. Then the stream ends, between two
//! events, and the client may come back. The events that one callback returns are no flood: they
//! wait until there is room for them. When nothing was sent for 25 s, a comment is, for what closes
//! silent connections. A client that has gone is noticed at once when it hangs up, and when a comment
//! cannot be delivered if it does not. [`SseLimits`] sets these and others.
//!
//! When the app stops, a stream ends with a `retry` that is longer the more clients there are, and at
//! random: up to 30 s.

mod accept;
mod end;
mod event;
mod handler;
mod last_event_id;
mod limits;
mod opening;
mod outcome;
mod outgoing;
mod retry;
mod session;

pub use end::EndReason;
pub use event::{Event, EventError};
pub use handler::{EventSource, Shared};
pub use last_event_id::last_event_id;
pub use limits::SseLimits;
pub(crate) use opening::Prototype;
pub use outcome::{Outcome, ok, send, send_all, stop};
