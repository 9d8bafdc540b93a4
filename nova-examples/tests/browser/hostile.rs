//! Notes by somebody who would like to run a script in other people's browsers.

use serde_json::json;

use crate::app::NotesProcess;
use crate::browser::Browser;
use crate::common::TestDatabase;
use crate::live::{STATUS, add, edit};
use crate::window::Window;

on_both! {
    #[tokio::test] async fn
        elements_in_a_note_are_text_whether_they_come_live_or_with_the_page;
}

const SCRIPT: &str = "<script>window.ran = true</script>";
const IMAGE: &str = "<img src=/nothing onerror='window.ran = true'>";

/// All texts of all notes.
const TEXTS: &str = "[...document.querySelectorAll('#notes :is(.title, .body, .author)')]
    .map(it => it.textContent)";

/// The elements in those texts.
const ELEMENTS: &str = "document.querySelectorAll('#notes :is(.title, .body, .author) *').length";

/// An image of our own with an address where there is none: when it has failed, so have those
/// before it.
async fn nothing_has_run(window: &Window) {
    window
        .run("Object.assign(new Image(), { src: '/nothing', onerror: () => { window.waited = true } })")
        .await;
    window.sees("window.waited", true).await;
    window.sees("typeof window.ran", "undefined").await;
}

async fn elements_in_a_note_are_text_whether_they_come_live_or_with_the_page(
    database: TestDatabase,
) {
    let Some(browser) = Browser::shared() else {
        return;
    };
    let app = NotesProcess::start(&database);
    let (attacker, window) = (browser.open(&app).await, browser.open(&app).await);
    window.sees(STATUS, "connected").await;

    add(&attacker, [SCRIPT, IMAGE, SCRIPT]).await;
    window.sees(TEXTS, json!([SCRIPT, IMAGE, SCRIPT])).await;
    add(&attacker, [IMAGE, SCRIPT, IMAGE]).await;
    window
        .sees(TEXTS, json!([IMAGE, SCRIPT, IMAGE, SCRIPT, IMAGE, SCRIPT]))
        .await;
    edit(&attacker, 1, [IMAGE, SCRIPT]).await;
    let texts = json!([IMAGE, SCRIPT, IMAGE, IMAGE, SCRIPT, SCRIPT]);
    window.sees(TEXTS, texts.clone()).await;
    for window in [&window, &attacker] {
        window.sees(ELEMENTS, 0).await;
        nothing_has_run(window).await;
    }

    for window in [&browser.open_without_javascript(&app).await, &window] {
        window.go("/").await;
        window.sees(TEXTS, texts.clone()).await;
        window.sees(ELEMENTS, 0).await;
    }
    nothing_has_run(&window).await;
}
