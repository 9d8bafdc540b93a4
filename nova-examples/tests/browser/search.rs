//! The search above the list.

use fantoccini::key::Key;
use serde_json::json;

use crate::app::NotesProcess;
use crate::browser::Browser;
use crate::common::TestDatabase;
use crate::live::{STATUS, TITLES, add, delete, edit};

on_both! {
    #[tokio::test] async fn
        the_search_finds_words_stays_right_amid_news_and_ends_with_escape;
}

/// How many notes are in the page, shown or not.
const ALL: &str = "document.querySelectorAll('#notes > .note').length";

/// What stands in place of the notes.
const EMPTY: &str = "document.querySelector('#empty:not([hidden])')?.textContent ?? ''";

async fn the_search_finds_words_stays_right_amid_news_and_ends_with_escape(database: TestDatabase) {
    let Some(browser) = Browser::shared() else {
        return;
    };
    let app = NotesProcess::start(&database);
    let (window, other) = (browser.open(&app).await, browser.open(&app).await);
    window.sees(STATUS, "connected").await;
    add(&other, ["Milk", "Two bottles", "ann"]).await;
    add(&other, ["Bread", "Rye", "ann"]).await;
    add(&other, ["Breakfast", "Oats with milk", "bob"]).await;
    window
        .sees(TITLES, json!(["Breakfast", "Bread", "Milk"]))
        .await;

    window.fill("#search", "MILK").await;
    window.sees(TITLES, json!(["Breakfast", "Milk"])).await;
    add(&other, ["Tea", "With milk", "bob"]).await;
    window
        .sees(TITLES, json!(["Tea", "Breakfast", "Milk"]))
        .await;
    add(&other, ["Coffee", "Black", "bob"]).await;
    window.sees(ALL, 5).await;
    window
        .sees(TITLES, json!(["Tea", "Breakfast", "Milk"]))
        .await;
    edit(&other, 3, ["Breakfast", "Oats with water"]).await;
    window.sees(TITLES, json!(["Tea", "Milk"])).await;
    edit(&other, 2, ["Bread", "Rye, with milk"]).await;
    window.sees(TITLES, json!(["Tea", "Bread", "Milk"])).await;
    delete(&other, 1).await;
    window.sees(TITLES, json!(["Tea", "Bread"])).await;

    window.fill("#search", "milk rye").await;
    window.sees(TITLES, json!(["Bread"])).await;
    window.fill("#search", "cocoa").await;
    window.sees(EMPTY, "Nothing found.").await;
    window.press("#search", Key::Escape).await;
    window
        .sees(TITLES, json!(["Coffee", "Tea", "Breakfast", "Bread"]))
        .await;
    window.sees(EMPTY, "").await;
    window
        .sees("document.querySelector('#search').value", "")
        .await;
}
