//! A socket for who has a ticket: whoever may ask for one by HTTP gets it, and it opens one socket within
//! half a minute. So what stands in the URL, and in the logs of proxies, is worth nothing later.
//!
//! Run `cargo run -p nova-examples --example socket_ticket`, then open <http://127.0.0.1:8080> and take a
//! token from `examples/socket_ticket/nova.toml`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use nova_core::pubsub::Message;
use nova_core::{
    Access, App, AppBuilder, Group, Reply, Request, Result, Secret, Security, constant_time_eq,
    html, json, methods, protocol,
};
use nova_ws::{Accept, AppBuilderExt, Connection, Frame, Outcome, Shared, WebSocket, ok};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

// ANCHOR: tickets
/// How long a ticket is good for.
const LIFE: Duration = Duration::from_secs(30);
/// How many there are at a time, at most: the oldest make room.
const MOST: u64 = 10_000;

/// The tickets that nobody has used yet. Several nodes keep them where all of them look, such as in
/// the database.
#[derive(Clone)]
struct Tickets(Cache<String, Ticket>);

#[derive(Clone)]
struct Ticket {
    user: String,
    until: Instant,
}

impl Tickets {
    fn new() -> Self {
        let tickets = Cache::builder()
            .max_capacity(MOST)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(LIFE);
        Tickets(tickets.build())
    }

    fn issue(&self, user: &str) -> Result<String> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        let (name, ticket) = (
            URL_SAFE_NO_PAD.encode(random),
            Ticket {
                user: user.to_owned(),
                until: Instant::now() + LIFE,
            },
        );
        self.0.insert(name.clone(), ticket);
        Ok(name)
    }

    /// Whose ticket it is, once: of two who come with it together, one gets in.
    fn redeem(&self, name: &str) -> Option<String> {
        let Ticket { user, until } = self.0.remove(name)?;
        (Instant::now() < until).then_some(user) // the cache may be late to let go of it
    }
}
// ANCHOR_END: tickets

// ANCHOR: guards
struct User(String);

/// Lets those pass who have a token, and may ask for tickets.
struct ByToken(Tokens);

impl Security for ByToken {
    async fn check(&self, request: &mut Request) -> Result<Access> {
        let user = request
            .bearer_token()
            .and_then(|token| self.0.user_of(token));
        Ok(match user {
            Some(user) => Access::granted_as(User(user.to_owned())),
            None => Access::unauthorized_bearer("tickets"),
        })
    }
}

/// Lets those pass who have a ticket, which is used up by that.
struct ByTicket(Tickets);

#[derive(Deserialize)]
struct Query {
    ticket: String,
}

impl Security for ByTicket {
    async fn check(&self, request: &mut Request) -> Result<Access> {
        let query: Option<Query> = request.query().ok();
        let user = query.and_then(|Query { ticket }| self.0.redeem(&ticket));
        Ok(user.map_or_else(Access::denied, |user| Access::granted_as(User(user))))
    }
}
// ANCHOR_END: guards

#[derive(Serialize)]
struct Issued {
    ticket: String,
}

async fn issue(request: Request, tickets: Tickets) -> Result<Reply> {
    let User(user) = request.auth_data()?;
    let ticket = tickets.issue(user)?;
    Ok(json(&Issued { ticket }).header("cache-control", "no-store"))
}

/// What one says, all hear.
#[derive(Clone, Default)]
struct Room {
    user: String,
}

impl WebSocket for Room {
    async fn init(&mut self, request: &Request, conn: &mut Connection) -> Result<Accept> {
        let User(user) = request.auth_data()?;
        self.user = user.clone();
        conn.set_user(user); // so that `disconnect` finds the socket
        conn.join("room");
        Ok(Accept::Yes)
    }

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

fn builder(app: AppBuilder, tokens: Tokens, tickets: &Tickets) -> AppBuilder {
    let issuer = tickets.clone();
    let issue = move |request| issue(request, issuer.clone());
    app.security("by_token", ByToken(tokens))
        .security("by_ticket", ByTicket(tickets.clone()))
        .websocket("room", Room::default())
        .route(("/", page, methods(["get"])))
        .group(
            Group::new()
                .security("by_token")
                .route(("/ticket", issue, methods(["post"]))),
        )
        .group(
            Group::new()
                .security("by_ticket")
                .route(("/ws", "room", protocol("ws"))),
        )
}

async fn app() -> Result<App> {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/socket_ticket/nova.toml"
    );
    let mut app = App::builder().config_file(file);
    let Settings { tokens } = app.settings();
    Ok(builder(app, tokens, &Tickets::new()).build()?)
}

fn main() -> ExitCode {
    nova_core::run(app)
}

#[cfg(test)]
mod tests;
