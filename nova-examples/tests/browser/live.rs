//! What is written in one window is shown in the other, which nobody touches.

use std::fs;
use std::path::Path;

use fantoccini::key::Key;
use serde_json::json;

use crate::app::NotesProcess;
use crate::browser::Browser;
use crate::common::TestDatabase;
use crate::window::Window;

on_both! {
    #[tokio::test] async fn
        what_one_window_writes_the_other_shows_without_a_reload;
}

/// Whether the page is connected: `connecting`, `connected` or `reconnecting`.
pub(crate) const STATUS: &str = "document.querySelector('#status').dataset.state";

/// Of the notes that the list shows, title, body and author.
const NOTES: &str = "[...document.querySelectorAll('#notes > .note:not([hidden])')].map(note =>
    ['.title', '.body', '.author'].map(part => note.querySelector(part).textContent))";

/// Their titles alone.
pub(crate) const TITLES: &str = "[...document.querySelectorAll('#notes > .note:not([hidden]) .title')].map(it => it.textContent)";

/// Whether it says that there are no notes.
const EMPTY: &str = "!document.querySelector('#empty').hidden";

/// A variable in the page, which a reload takes away.
pub(crate) async fn mark(window: &Window) {
    window.run("window.mark = 'kept'").await;
}

pub(crate) async fn was_not_reloaded(window: &Window) {
    window.sees("window.mark", "kept").await;
}

/// Writes a note with the form beside the list.
pub(crate) async fn add(window: &Window, [title, body, author]: [&str; 3]) {
    window.fill("#new-note [name=title]", title).await;
    window.fill("#new-note [name=body]", body).await;
    window.fill("#new-note [name=author]", author).await;
    window.click("#new-note .primary").await;
}

/// Changes the note with this number, in the list.
pub(crate) async fn edit(window: &Window, id: u32, [title, body]: [&str; 2]) {
    let note = format!("#notes [data-id='{id}']");
    window.click(&format!("{note} .edit")).await;
    window
        .fill(&format!("{note} .editor [name=title]"), title)
        .await;
    window
        .fill(&format!("{note} .editor [name=body]"), body)
        .await;
    window.click(&format!("{note} .editor .primary")).await;
}

/// Deletes it there. The second press is of a key, since a double click counts as one press.
pub(crate) async fn delete(window: &Window, id: u32) {
    let button = format!("#notes [data-id='{id}'] .delete");
    window.click(&button).await;
    window.press(&format!("{button}.confirm"), Key::Enter).await;
}

async fn what_one_window_writes_the_other_shows_without_a_reload(database: TestDatabase) {
    let Some(browser) = Browser::shared() else {
        return;
    };
    let app = NotesProcess::start(&database);
    let windows = [browser.open(&app).await, browser.open(&app).await];
    let [ann, bob] = &windows;
    for window in &windows {
        window.sees(STATUS, "connected").await;
        window.sees(EMPTY, true).await;
        mark(window).await;
    }
    let both_show = async |notes: &[[&str; 3]]| {
        for window in &windows {
            window.sees(NOTES, json!(notes)).await;
        }
    };

    let train = [
        "Train to Lyon",
        "Friday 8:12, platform 4: coach 11, seats 52 and 54.",
        "Ann",
    ];
    let standup = ["Standup", "The room is taken: 9:45?", "Bob"];
    let test = ["test", "Please ignore", "Bob"];
    let cake = [
        "Lemon cake",
        "4 eggs, 200 g sugar, 250 g flour, 2 lemons.\n40 minutes at 180 °C.",
        "Chloé",
    ];
    let release = [
        "Release 0.1",
        "Change log and tag are missing. Who draws the logo?",
        "Ann",
    ];
    add(ann, train).await;
    both_show(&[train]).await;
    add(bob, standup).await;
    both_show(&[standup, train]).await;
    add(bob, test).await;
    both_show(&[test, standup, train]).await;
    add(ann, cake).await;
    both_show(&[cake, test, standup, train]).await;
    add(ann, release).await;
    both_show(&[release, cake, test, standup, train]).await;

    let standup = [
        "Standup at 9:45",
        "This week only: the room is taken until half past nine.",
        "Bob",
    ];
    edit(ann, 2, [standup[0], standup[1]]).await;
    both_show(&[release, cake, test, standup, train]).await;
    delete(bob, 3).await;
    both_show(&[release, cake, standup, train]).await;

    if let Some(folder) = std::env::var_os("NOVA_SCREENSHOTS") {
        take_picture(ann, folder.as_ref()).await;
    }
    for id in [1, 2, 4, 5] {
        delete(ann, id).await;
    }
    both_show(&[]).await;
    for window in &windows {
        window.sees(EMPTY, true).await;
        window.sees(STATUS, "connected").await;
        was_not_reloaded(window).await;
    }
}

/// The picture in the README, docs/src/images/notes.png, is made by
///
/// ```sh
/// NOVA_SCREENSHOTS=$PWD/docs/src/images cargo test -p nova-examples --test browser sqlite::what
/// ```
async fn take_picture(window: &Window, folder: &Path) {
    window.resize(1200, 800).await;
    window.click("h1").await; // so that neither mouse nor focus is on a button
    window.run("scrollTo(0, 0)").await;
    window.sees("document.getAnimations().length", 0).await; // what is new is tinted for a while
    fs::write(folder.join("notes.png"), window.picture().await).unwrap();
}
