//! Notes in a database.

use jiff::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::Database;

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

/// What a client sends to write a note. No text of it is empty or contains U+0000.
#[derive(Debug, Clone, Deserialize)]
pub struct NewNote {
    /// What it is about.
    #[serde(deserialize_with = "storable")]
    pub title: String,
    /// What it says.
    #[serde(deserialize_with = "storable")]
    pub body: String,
    /// Who writes it.
    #[serde(deserialize_with = "storable")]
    pub author: String,
}

/// What a client sends to change a note. No text of it is empty or contains U+0000.
#[derive(Debug, Clone, Deserialize)]
pub struct NoteChange {
    /// The new title.
    #[serde(deserialize_with = "storable")]
    pub title: String,
    /// The new body.
    #[serde(deserialize_with = "storable")]
    pub body: String,
}

/// The notes in a database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct NoteRepo {
    database: Database,
}

impl NoteRepo {
    /// The notes in this database.
    pub fn new(database: &Database) -> Self {
        NoteRepo {
            database: database.clone(),
        }
    }

    /// All notes, newest first.
    ///
    /// # Errors
    /// The database fails.
    pub async fn all(&self) -> sqlx::Result<Vec<Note>> {
        let statement = sqlx::query_as(
            "SELECT id, title, body, author, inserted_at FROM notes ORDER BY id DESC",
        );
        self.database.rows(statement).await
    }

    /// The note with this id.
    ///
    /// # Errors
    /// The database fails.
    pub async fn get(&self, id: i64) -> sqlx::Result<Option<Note>> {
        let statement =
            sqlx::query_as("SELECT id, title, body, author, inserted_at FROM notes WHERE id = $1")
                .bind(id);
        self.database.row(statement).await
    }

    /// Stores a new note.
    ///
    /// # Errors
    /// The database fails.
    pub async fn create(&self, new: NewNote) -> sqlx::Result<Note> {
        let statement = sqlx::query_as(
            "INSERT INTO notes (title, body, author, inserted_at) VALUES ($1, $2, $3, $4) \
             RETURNING id, title, body, author, inserted_at",
        )
        .bind(new.title)
        .bind(new.body)
        .bind(new.author)
        .bind(format!("{:.0}", Timestamp::now()));
        let note = self.database.row(statement).await?;
        note.ok_or(sqlx::Error::RowNotFound)
    }

    /// Changes a note, and gives the whole of it; `None` if there is none with this id.
    ///
    /// # Errors
    /// The database fails.
    pub async fn update(&self, id: i64, change: NoteChange) -> sqlx::Result<Option<Note>> {
        let statement = sqlx::query_as(
            "UPDATE notes SET title = $1, body = $2 WHERE id = $3 \
             RETURNING id, title, body, author, inserted_at",
        )
        .bind(change.title)
        .bind(change.body)
        .bind(id);
        self.database.row(statement).await
    }

    /// Deletes a note, and says whether there was one.
    ///
    /// # Errors
    /// The database fails.
    pub async fn delete(&self, id: i64) -> sqlx::Result<bool> {
        let statement = sqlx::query("DELETE FROM notes WHERE id = $1").bind(id);
        Ok(self.database.execute(statement).await? > 0)
    }
}

/// Reads a text that says something, and that both databases take: PostgreSQL refuses U+0000.
fn storable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match &text {
        text if text.contains('\0') => Err(D::Error::custom("a text cannot contain U+0000")),
        text if text.trim().is_empty() => Err(D::Error::custom("a text cannot be empty")),
        _ => Ok(text),
    }
}
