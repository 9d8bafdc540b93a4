//! The code of the book's page on replies, and that it does what the page says.

use std::fmt;
use std::fs;
use std::sync::Arc;

use futures_util::stream;
use nova_core::cookie::{Cookie, time::Duration};
use nova_core::testing::TestClient;
use nova_core::{
    App, AppBuilder, Environment, Error, Failure, Fallback, Head, Reply, Request, Result, bytes,
    controller, html, json, redirect, sendfile, status, text, value, view,
};
use serde_json::json;

// ANCHOR: forms
async fn show(request: Request) -> Result<Reply> {
    let id: i64 = request.binding("id")?;
    Ok(match id {
        1 => json(&json!({ "id": id, "title": "milk" })),
        2 => view(&json!({ "title": "milk" })).named("notes/show"),
        3 => redirect("/notes/1").with_status(308),
        4 => text("milk").header("cache-control", "no-store"),
        5 => html("<p>milk</p>"),
        6 => bytes([137, 80, 78, 71].as_slice()).content_type("image/png"),
        _ => status(404).json(&json!({ "error": "there is no such note" })),
    })
}
// ANCHOR_END: forms

// ANCHOR: sendfile
async fn report(_request: Request) -> Reply {
    sendfile("priv/report.pdf").header("content-disposition", "attachment")
}

async fn second_kibibyte(_request: Request) -> Reply {
    sendfile("priv/log.txt").offset(1024).length(1024)
}
// ANCHOR_END: sendfile

// ANCHOR: stream
async fn export(_request: Request) -> Reply {
    let rows = (1..=3).map(|id| Ok::<_, Error>(format!("{id},milk\n")));
    nova_core::stream(stream::iter(rows)).content_type("text/csv; charset=utf-8")
}
// ANCHOR_END: stream

// ANCHOR: cookies
async fn choose(_request: Request) -> Reply {
    redirect("/")
        .cookie(Cookie::build(("theme", "dark")).max_age(Duration::days(365)))
        .remove_cookie("colour")
}
// ANCHOR_END: cookies

// ANCHOR: handler
struct Xml(String);

async fn xml(xml: Xml, _head: Arc<Head>) -> Reply {
    bytes(xml.0).content_type("application/xml")
}

async fn feed(_request: Request) -> Reply {
    value(Xml("<feed/>".to_owned())).header("cache-control", "max-age=60")
}

fn with_handler() -> AppBuilder {
    App::builder().reply_handler(xml).route(("/feed", feed))
}
// ANCHOR_END: handler

#[derive(Debug)]
struct NoSuchRow(i64);

impl fmt::Display for NoSuchRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`notes` has no row {}", self.0)
    }
}

impl std::error::Error for NoSuchRow {}

async fn row(id: i64) -> Result<String, NoSuchRow> {
    Err(NoSuchRow(id))
}

// ANCHOR: mapping
fn with_mapping() -> AppBuilder {
    App::builder()
        .error(|missing: &NoSuchRow| Error::new(404, format!("there is no note {}", missing.0)))
}

async fn read(request: Request) -> Result<Reply> {
    let note = row(request.binding("id")?).await?; // 404 and not 500
    Ok(json(&note))
}
// ANCHOR_END: mapping

// ANCHOR: fallback
struct NoteErrors;

impl Fallback for NoteErrors {
    async fn resolve(&self, failure: Failure, head: &Head) -> Result<Reply, Failure> {
        match failure.error() {
            Some(error) if error.status() == 404 => Ok(json(&json!({
                "error": "there is no such note",
                "path": head.path(),
            }))),
            _ => Err(failure), // to the group's fallback, then to the app's
        }
    }
}

struct NotesApi;

controller!("notes_api" => NotesApi { index, show } fallback NoteErrors);
// ANCHOR_END: fallback

impl NotesApi {
    async fn index(&self, _request: Request) -> Reply {
        status(204)
    }

    async fn show(&self, request: Request) -> Result<Reply> {
        read(request).await
    }
}

#[tokio::test]
async fn each_form_is_what_the_table_says() {
    let views = tempfile::tempdir().unwrap();
    fs::create_dir(views.path().join("notes")).unwrap();
    fs::write(views.path().join("notes/show.html"), "<p>{{ title }}</p>").unwrap();
    let app = App::builder().views(views.path());
    let client = TestClient::new(app.route(("/notes/{id}", show)).build().unwrap());
    for (id, status, content_type, body) in [
        (
            1,
            200,
            Some("application/json"),
            r#"{"id":1,"title":"milk"}"#,
        ),
        (2, 200, Some("text/html; charset=utf-8"), "<p>milk</p>"),
        (3, 308, None, ""),
        (4, 200, Some("text/plain; charset=utf-8"), "milk"),
        (5, 200, Some("text/html; charset=utf-8"), "<p>milk</p>"),
        (
            7,
            404,
            Some("application/json"),
            r#"{"error":"there is no such note"}"#,
        ),
    ] {
        let response = client.get(&format!("/notes/{id}")).await;
        assert_eq!(response.status(), status, "{id}");
        assert_eq!(response.header("content-type"), content_type, "{id}");
        assert_eq!(response.text(), body, "{id}");
    }
    let image = client.get("/notes/6").await;
    assert_eq!(image.header("content-type"), Some("image/png"));
    assert_eq!(image.body().len(), 4);
}

#[tokio::test]
async fn streams_cookies_and_values_are_as_shown() {
    let app = with_handler()
        .route(("/export", export))
        .route(("/choose", choose))
        .route(("/report", report))
        .route(("/second", second_kibibyte));
    let client = TestClient::new(app.build().unwrap());

    assert_eq!(
        client.get("/export").await.text(),
        "1,milk\n2,milk\n3,milk\n"
    );
    let chosen = client.get("/choose").await;
    assert_eq!(chosen.headers().get_all("set-cookie").iter().count(), 2);
    let feed = client.get("/feed").await;
    assert_eq!(feed.header("content-type"), Some("application/xml"));
    assert_eq!(feed.header("cache-control"), Some("max-age=60"));
    // The tests have no such files.
    assert_eq!(client.get("/report").await.status(), 404);
    assert_eq!(client.get("/second").await.status(), 404);
}

#[tokio::test]
async fn a_missing_row_is_what_the_mapping_and_the_fallback_make_of_it() {
    let app = with_mapping()
        .environment(Environment::Prod)
        .controller(NotesApi)
        .route(("/mapped/{id}", read))
        .route(("/notes", "notes_api::index"))
        .route(("/notes/{id}", "notes_api::show"));
    let client = TestClient::new(app.build().unwrap());

    let mapped = client.get("/mapped/7").await;
    assert_eq!(mapped.status(), 404);
    assert!(mapped.text().contains("there is no note 7"));
    assert!(!mapped.text().contains("no row"));
    let resolved = client.get("/notes/7").await;
    assert_eq!(resolved.status(), 404);
    assert_eq!(resolved.header("content-type"), Some("application/json"));
    assert!(resolved.text().contains("/notes/7"));
    assert_eq!(client.get("/notes").await.status(), 204);
}
