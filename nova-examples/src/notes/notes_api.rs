//! The JSON API: `/api/notes`.

use std::sync::Arc;
use std::time::Duration;

use http::header::LOCATION;
use nova_core::{Error, Reply, Request, Result, controller, json, status};
use serde::Serialize;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::note_repo::{NewNote, Note, NoteChange, NoteRepo};

/// How long a change waits for its turn. Where the database does not answer, one change after the
/// other would wait for it; so this is less than the patience with PostgreSQL.
const PATIENCE: Duration = Duration::from_secs(4);

/// Lists, shows, creates, changes and deletes notes, and broadcasts each change on the channel
/// `notes`.
#[derive(Debug)]
pub struct NotesApi {
    notes: NoteRepo,
    /// Held from a change to its broadcast, so that all hear of the changes in the order in which
    /// this app made them. SQLite has one writer at a time anyway.
    turn: Arc<Mutex<()>>,
}

controller!("notes_api" => NotesApi { index, show, create, update, delete });

#[derive(Serialize)]
struct Notes<'a> {
    notes: &'a [Note],
}

impl NotesApi {
    /// The API over these notes.
    pub fn new(notes: NoteRepo) -> Self {
        NotesApi {
            notes,
            turn: Arc::default(),
        }
    }

    async fn index(&self, _request: Request) -> Result<Reply> {
        let notes = self.notes.all().await?;
        Ok(json(&Notes { notes: &notes }))
    }

    async fn show(&self, request: Request) -> Result<Reply> {
        match self.notes.get(request.binding("id")?).await? {
            Some(note) => Ok(json(&note)),
            None => Ok(not_found()),
        }
    }

    async fn create(&self, mut request: Request) -> Result<Reply> {
        let new: NewNote = match request.params().await {
            Ok(new) => new,
            Err(error) => return incomplete(error, "title, body and author required"),
        };
        let (notes, pubsub) = (self.notes.clone(), request.pubsub().clone());
        let create = async move {
            let note = notes.create(new).await?;
            pubsub.broadcast("notes", "note_created", &note);
            Ok(note)
        };
        let note = self.change(&request, create).await?;
        Ok(json(&note).header(LOCATION, format!("/api/notes/{}", note.id)))
    }

    async fn update(&self, mut request: Request) -> Result<Reply> {
        let id: i64 = request.binding("id")?;
        let change: NoteChange = match request.params().await {
            Ok(change) => change,
            Err(error) => return incomplete(error, "title and body required"),
        };
        let (notes, pubsub) = (self.notes.clone(), request.pubsub().clone());
        let update = async move {
            let updated = notes.update(id, change).await?;
            if let Some(note) = &updated {
                pubsub.broadcast("notes", "note_updated", note);
            }
            Ok(updated)
        };
        let updated = self.change(&request, update).await?;
        Ok(updated.map_or_else(not_found, |note| json(&note)))
    }

    async fn delete(&self, request: Request) -> Result<Reply> {
        let id: i64 = request.binding("id")?;
        let (notes, pubsub) = (self.notes.clone(), request.pubsub().clone());
        let delete = async move {
            let deleted = notes.delete(id).await?;
            if deleted {
                pubsub.broadcast("notes", "note_deleted", &json!({ "id": id }));
            }
            Ok(deleted)
        };
        let deleted = self.change(&request, delete).await?;
        Ok(if deleted { status(204) } else { not_found() })
    }

    /// Stores and broadcasts in one piece: a client that hangs up in between leaves no change
    /// that nobody was told of.
    async fn change<T: Send + 'static>(
        &self,
        request: &Request,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let turn = timeout(PATIENCE, Arc::clone(&self.turn).lock_owned()).await;
        let turn = turn.map_err(|_| Error::new(503, "too many changes at once: try again"))?;
        let work = async move {
            let _turn = turn;
            work.await
        };
        request.complete(work).await
    }
}

fn not_found() -> Reply {
    status(404).json(&json!({ "error": "note not found" }))
}

/// 422 for a body in which something is missing or cannot be stored, or which is neither JSON nor a
/// form; what is malformed or too long stays what it is.
fn incomplete(error: Error, message: &str) -> Result<Reply> {
    match error.status().as_u16() {
        415 | 422 => Ok(status(422).json(&json!({ "error": message }))),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use nova_core::pubsub::{PubSub, Received};
    use nova_core::testing;

    use super::*;
    use crate::notes::{Database, Note};

    async fn notes() -> NoteRepo {
        let database = Database::new("sqlite::memory:").unwrap();
        database.open().await.unwrap();
        NoteRepo::new(&database)
    }

    #[tokio::test]
    async fn create_stores_the_note_and_tells_the_channel() {
        let notes = notes().await;
        let pubsub = PubSub::new();
        let mut mailbox = pubsub.mailbox();
        mailbox.join("notes");

        let new = json!({ "title": "T", "body": "B", "author": "ann" });
        let request = testing::request("POST", "/api/notes")
            .json(&new)
            .pubsub(&pubsub)
            .build();
        let reply = NotesApi::new(notes.clone()).create(request).await.unwrap();

        let stored = notes.get(1).await.unwrap().unwrap();
        assert_eq!(reply.body(), serde_json::to_vec(&stored).unwrap());
        assert_eq!(reply.headers()[LOCATION], "/api/notes/1");
        let Some(Received::Message(message)) = mailbox.try_recv() else {
            panic!("nothing was broadcast");
        };
        assert_eq!(message.topic(), "note_created");
        assert_eq!(*message.decode::<Note>().unwrap(), stored);
    }

    #[tokio::test]
    async fn a_change_whose_turn_does_not_come_is_503_and_not_made() {
        let api = NotesApi::new(notes().await);
        let _turn = api.turn.lock().await;
        tokio::time::pause();

        let new = json!({ "title": "T", "body": "B", "author": "ann" });
        let request = testing::request("POST", "/api/notes").json(&new).build();
        let error = api.create(request).await.unwrap_err();

        assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
        tokio::time::resume();
        assert_eq!(api.notes.all().await.unwrap(), []);
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_deleted_and_nobody_told() {
        let notes = notes().await;
        let pubsub = PubSub::new();
        let mut mailbox = pubsub.mailbox();
        mailbox.join("notes");

        let request = testing::request("DELETE", "/api/notes/7")
            .binding("id", 7)
            .pubsub(&pubsub)
            .build();
        let reply = NotesApi::new(notes).delete(request).await.unwrap();

        assert_eq!(reply.status(), Some(StatusCode::NOT_FOUND));
        assert!(mailbox.try_recv().is_none());
    }
}
