//! A socket behind a session cookie: who has logged in gets it, and loses it with the session.
//!
//! Run `cargo run -p nova-examples --example socket_session`, then open <http://127.0.0.1:8080> in two
//! browsers.

use std::process::ExitCode;
use std::sync::Arc;

use nova_core::pubsub::Message;
use nova_core::{
    Access, App, Group, Head, Request, Result, Security, SessionKey, html, methods, protocol,
};
use nova_ws::{
    Accept, AppBuilderExt, Connection, Frame, Outcome, Shared, WebSocket, Whom, disconnect, ok,
};
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
    let head = Arc::clone(request.head());
    let work = request.complete(async move {
        let before = head.session().key().await?;
        head.session().log_in(&user).await?; // under a new id
        close_sockets(&head, before);
        Ok(())
    });
    work.await
}

// ANCHOR: log_out
/// Ends the session, and then closes its sockets: what opens in between finds no session. Both happen,
/// also if the client hangs up in the middle.
async fn log_out(request: Request) -> Result<()> {
    let head = Arc::clone(request.head());
    let work = request.complete(async move {
        let session = head.session().key().await?;
        head.session().end().await?;
        close_sockets(&head, session);
        Ok(())
    });
    work.await
}

/// Closes the sockets that were opened with a session which is no more.
fn close_sockets(head: &Head, session: Option<SessionKey>) {
    if let Some(key) = session {
        disconnect(head.pubsub(), Whom::Session(key), 4401, "logged out");
    }
}

async fn log_out_everywhere(request: Request) -> Result<()> {
    let User(user) = request.auth_data()?;
    let (head, user) = (Arc::clone(request.head()), user.clone());
    let work = request.complete(async move {
        head.session().end_all_of(&user).await?;
        disconnect(
            head.pubsub(),
            Whom::User(user),
            4401,
            "logged out everywhere",
        );
        Ok(())
    });
    work.await
}
// ANCHOR_END: log_out

async fn page(_request: Request) -> nova_core::Reply {
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
