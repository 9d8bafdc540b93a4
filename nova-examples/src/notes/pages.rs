//! The pages for people: the live one at `/`, and those of the original app below `/notes`.

use nova_core::{Error, Reply, Request, Result, controller, redirect, view};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::auth::{CurrentUser, signed_in};
use super::{NewNote, Note, NoteChange, NoteRepo, Notebook};

/// The live page, `views/home.html`.
#[derive(Debug)]
pub struct Home {
    notes: NoteRepo,
}

controller!("home" => Home { index });

impl Home {
    /// Shows these notes.
    pub fn new(notes: &Notebook) -> Self {
        Home {
            notes: notes.repo().clone(),
        }
    }

    async fn index(&self, request: Request) -> Result<Reply> {
        let notes = self.notes.all().await?;
        let user = signed_in(&request).await?;
        Ok(view(&json!({ "notes": notes, "user": user })))
    }
}

/// Pages with forms, which work without JavaScript: `views/notes.html`, `views/notes/form.html` and,
/// where there is nothing, `views/missing.html`.
#[derive(Debug)]
pub struct NotePages {
    notes: Notebook,
}

controller!("notes" => NotePages { index, add, create, edit, update, delete, missing });

/// What the form sends. A field that is missing is like an empty one.
#[derive(Deserialize, Default)]
#[serde(default)]
struct NoteForm {
    title: String,
    body: String,
    author: String,
}

/// What `views/notes/form.html` shows.
#[derive(Serialize)]
struct FormPage<'a> {
    note: serde_json::Value,
    error: Option<&'a str>,
    user: &'a str,
}

const INCOMPLETE: &str = "Write a title, a note and an author.";

impl NotePages {
    /// The pages over these notes.
    pub fn new(notes: &Notebook) -> Self {
        NotePages {
            notes: notes.clone(),
        }
    }

    // ANCHOR: take_flashes
    async fn index(&self, request: Request) -> Result<Reply> {
        let CurrentUser(user) = request.auth_data()?;
        let notes = self.notes.repo().all().await?;
        let flash = request.session().take_flashes().await?;
        Ok(view(
            &json!({ "notes": notes, "user": user, "flash": flash }),
        ))
    }
    // ANCHOR_END: take_flashes

    async fn add(&self, request: Request) -> Result<Reply> {
        form(&request, json!({}), None)
    }

    async fn create(&self, mut request: Request) -> Result<Reply> {
        let NoteForm {
            title,
            body,
            author,
        } = request.params().await?;
        match request.params::<NewNote>().await {
            Ok(new) => {
                self.notes.create(&request, new).await?;
                done(&request, "The note was saved.").await
            }
            Err(_) => {
                let typed = json!({ "title": title, "body": body, "author": author });
                form(&request, typed, Some(INCOMPLETE))
            }
        }
    }

    async fn edit(&self, request: Request) -> Result<Reply> {
        let note = self.notes.repo().get(request.binding("id")?).await?;
        form(&request, serde_json::to_value(found(note)?)?, None)
    }

    async fn update(&self, mut request: Request) -> Result<Reply> {
        let id = request.binding("id")?;
        let NoteForm { title, body, .. } = request.params().await?;
        match request.params::<NoteChange>().await {
            Ok(change) => {
                found(self.notes.update(&request, id, change).await?)?;
                done(&request, "The note was changed.").await
            }
            Err(_) => {
                let typed = json!({ "id": id, "title": title, "body": body });
                form(&request, typed, Some(INCOMPLETE))
            }
        }
    }

    /// The status page for what is not there.
    async fn missing(&self, request: Request) -> Result<Reply> {
        let user = signed_in(&request).await?;
        let why = request.cause().and_then(|error| error.detail());
        let why = why.unwrap_or("there is no such page");
        Ok(view(&json!({ "user": user, "why": format!("Sorry, {why}.") })).named("missing"))
    }

    /// A note that somebody else has deleted is deleted, too.
    async fn delete(&self, request: Request) -> Result<Reply> {
        self.notes.delete(&request, request.binding("id")?).await?;
        done(&request, "The note was deleted.").await
    }
}

// ANCHOR: flash
/// Back to the list, which says what was done.
async fn done(request: &Request, what: &str) -> Result<Reply> {
    request.session().flash("notice", what).await?;
    Ok(redirect("/notes").with_status(303))
}
// ANCHOR_END: flash

fn form(request: &Request, note: serde_json::Value, error: Option<&str>) -> Result<Reply> {
    let CurrentUser(user) = request.auth_data()?;
    let page = view(&FormPage { note, error, user }).named("notes/form");
    Ok(page.with_status(if error.is_some() { 422 } else { 200 }))
}

fn found(note: Option<Note>) -> Result<Note> {
    note.ok_or_else(|| Error::new(404, "there is no such note"))
}
