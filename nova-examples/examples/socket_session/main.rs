//! A socket behind a session cookie: who has logged in gets it, and loses it with the session.
//!
//! Run `cargo run -p nova-examples --example socket_session`, then open <http://127.0.0.1:8080> in two
//! browsers.

use std::process::ExitCode;

use nova_core::pubsub::Message;
use nova_core::{Access, App, Group, Reply, Request, Result, Security, html, methods, protocol};
use nova_ws::{Accept, AppBuilderExt, Connection, Frame, Outcome, Shared, WebSocket, ok};
use serde::Deserialize;

// ANCHOR: guard
/// Who has logged in.
struct User(String);

/// Lets those pass who have. The browser sends the cookie with the request that opens a socket, as with
/// every other.
struct SignedIn;

impl Security for SignedIn {
    async fn check(&self, request: &mut Request) -> Result<Access> {
        Ok(match request.session().user().await? {
            Some(user) => Access::granted_as(User(user)),
            None => Access::denied(),
        })
    }
}
// ANCHOR_END: guard

// ANCHOR: room
/// What one says, all hear.
#[derive(Clone, Default)]
struct Room {
    user: String,
}

impl WebSocket for Room {
    async fn init(&mut self, request: &Request, conn: &mut Connection) -> Result<Accept> {
        let User(user) = request.auth_data()?;
        self.user = user.clone();
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
// ANCHOR_END: room

#[derive(Deserialize)]
struct LogIn {
    user: String,
}

/// Believes whoever says a name. A real one asks for a password, as that of the notes app does.
async fn log_in(mut request: Request) -> Result<()> {
    let LogIn { user } = request.form().await?;
    request.session().log_in(&user).await
}

// ANCHOR: log_out
/// Closes the sockets that were opened with this session, too.
async fn log_out(request: Request) -> Result<()> {
    request.session().end().await
}

/// Closes all sockets of the user.
async fn log_out_everywhere(request: Request) -> Result<()> {
    let User(user) = request.auth_data()?;
    request.session().end_all_of(user).await?;
    Ok(())
}
// ANCHOR_END: log_out

async fn page(_request: Request) -> Reply {
    html(include_str!("page.html"))
}

async fn app() -> Result<App> {
    let public = Group::new()
        .plugins(["csrf"])
        .route(("/", page, methods(["get"])))
        .route(("/login", log_in, methods(["post"])))
        .route(("/logout", log_out, methods(["post"])));
    let for_users = Group::new()
        .plugins(["csrf"])
        .security("signed_in")
        .route(("/ws", "room", protocol("ws")))
        .route(("/logout/everywhere", log_out_everywhere, methods(["post"])));
    let app = App::builder()
        .security("signed_in", SignedIn)
        .websocket("room", Room::default())
        .group(public)
        .group(for_users);
    Ok(app.build()?)
}

fn main() -> ExitCode {
    nova_core::run(app)
}

#[cfg(test)]
mod tests;
