//! WebSocket handlers for the Nova web framework: the `ws` protocol of its routes.
//!
//! A handler is a value that implements [`WebSocket`]; [`AppBuilderExt::websocket`] registers it,
//! and a route with `protocol = "ws"` names it. This chat passes every text on to all who are
//! connected, the sender included:
//!
//! ```
//! use nova_core::pubsub::Message;
//! use nova_core::{App, Request, Result, protocol};
//! use nova_ws::testing::TestSocket;
//! use nova_ws::{Accept, AppBuilderExt, Connection, Frame, Outcome, Shared, WebSocket, ok};
//!
//! #[derive(Clone)]
//! struct Chat;
//!
//! impl WebSocket for Chat {
//!     async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
//!         conn.join("chat");
//!         Ok(Accept::Yes)
//!     }
//!
//!     async fn handle(&mut self, frame: Frame, conn: &mut Connection) -> Outcome {
//!         if let Some(text) = frame.as_text() {
//!             conn.pubsub().broadcast("chat", "message", text);
//!         }
//!         ok()
//!     }
//!
//!     fn shared(message: &Message) -> Shared {
//!         match message.decode::<String>() {
//!             Ok(text) => Shared::text(&**text),
//!             Err(_) => Shared::Nothing,
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let app = App::builder()
//!     .websocket("chat", Chat)
//!     .route(("/chat", "chat", protocol("ws")))
//!     .build()
//!     .unwrap();
//! let client = nova_core::testing::TestClient::new(app);
//! let mut ann = TestSocket::connect(&client, "/chat").await.unwrap();
//! let mut bob = TestSocket::connect(&client, "/chat").await.unwrap();
//!
//! ann.send_text("hello").await;
//!
//! assert_eq!(ann.recv_text().await, "hello");
//! assert_eq!(bob.recv_text().await, "hello");
//! # }
//! ```
//!
//! For clients that only listen, [`sse`] has the same over plain HTTP.
//!
//! # Limits
//! Unless [`WsLimits`] says otherwise: a message or frame of a client's is at most 64 KiB (close code
//! 1009 otherwise); what waits for a client that does not read is at most 1 MiB, or one frame that is
//! longer; what waits while a handler is busy is at most 16,384 messages, always. Then the connection
//! is closed with 1013. Every 25 s a client is pinged, and it is gone when nothing comes from it in
//! the 20 s after that; one that only listens stays for ever. An `Origin` other than the `Host` is
//! refused with 403 (RFC 6455 §10.2); clients that are no browsers send none.

mod close;
#[doc(hidden)] // private, but for the fuzz target `frames`
pub mod codec;
mod connection;
mod crowd;
mod end;
mod frame;
mod grace;
mod handler;
mod handshake;
mod heartbeat;
mod hooks;
mod limits;
mod membership;
mod open;
mod outcome;
mod outlet;
mod pace;
mod register;
mod sender;
mod session;
mod shard;
pub mod sse;
pub mod testing;
mod wire;

pub use close::CloseReason;
pub use connection::Connection;
pub use frame::Frame;
pub use handler::{Accept, Info, Shared, WebSocket};
pub use handshake::offered_protocols;
pub use hooks::{MessageFlow, MessagePlugin, message_hooks};
pub use limits::WsLimits;
pub use outcome::{Outcome, ok, replies, reply, stop, stop_with};
pub use register::AppBuilderExt;
pub use sender::{Sender, Whom, disconnect};
