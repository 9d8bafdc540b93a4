//! Notes in an SQLite database.
//!
//! A statement that writes and returns a row is read to its end (`fetch_all`): SQLite gives the row
//! first and commits after it, so `fetch_one` would take the row and never hear of a full disk.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions};

/// How many connections read at once. SQLite has one writer at a time; the others wait for it.
const CONNECTIONS: u32 = 4;

/// A note, as the database and the clients know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Note {
    /// Given by the database, ascending, and never given twice.
    pub id: i64,
    /// What it is about.
    pub title: String,
    /// What it says.
    pub body: String,
    /// Who wrote it.
    pub author: String,
    /// When: RFC 3339, in UTC.
    pub inserted_at: String,
}

/// What a client sends to write a note.
#[derive(Debug, Clone, Deserialize)]
pub struct NewNote {
    /// What it is about.
    pub title: String,
    /// What it says.
    pub body: String,
    /// Who writes it.
    pub author: String,
}

/// What a client sends to change a note.
#[derive(Debug, Clone, Deserialize)]
pub struct NoteChange {
    /// The new title.
    pub title: String,
    /// The new body.
    pub body: String,
}

/// Where the notes are. Clones share the connections.
#[derive(Debug, Clone)]
pub struct NoteRepo {
    /// For messages: a URL or a file.
    name: Arc<str>,
    pool: SqlitePool,
}

/// A database that cannot be opened.
#[derive(Debug)]
pub struct OpenError {
    name: String,
    source: Box<dyn Error + Send + Sync>,
}

impl NoteRepo {
    /// The notes in the database at `url`, such as `sqlite:notes.db`. Nothing is opened yet.
    ///
    /// # Errors
    /// The URL is none of SQLite's.
    pub fn new(url: &str) -> Result<Self, OpenError> {
        let failed = |source| OpenError {
            name: url.to_owned(),
            source,
        };
        if !url.starts_with("sqlite:") {
            return Err(failed("its URL begins with `sqlite:`".into()));
        }
        let options = SqliteConnectOptions::from_str(url).map_err(|error| failed(error.into()))?;
        // Each connection to a database in memory would have one of its own.
        let in_memory = url.contains(":memory:") || url.contains("mode=memory");
        let connections = if in_memory { 1 } else { CONNECTIONS };
        Ok(NoteRepo::with(url, options, connections))
    }

    /// The notes in this file, which may have any name. Nothing is opened yet.
    pub fn in_file(file: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(file);
        NoteRepo::with(&file.display().to_string(), options, CONNECTIONS)
    }

    fn with(name: &str, options: SqliteConnectOptions, connections: u32) -> Self {
        let pool = SqlitePoolOptions::new()
            .max_connections(connections)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(
                options
                    .create_if_missing(true)
                    // Readers and the writer do not wait for each other.
                    .journal_mode(SqliteJournalMode::Wal),
            );
        NoteRepo {
            name: name.into(),
            pool,
        }
    }

    /// Opens the database and brings its tables up to date. A file that does not exist is
    /// created.
    ///
    /// # Errors
    /// The file cannot be written, or a newer version of the app has changed its tables.
    pub async fn open(&self) -> Result<(), OpenError> {
        let migrations = sqlx::migrate!("notes/migrations");
        migrations.run(&self.pool).await.map_err(|error| OpenError {
            name: self.name.to_string(),
            source: error.into(),
        })
    }

    /// All notes, newest first.
    ///
    /// # Errors
    /// The database fails.
    pub async fn all(&self) -> sqlx::Result<Vec<Note>> {
        sqlx::query_as("SELECT id, title, body, author, inserted_at FROM notes ORDER BY id DESC")
            .fetch_all(&self.pool)
            .await
    }

    /// The note with this id.
    ///
    /// # Errors
    /// The database fails.
    pub async fn get(&self, id: i64) -> sqlx::Result<Option<Note>> {
        sqlx::query_as("SELECT id, title, body, author, inserted_at FROM notes WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
    }

    /// Stores a new note.
    ///
    /// # Errors
    /// The database fails.
    pub async fn create(&self, new: NewNote) -> sqlx::Result<Note> {
        let rows = sqlx::query_as(
            "INSERT INTO notes (title, body, author, inserted_at) VALUES ($1, $2, $3, $4) \
             RETURNING id, title, body, author, inserted_at",
        )
        .bind(new.title)
        .bind(new.body)
        .bind(new.author)
        .bind(format!("{:.0}", Timestamp::now()))
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().next().ok_or(sqlx::Error::RowNotFound)
    }

    /// Changes a note, and gives the whole of it; `None` if there is none with this id.
    ///
    /// # Errors
    /// The database fails.
    pub async fn update(&self, id: i64, change: NoteChange) -> sqlx::Result<Option<Note>> {
        let rows = sqlx::query_as(
            "UPDATE notes SET title = $1, body = $2 WHERE id = $3 \
             RETURNING id, title, body, author, inserted_at",
        )
        .bind(change.title)
        .bind(change.body)
        .bind(id)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().next())
    }

    /// Deletes a note, and says whether there was one.
    ///
    /// # Errors
    /// The database fails.
    pub async fn delete(&self, id: i64) -> sqlx::Result<bool> {
        let deleted = sqlx::query("DELETE FROM notes WHERE id = $1")
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(deleted.rows_affected() > 0)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the database `{}` cannot be opened (DATABASE_URL names another)",
            self.name
        )
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
