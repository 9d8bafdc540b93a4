//! The JSON API: `/api/notes`.

use http::header::LOCATION;
use nova_core::{Reply, Request, Result, complete, controller, json, status};
use serde_json::json;

use super::note_repo::{NewNote, NoteChange, NoteRepo};

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

impl NotesApi {
    /// The API over these notes.
    pub fn new(notes: NoteRepo) -> Self {
        NotesApi { notes }
    }

    async fn index(&self, _request: Request) -> Result<Reply> {
        let notes = self.notes.all().await?;
        Ok(json(&json!({ "notes": notes })))
    }

    async fn show(&self, request: Request) -> Result<Reply> {
        match self.notes.get(request.binding("id")?).await? {
            Some(note) => Ok(json(&note)),
            None => Ok(not_found()),
        }
    }

    async fn create(&self, mut request: Request) -> Result<Reply> {
        let Ok(new) = request.params::<NewNote>().await else {
            return Ok(unprocessable("title, body and author required"));
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
        let Ok(change) = request.params::<NoteChange>().await else {
            return Ok(unprocessable("title and body required"));
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

fn unprocessable(error: &str) -> Reply {
    status(422).json(&json!({ "error": error }))
}
