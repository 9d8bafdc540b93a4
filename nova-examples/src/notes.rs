//! Notes over HTTP, every change of which all WebSocket clients hear of.
//!
//! The way of a new note: `notes/router.toml` names the action `notes_api::create`; the plugin
//! `request` decodes the body; [`NotesApi`] stores the note with [`NoteRepo`] and broadcasts it
//! on the channel `notes`; [`Notifications`] sends it to every client of `/notifications`.

mod chat;
mod database;
mod database_url;
mod echo;
mod note_repo;
mod notes_api;
mod notifications;
mod user_repo;

use std::path::Path;

use nova_core::{App, AppBuilder, Result, redirect, status};
use nova_ws::AppBuilderExt;

pub use chat::Chat;
pub use database::{
    Database, OpenError, POSTGRES_CONNECTIONS, POSTGRES_PATIENCE, SQLITE_CONNECTIONS,
};
pub use echo::Echo;
pub use note_repo::{NewNote, Note, NoteChange, NoteRepo};
pub use notes_api::NotesApi;
pub use notifications::Notifications;
pub use user_repo::{User, UserRepo};

/// The folder with `nova.toml`, `router.toml` and the migrations.
pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/notes");

/// The app over the database that `DATABASE_URL` names, or `notes.db` in [`ROOT`] if it names
/// none.
///
/// # Errors
/// The database cannot be opened, or there is a mistake in one of the two files.
pub async fn app() -> Result<App> {
    let database = match std::env::var("DATABASE_URL") {
        Ok(url) => Database::new(&url)?,
        Err(_) => Database::in_file(&Path::new(ROOT).join("notes.db")),
    };
    let app = builder(&database).root(ROOT).build()?;
    database.open().await?; // only now: an app with a mistake leaves no database behind
    Ok(app)
}

/// Everything that the routes name, without the two files: tests bring their own.
pub fn builder(database: &Database) -> AppBuilder {
    App::builder()
        .action("home", |_| async { redirect("/api/notes") })
        .action("heartbeat", |_| async { status(200) })
        .controller(NotesApi::new(NoteRepo::new(database)))
        .websocket("notifications", Notifications)
        .websocket("chat", Chat)
        .websocket("echo", Echo)
}
