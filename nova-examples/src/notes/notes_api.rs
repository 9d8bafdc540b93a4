//! The JSON API: `/api/notes`.

use http::header::LOCATION;
use nova_core::{Error, Reply, Request, Result, complete, controller, json, status};
use serde::Serialize;
use serde_json::json;

use super::note_repo::{NewNote, Note, NoteChange, NoteRepo};

/// Lists, shows, creates, changes and deletes notes, and broadcasts each change on the channel
/// `notes`.
///
/// Storing and broadcasting stand in one [`complete`]: a client that hangs up in between leaves
/// no note that nobody was told of.
#[derive(Debug)]
pub struct NotesApi {
    notes: NoteRepo,
}

controller!("notes_api" => NotesApi { index, show, create, update, delete });

#[derive(Serialize)]
struct Notes<'a> {
    notes: &'a [Note],
}

impl NotesApi {
    /// The API over these notes.
    pub fn new(notes: NoteRepo) -> Self {
        NotesApi { notes }
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
        let note = complete(async move {
            let note = notes.create(new).await?;
            pubsub.broadcast("notes", "note_created", &note);
            Ok(note)
        })
        .await?;
        Ok(json(&note).header(LOCATION, format!("/api/notes/{}", note.id)))
    }

    async fn update(&self, mut request: Request) -> Result<Reply> {
        let id: i64 = request.binding("id")?;
        let change: NoteChange = match request.params().await {
            Ok(change) => change,
            Err(error) => return incomplete(error, "title and body required"),
        };
        let (notes, pubsub) = (self.notes.clone(), request.pubsub().clone());
        let updated = complete(async move {
            let updated = notes.update(id, change).await?;
            if let Some(note) = &updated {
                pubsub.broadcast("notes", "note_updated", note);
            }
            Ok(updated)
        })
        .await?;
        Ok(updated.map_or_else(not_found, |note| json(&note)))
    }

    async fn delete(&self, request: Request) -> Result<Reply> {
        let id: i64 = request.binding("id")?;
        let (notes, pubsub) = (self.notes.clone(), request.pubsub().clone());
        let deleted = complete(async move {
            let deleted = notes.delete(id).await?;
            if deleted {
                pubsub.broadcast("notes", "note_deleted", &json!({ "id": id }));
            }
            Ok(deleted)
        })
        .await?;
        Ok(if deleted { status(204) } else { not_found() })
    }
}

fn not_found() -> Reply {
    status(404).json(&json!({ "error": "note not found" }))
}

/// 422 for a body in which something is missing, or which is neither JSON nor a form; what is
/// malformed or too long stays what it is.
fn incomplete(error: Error, message: &str) -> Result<Reply> {
    match error.status().as_u16() {
        415 | 422 => Ok(status(422).json(&json!({ "error": message }))),
        _ => Err(error),
    }
}
