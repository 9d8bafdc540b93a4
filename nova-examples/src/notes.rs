//! Notes over HTTP, every change of which all WebSocket clients hear of.
//!
//! The way of a new note: `notes/router.toml` names the action `notes_api::create`; the plugin
//! `request` decodes the body; [`NotesApi`] hands the note to the [`Notebook`], which stores it
//! with [`NoteRepo`] and broadcasts it on the channel `notes`; [`Notifications`] sends it to every
//! client of `/notifications`, such as the page of [`Home`], and [`NoteIndexer`] takes its words
//! into the index that the search answers from.

mod auth;
mod chat;
mod database;
mod database_url;
mod echo;
mod note_indexer;
mod note_repo;
mod notebook;
mod notes_api;
mod notifications;
mod pages;
mod settings;
mod user_repo;

use std::path::Path;

use nova_core::{App, AppBuilder, Result, status};
use nova_ws::AppBuilderExt;

pub use auth::{CurrentUser, Login, SignedIn, ensure_user, signed_in};
pub use chat::Chat;
pub use database::{
    Database, OpenError, POSTGRES_CONNECTIONS, POSTGRES_PATIENCE, SQLITE_CONNECTIONS,
};
pub use echo::Echo;
pub use note_indexer::{NoteIndex, NoteIndexer, Split, words};
pub use note_repo::{NewNote, Note, NoteChange, NoteRepo};
pub use notebook::Notebook;
pub use notes_api::NotesApi;
pub use notifications::Notifications;
pub use pages::{Home, NotePages};
pub use settings::Settings;
pub use user_repo::{User, UserRepo};

/// The folder with `nova.toml`, `router.toml`, the views and the migrations.
pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/notes");

/// The app over the database that `DATABASE_URL` names, or `notes.db` in [`ROOT`] if it names
/// none.
///
/// The sessions are in it, too: a restart logs nobody out.
///
/// # Errors
/// The database cannot be opened, or there is a mistake in one of the files.
pub async fn app() -> Result<App> {
    let database = match std::env::var("DATABASE_URL") {
        Ok(url) => Database::new(&url)?,
        Err(_) => Database::in_file(&Path::new(ROOT).join("notes.db")),
    };
    // ANCHOR: sessions
    let app = builder(ROOT, &database).session_store(database.sessions());
    // ANCHOR_END: sessions
    let app = app.build()?;
    database.open().await?; // only now: an app with a mistake leaves no database behind
    if let Some(settings) = app.config().app() {
        ensure_user(&UserRepo::new(&database), settings).await?;
    }
    Ok(app)
}

/// The app with its files in `root`, over this database, which need not be open yet. Its sessions are
/// in memory.
pub fn builder(root: impl AsRef<Path>, database: &Database) -> AppBuilder {
    // ANCHOR: builder
    let (notes, index) = (Notebook::new(database), NoteIndex::default());
    let mut app = App::builder().root(root);
    app.settings::<Settings>(); // for `app()`; whatever is wrong with them is told by `build`
    app.security("auth::session", SignedIn)
        .action("heartbeat", |_| async { status(200) })
        .controller(Home::new(&notes))
        .controller(NotePages::new(&notes))
        .controller(Login::new(UserRepo::new(database)))
        .controller(NotesApi::new(&notes, &index))
        .websocket("notifications", Notifications)
        .websocket("chat", Chat)
        .websocket("echo", Echo)
        .service("note_indexer", NoteIndexer::new(notes.repo(), &index))
    // ANCHOR_END: builder
}
