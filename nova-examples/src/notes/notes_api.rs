//! The JSON API: `/api/notes`.

use http::header::{LOCATION, RETRY_AFTER};
use nova_core::{Error, Reply, Request, Result, controller, json, status};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{NewNote, NoteChange, NoteIndex, Notebook};

/// Lists, shows, creates, changes, deletes and finds notes.
#[derive(Debug)]
pub struct NotesApi {
    notes: Notebook,
    index: NoteIndex,
}

controller!("notes_api" => NotesApi { index, show, create, update, delete, search });

#[derive(Serialize)]
struct Notes<T> {
    notes: Vec<T>,
}

#[derive(Deserialize)]
struct Search {
    q: String,
}

impl NotesApi {
    /// The API over these notes, with this index to find them by.
    pub fn new(notes: &Notebook, index: &NoteIndex) -> Self {
        NotesApi {
            notes: notes.clone(),
            index: index.clone(),
        }
    }

    async fn index(&self, _request: Request) -> Result<Reply> {
        let notes = self.notes.repo().all().await?;
        Ok(json(&Notes { notes }))
    }

    async fn show(&self, request: Request) -> Result<Reply> {
        match self.notes.repo().get(request.binding("id")?).await? {
            Some(note) => Ok(json(&note)),
            None => Ok(not_found()),
        }
    }

    async fn create(&self, mut request: Request) -> Result<Reply> {
        let new: NewNote = match request.params().await {
            Ok(new) => new,
            Err(error) => return incomplete(error, "title, body and author required"),
        };
        let note = self.notes.create(&request, new).await?;
        Ok(json(&note).header(LOCATION, format!("/api/notes/{}", note.id)))
    }

    async fn update(&self, mut request: Request) -> Result<Reply> {
        let id = request.binding("id")?;
        let change: NoteChange = match request.params().await {
            Ok(change) => change,
            Err(error) => return incomplete(error, "title and body required"),
        };
        let updated = self.notes.update(&request, id, change).await?;
        Ok(updated.map_or_else(not_found, |note| json(&note)))
    }

    async fn delete(&self, request: Request) -> Result<Reply> {
        let deleted = self.notes.delete(&request, request.binding("id")?).await?;
        Ok(if deleted { status(204) } else { not_found() })
    }

    /// The notes that have all the words of `?q=`, newest first.
    async fn search(&self, request: Request) -> Result<Reply> {
        let Ok(Search { q }) = request.query() else {
            let error = "write what to search for: /api/notes/search?q=word";
            return Ok(status(422).json(&json!({ "error": error })));
        };
        Ok(match self.index.find(&q) {
            Some(notes) => json(&Notes { notes }),
            None => status(503)
                .header(RETRY_AFTER, "1")
                .json(&json!({ "error": "the index is being built" })),
        })
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

    async fn notes() -> Notebook {
        let database = Database::new("sqlite::memory:").unwrap();
        database.open().await.unwrap();
        Notebook::new(&database)
    }

    fn api(notes: &Notebook) -> NotesApi {
        NotesApi::new(notes, &NoteIndex::default())
    }

    // ANCHOR: test
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
        let reply = api(&notes).create(request).await.unwrap();

        let stored = notes.repo().get(1).await.unwrap().unwrap();
        assert_eq!(reply.body(), serde_json::to_vec(&stored).unwrap());
        assert_eq!(reply.headers()[LOCATION], "/api/notes/1");
        let Some(Received::Message(message)) = mailbox.try_recv() else {
            panic!("nothing was broadcast");
        };
        assert_eq!(message.topic(), "note_created");
        assert_eq!(*message.decode::<Note>().unwrap(), stored);
    }
    // ANCHOR_END: test

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
        let reply = api(&notes).delete(request).await.unwrap();

        assert_eq!(reply.status(), Some(StatusCode::NOT_FOUND));
        assert!(mailbox.try_recv().is_none());
    }

    #[tokio::test]
    async fn a_search_while_the_index_is_built_is_503() {
        let request = testing::request("GET", "/api/notes/search?q=milk").build();
        let reply = api(&notes().await).search(request).await.unwrap();

        assert_eq!(reply.status(), Some(StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!(reply.headers()[RETRY_AFTER], "1");
    }
}
