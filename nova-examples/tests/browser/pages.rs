//! The pages that work with forms alone, and the live page without JavaScript.

use serde_json::json;

use crate::app::NotesProcess;
use crate::browser::Browser;
use crate::common::TestDatabase;
use crate::live::{STATUS, TITLES, mark, was_not_reloaded};

on_both! {
    #[tokio::test] async fn
        who_logs_in_writes_changes_and_deletes_and_the_live_page_follows,
        without_javascript_the_list_can_be_read;
}

/// Which page it is.
const PATH: &str = "location.pathname";

/// The notes of the page `/notes`.
const ROWS: &str = "[...document.querySelectorAll('.manage tbody tr')].map(row =>
    ['.title', '.body', '.author'].map(part => row.querySelector(part).textContent))";

async fn who_logs_in_writes_changes_and_deletes_and_the_live_page_follows(database: TestDatabase) {
    let Some(browser) = Browser::shared() else {
        return;
    };
    let app = NotesProcess::start(&database);
    let (admin, reader) = (browser.open(&app).await, browser.open(&app).await);
    reader.sees(STATUS, "connected").await;
    mark(&reader).await;

    admin.go("/notes").await;
    admin.sees(PATH, "/login").await;
    admin.fill("[name=username]", "admin").await;
    admin.fill("[name=password]", "wrong").await;
    admin.click("main .primary").await;
    let error = "document.querySelector('.error').textContent";
    admin.sees(error, "Name or password is wrong.").await;
    admin.fill("[name=password]", "password").await; // that of notes/nova.toml
    admin.click("main .primary").await;
    admin.sees(PATH, "/notes").await;

    admin.click("a[href='/notes/new']").await;
    admin.sees(PATH, "/notes/new").await;
    admin
        .sees("document.querySelector('[name=author]').value", "admin")
        .await;
    admin.fill("[name=title]", "Milk").await;
    admin.fill("[name=body]", "Two bottles").await;
    admin.click("main .primary").await;
    admin
        .sees(ROWS, json!([["Milk", "Two bottles", "admin"]]))
        .await;
    reader.sees(TITLES, json!(["Milk"])).await;

    admin.click(".edit").await;
    admin.sees(PATH, "/notes/1/edit").await;
    admin.fill("[name=title]", "Oat milk").await;
    admin.click("main .primary").await;
    admin
        .sees(ROWS, json!([["Oat milk", "Two bottles", "admin"]]))
        .await;
    reader.sees(TITLES, json!(["Oat milk"])).await;

    admin.click(".delete").await;
    admin.sees(ROWS, json!([])).await;
    reader.sees(TITLES, json!([])).await;
    was_not_reloaded(&reader).await;

    admin.click(".logout button").await;
    admin.sees(PATH, "/").await;
    admin.go("/notes").await;
    admin.sees(PATH, "/login").await;
}

async fn without_javascript_the_list_can_be_read(database: TestDatabase) {
    let Some(browser) = Browser::shared() else {
        return;
    };
    let app = NotesProcess::start(&database);
    for title in ["Milk", "Bread"] {
        let note = format!(r#"{{"title":"{title}","body":"B","author":"ann"}}"#);
        assert_eq!(app.send("POST", "/api/notes", &note).0, 201);
    }
    let window = browser.open_without_javascript(&app).await;

    // Scripts of the driver run all the same; those of the page do not.
    let text = "document.querySelector('#notes').innerText.match(/Milk|Bread/g)";
    window.sees(text, json!(["Bread", "Milk"])).await;
    window
        .sees(
            "document.body.innerText.includes('Without JavaScript')",
            true,
        )
        .await;
    let live = "[...document.querySelectorAll('.live-only')].some(it => it.checkVisibility())";
    window.sees(live, false).await;
    window.sees(STATUS, "connecting").await;
}
