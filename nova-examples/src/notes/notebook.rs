//! Changes of notes, each of which is told to everybody: once, and in their order.

use std::sync::Arc;

use nova_core::{Head, Result};
use serde_json::json;
use tokio::sync::Mutex;

use super::{Database, NewNote, Note, NoteChange, NoteRepo};

/// The notes, for those who change them. Each change is broadcast on the channel `notes`. Clones
/// are the same notebook.
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
    /// The database fails.
    pub async fn create(&self, request: &Head, new: NewNote) -> Result<Note> {
        let (repo, pubsub) = (self.repo.clone(), request.pubsub().clone());
        let create = async move {
            let note = repo.create(new).await?;
            pubsub.broadcast("notes", "note_created", &note);
            Ok(note)
        };
        self.change(request, create).await
    }

    /// Changes a note, and broadcasts it as `note_updated`; `None` if there is none with this id.
    ///
    /// # Errors
    /// The database fails.
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
    /// The database fails.
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
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let work = async move {
            let _turn = turn;
            work.await
        };
        request.complete(work).await
    }
}
