//! The app is killed while people write, or stopped, and started again.

use std::sync::mpsc;
use std::thread;

use crate::app::{NotesProcess, command};
use crate::browser::Browser;
use crate::common::TestDatabase;
use crate::common::port::free_port;
use crate::live::{STATUS, TITLES, mark, was_not_reloaded};

on_both! {
    #[tokio::test] async fn
        after_kill_9_the_page_comes_back_by_itself_with_every_acknowledged_note;
    #[tokio::test] async fn
        the_page_waits_longer_each_time_up_to_half_a_minute_and_at_random;
    #[tokio::test] async fn
        the_page_comes_back_when_a_server_that_stops_says;
}

/// Writes with several connections at once, and kills the app amid that. Gives the titles of the
/// notes that it had acknowledged.
fn write_until_killed(app: &NotesProcess) -> Vec<String> {
    let (acknowledge, acknowledged) = mpsc::channel();
    thread::scope(|scope| {
        for writer in 0..4 {
            let acknowledge = acknowledge.clone();
            scope.spawn(move || {
                for n in 0.. {
                    let title = format!("{writer}/{n}");
                    match app.try_send("POST", "/api/notes", &note(&title)) {
                        Ok((status, _)) => assert_eq!(status, 201),
                        Err(_) => break, // it is killed
                    }
                    acknowledge.send(title).unwrap();
                }
            });
        }
        drop(acknowledge);
        let mut titles: Vec<String> = acknowledged.iter().take(40).collect();
        app.signal("KILL");
        titles.extend(acknowledged);
        titles
    })
}

fn note(title: &str) -> String {
    format!(r#"{{"title":"{title}","body":"B","author":"ann"}}"#)
}

async fn after_kill_9_the_page_comes_back_by_itself_with_every_acknowledged_note(
    database: TestDatabase,
) {
    let Some(browser) = Browser::shared() else {
        return;
    };
    let address = format!("127.0.0.1:{}", free_port());
    let start = || NotesProcess::spawn(command(&database).env("NOVA_SERVER__LISTEN", &address));
    let app = start();
    let window = browser.open(&app).await;
    window.sees(STATUS, "connected").await;
    mark(&window).await;

    let mut written = write_until_killed(&app);
    drop(app);
    window.sees(STATUS, "reconnecting").await;
    // At an address that the page does not know: so this note is there before it reconnects.
    let elsewhere = NotesProcess::start(&database);
    let missed = "written while the page was away";
    assert_eq!(elsewhere.send("POST", "/api/notes", &note(missed)).0, 201);
    written.push(missed.to_owned());
    drop(elsewhere);

    let app = start();
    window.sees(STATUS, "connected").await;
    let written = serde_json::to_string(&written).unwrap();
    let not_shown = format!("{written}.filter(title => !{TITLES}.includes(title))");
    window.sees(&not_shown, Vec::<String>::new()).await;
    assert_eq!(app.send("POST", "/api/notes", &note("and on")).0, 201);
    window
        .sees(&format!("{TITLES}.slice(0, 2)"), vec!["and on", missed])
        .await;
    was_not_reloaded(&window).await;
}

/// Lets the page's waits for a retry pass at once, and writes them down. Chance is half.
const QUICK_RETRIES: &str = "window.waits = []; Math.random = () => 0.5;
    const usual = window.setTimeout;
    window.setTimeout = (work, wait, ...others) => {
        if (work.name !== 'connect') return usual(work, wait, ...others);
        window.waits.push(wait);
        return usual(work, 20);
    }";

async fn the_page_waits_longer_each_time_up_to_half_a_minute_and_at_random(database: TestDatabase) {
    let Some(browser) = Browser::shared() else {
        return;
    };
    let app = NotesProcess::start(&database);
    let window = browser.open(&app).await;
    window.sees(STATUS, "connected").await;
    window.run(QUICK_RETRIES).await;
    app.signal("KILL");
    window.sees("window.waits.length >= 9", true).await;
    // Half of 500 ms, doubling, and of 30 s at most.
    let waits = vec![250, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000];
    window.sees("window.waits.slice(0, 9)", waits).await;
}

async fn the_page_comes_back_when_a_server_that_stops_says(database: TestDatabase) {
    let Some(browser) = Browser::shared() else {
        return;
    };
    let app = NotesProcess::start(&database);
    let window = browser.open(&app).await;
    window.sees(STATUS, "connected").await;
    window.run(QUICK_RETRIES).await;
    app.signal("TERM");
    window.sees("window.waits.length >= 3", true).await;
    // The first one is the server's, between 500 and 2500 ms for one client; then the page's own.
    let said = "window.waits[0] >= 500 && window.waits[0] <= 2500";
    window.sees(said, true).await;
    window
        .sees("window.waits.slice(1, 3)", vec![250, 500])
        .await;
}
