//! Changes of notes, each of which is told to everybody: once, and in their order.

use std::sync::Arc;
use std::time::Duration;

use nova_core::{Error, Head, Result};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::{Database, NewNote, Note, NoteChange, NoteRepo};

/// How long a change waits for its turn. Where the database does not answer, one change after the
/// other would wait for it; so this is less than the patience with PostgreSQL.
const PATIENCE: Duration = Duration::from_secs(4);

/// The notes, for those who change them. Each change is broadcast on the channel `notes`, and so is
/// `notes_uncertain` when the database fails: what was given up may have been stored all the same.
/// Clones are the same notebook.
#[derive(Debug, Clone)]
pub struct Notebook {
    repo: NoteRepo,
    /// Held from a change to its broadcast, so that all hear of the changes in the order in which
    /// they were made. SQLite has one writer at a time anyway.
    turn: Arc<Mutex<()>>,
}

impl Notebook {
    /// The notes in this database.
    pub fn new(database: &Database) -> Self {
        Notebook {
            repo: NoteRepo::new(database),
            turn: Arc::default(),
        }
    }

    /// The notes, to be read.
    pub fn repo(&self) -> &NoteRepo {
        &self.repo
    }

    /// Writes a note, and broadcasts it as `note_created`.
    ///
    /// # Errors
    /// The database fails, or is so busy that others' changes take 4 s: that is a 503.
    pub async fn create(&self, request: &Head, new: NewNote) -> Result<Note> {
        // ANCHOR: create
        let (repo, pubsub) = (self.repo.clone(), request.pubsub().clone());
        let create = async move {
            let note = repo.create(new).await?;
            pubsub.broadcast("notes", "note_created", &note);
            Ok(note)
        };
        self.change(request, create).await
        // ANCHOR_END: create
    }

    /// Changes a note, and broadcasts it as `note_updated`; `None` if there is none with this id.
    ///
    /// # Errors
    /// The database fails, or is so busy that others' changes take 4 s: that is a 503.
    pub async fn update(
        &self,
        request: &Head,
        id: i64,
        change: NoteChange,
    ) -> Result<Option<Note>> {
        let (repo, pubsub) = (self.repo.clone(), request.pubsub().clone());
        let update = async move {
            let updated = repo.update(id, change).await?;
            if let Some(note) = &updated {
                pubsub.broadcast("notes", "note_updated", note);
            }
            Ok(updated)
        };
        self.change(request, update).await
    }

    /// Deletes a note, broadcasts its id as `note_deleted`, and says whether there was one.
    ///
    /// # Errors
    /// The database fails, or is so busy that others' changes take 4 s: that is a 503.
    pub async fn delete(&self, request: &Head, id: i64) -> Result<bool> {
        let (repo, pubsub) = (self.repo.clone(), request.pubsub().clone());
        let delete = async move {
            let deleted = repo.delete(id).await?;
            if deleted {
                pubsub.broadcast("notes", "note_deleted", &json!({ "id": id }));
            }
            Ok(deleted)
        };
        self.change(request, delete).await
    }

    /// Stores and broadcasts in one piece: a client that hangs up in between leaves no change
    /// that nobody was told of.
    async fn change<T: Send + 'static>(
        &self,
        request: &Head,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        // ANCHOR: change
        let turn = timeout(PATIENCE, Arc::clone(&self.turn).lock_owned()).await;
        let turn = turn.map_err(|_| Error::new(503, "the database does not answer"))?;
        let pubsub = request.pubsub().clone();
        let work = async move {
            let _turn = turn;
            let done = work.await;
            if done.is_err() {
                pubsub.broadcast("notes", "notes_uncertain", &json!({}));
            }
            done
        };
        request.complete(work).await
        // ANCHOR_END: change
    }
}

#[cfg(test)]
mod tests {
    use nova_core::testing;

    use super::*;

    #[tokio::test]
    async fn a_change_whose_turn_does_not_come_is_503_and_not_made() {
        let database = Database::new("sqlite::memory:").unwrap();
        database.open().await.unwrap();
        let notes = Notebook::new(&database);
        let turn = notes.turn.lock().await;
        tokio::time::pause();

        let new = json!({ "title": "T", "body": "B", "author": "ann" });
        let request = testing::request("POST", "/api/notes").build();
        let new = serde_json::from_value(new).unwrap();
        let error = notes.create(&request, new).await.unwrap_err();

        assert_eq!(error.status(), 503);
        tokio::time::resume();
        drop(turn);
        assert_eq!(notes.repo().all().await.unwrap(), []);
    }
}
