//! A socket for who has a token: the browser offers it as a sub-protocol, since it can send no header of
//! the page's own with the request that opens a socket.
//!
//! Run `cargo run -p nova-examples --example socket_token`, then open <http://127.0.0.1:8080> and take a
//! token from `examples/socket_token/nova.toml`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use nova_core::pubsub::Message;
use nova_core::{
    App, AppBuilder, Reply, Request, Result, Secret, constant_time_eq, html, methods, protocol,
    status,
};
use nova_ws::{Accept, AppBuilderExt, Connection, Frame, Outcome, Shared, WebSocket, WsLimits, ok};
use serde::Deserialize;

/// What the page and the app speak. The token is offered beside it, and never chosen.
const SPOKEN: &str = "notes.v1";

/// The `[app]` table of `nova.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    tokens: Tokens,
}

/// Who has which token.
#[derive(Debug, Clone, Default, Deserialize)]
struct Tokens(BTreeMap<String, Secret>);

// ANCHOR: user_of
impl Tokens {
    /// Whose token this is. That it is nearly right makes no difference to the time that it takes.
    fn user_of(&self, token: &str) -> Option<&str> {
        let is_it = |known: &Secret| !token.is_empty() && constant_time_eq(token, known.expose());
        let mut all = self.0.iter();
        all.find_map(|(user, known)| is_it(known).then_some(&**user))
    }
}
// ANCHOR_END: user_of

// ANCHOR: room
/// What one says, all hear.
#[derive(Clone)]
struct Room {
    tokens: Tokens,
    user: String,
}

impl WebSocket for Room {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        let token = conn
            .offered_protocols()
            .find_map(|name| name.strip_prefix("token."));
        let Some(user) = token.and_then(|token| self.tokens.user_of(token)) else {
            return Ok(Accept::Refuse(status(401)));
        };
        self.user = user.to_owned();
        conn.set_user(&self.user); // so that `disconnect` finds the socket when the token is withdrawn
        conn.join("room");
        Ok(Accept::Yes)
    }
    // ANCHOR_END: room

    async fn handle(&mut self, frame: Frame, conn: &mut Connection) -> Outcome {
        if let Some(text) = frame.as_text() {
            let said = format!("{}: {text}", self.user);
            conn.pubsub().broadcast("room", "said", &said);
        }
        ok()
    }

    fn shared(message: &Message) -> Shared {
        Shared::json(message.payload())
    }
}

async fn page(_request: Request) -> Reply {
    html(include_str!("page.html"))
}

fn builder(app: AppBuilder, tokens: Tokens) -> AppBuilder {
    // ANCHOR: limits
    let limits = WsLimits {
        protocols: Some(vec![SPOKEN.to_owned()]), // the first of these that the client offers is chosen
        ..WsLimits::default()
    };
    let user = String::new();
    app.websocket("room", Room { tokens, user })
        .route(("/ws", "room", protocol("ws").limits(limits)))
        // ANCHOR_END: limits
        .route(("/", page, methods(["get"])))
}

async fn app() -> Result<App> {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/socket_token/nova.toml"
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
