//! A socket that is open to everybody and does nothing for them, until their first message logs them in.
//!
//! Run `cargo run -p nova-examples --example socket_first_message`, then open <http://127.0.0.1:8080> and
//! take a token from `examples/socket_first_message/nova.toml`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use nova_core::pubsub::Message;
use nova_core::{
    App, AppBuilder, Reply, Request, Result, Secret, constant_time_eq, html, methods, protocol,
};
use nova_ws::{
    AppBuilderExt, CloseReason, Connection, Frame, Outcome, Shared, WebSocket, WsLimits, ok, reply,
    stop_with,
};
use serde::Deserialize;
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// How long a client has to say who it is.
const PATIENCE: Duration = Duration::from_secs(10);

/// The first message, as JSON.
#[derive(Deserialize)]
struct LogIn {
    token: String,
}

// ANCHOR: room
/// What one says, all hear.
#[derive(Clone)]
struct Room {
    tokens: Tokens,
    /// Closes the connection if nobody has logged in by then.
    timer: Option<AbortHandle>,
}

impl WebSocket for Room {
    async fn started(&mut self, conn: &mut Connection) -> Outcome {
        let sender = conn.sender();
        let timer = tokio::spawn(async move {
            sleep(PATIENCE).await;
            sender.close(4408, "the first message logs in, within 10 s");
        });
        self.timer = Some(timer.abort_handle());
        ok()
    }

    async fn handle(&mut self, frame: Frame, conn: &mut Connection) -> Outcome {
        let Some(user) = conn.user() else {
            return self.log_in(&frame, conn);
        };
        if let Some(text) = frame.as_text() {
            let said = format!("{user}: {text}");
            conn.pubsub().broadcast("room", "said", &said);
        }
        ok()
    }

    fn shared(message: &Message) -> Shared {
        Shared::json(message.payload())
    }

    async fn terminate(&mut self, _reason: &CloseReason, _conn: &mut Connection) {
        self.stop_timer();
    }
}

impl Room {
    fn log_in(&mut self, frame: &Frame, conn: &mut Connection) -> Outcome {
        let first = serde_json::from_slice(frame.as_bytes()).ok();
        let user = first.and_then(|LogIn { token }| self.tokens.user_of(&token));
        let Some(user) = user else {
            return stop_with(4401, "the token is wrong");
        };
        conn.set_user(user);
        conn.join("room");
        let welcome = format!("\"welcome, {user}\"");
        self.stop_timer();
        reply(Frame::text(welcome))
    }

    fn stop_timer(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
    }
}
// ANCHOR_END: room

/// The `[app]` table of `nova.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    tokens: Tokens,
}

/// Who has which token.
#[derive(Debug, Clone, Default, Deserialize)]
struct Tokens(BTreeMap<String, Secret>);

impl Tokens {
    /// Whose token this is. That it is nearly right makes no difference to the time that it takes.
    fn user_of(&self, token: &str) -> Option<&str> {
        let is_it = |known: &Secret| !token.is_empty() && constant_time_eq(token, known.expose());
        let mut all = self.0.iter();
        all.find_map(|(user, known)| is_it(known).then_some(&**user))
    }
}

async fn page(_request: Request) -> Reply {
    html(include_str!("page.html"))
}

fn builder(app: AppBuilder, tokens: Tokens) -> AppBuilder {
    // ANCHOR: limits
    // Strangers get as far as the handler: so they are few, and say little.
    let limits = WsLimits {
        connections_per_address: Some(20),
        message_bytes: Some(4 * 1024),
        messages_per_second: Some(20),
        ..WsLimits::default()
    };
    let room = Room {
        tokens,
        timer: None,
    };
    app.websocket("room", room)
        .route(("/ws", "room", protocol("ws").limits(limits)))
        // ANCHOR_END: limits
        .route(("/", page, methods(["get"])))
}

async fn app() -> Result<App> {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/socket_first_message/nova.toml"
    );
    let mut app = App::builder().config_file(file);
    let Settings { tokens } = app.settings();
    Ok(builder(app, tokens).build()?)
}

fn main() -> ExitCode {
    nova_core::run(app)
}

#[cfg(test)]
mod tests;
