//! The page of the acceptance app.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::app::NotesProcess;
use crate::browser::Browser;
use crate::common::port::free_port;

const STATUS: &str = "document.querySelector('#status').textContent";
const EVENTS: &str = "[...document.querySelectorAll('#events > li')].map(it => it.textContent)";

fn start(address: &str) -> NotesProcess {
    NotesProcess::spawn(
        Command::new(env!("CARGO_BIN_EXE_acceptance"))
            .env("NOVA_SERVER__LISTEN", address)
            .env_remove("NOVA_ENV")
            .env_remove("RUST_LOG")
            .stderr(Stdio::piped())
            .stdout(Stdio::null()),
    )
}

#[tokio::test]
async fn the_page_of_the_acceptance_app_shows_each_event_as_text_and_comes_back_after_a_stop() {
    let Some(browser) = Browser::shared() else {
        return;
    };
    let address = format!("127.0.0.1:{}", free_port());
    let app = start(&address);
    let window = browser.open(&app).await;
    window.sees(STATUS, "connected").await;
    let hostile = "<img src=x onerror=alert(1)>";
    for text in ["one", hostile] {
        assert_eq!(app.send("POST", "/broadcast", text).0, 200);
    }
    window.sees(EVENTS, json!(["one", hostile])).await;

    app.signal("TERM");
    window.sees(STATUS, "reconnecting").await;
    assert_eq!(app.ended().0.code(), Some(0));
    let app = start(&address);
    window.sees(STATUS, "connected").await;
    assert_eq!(app.send("POST", "/broadcast", "two").0, 200);
    window.sees(EVENTS, json!(["one", hostile, "two"])).await;
}
