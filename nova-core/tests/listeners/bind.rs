//! Several listeners, and what is told when they cannot be.

use std::fs;
use std::net::TcpListener;

use nova_core::Listeners;

use super::{Folder, ask, connect};

#[tokio::test]
async fn an_app_answers_on_each_of_its_addresses() {
    let folder = Folder::new("[server]\nlisten = ['127.0.0.1:0', '127.0.0.1:0']\n");
    let served = folder.serve().await;

    assert_eq!(served.urls.len(), 2);
    for url in &served.urls {
        let answer = ask(connect(url).await, "/", "").await;
        assert!(answer.ends_with("hello"), "{answer}");
    }
    served.stop().await;
}

#[tokio::test]
async fn the_last_place_is_for_whoever_comes_first_on_any_of_them() {
    let folder =
        Folder::new("[server]\nlisten = ['127.0.0.1:0', '127.0.0.1:0']\nconnections = 1\n");
    let served = folder.serve().await;

    for url in served.urls.iter().chain(&served.urls) {
        let answer = ask(connect(url).await, "/", "").await;
        assert!(answer.ends_with("hello"), "{answer}");
    }
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let settings =
        format!("[server]\nlisten = ['{address}', '192.0.2.1:1', 'unix:no/app.sock', 'unix:file']");
    let folder = Folder::new(&settings);
    fs::write(folder.path().join("file"), "kept").unwrap();
    let app = folder.app();

    let told = Listeners::bind(app.config()).await.unwrap_err().to_string();

    let next = format!("127.0.0.1:{}", address.port() + 1);
    let root = folder.path().display();
    for expected in [
        format!(
            "cannot listen on {address}: the port is taken\nhelp: stop the program that has it"
        ),
        format!(
            "or NOVA_SERVER__LISTEN={next},192.0.2.1:1,unix:{root}/no/app.sock,unix:{root}/file\n"
        ),
        format!("nova.toml:2:10 that says {address}\n\n"),
        "cannot listen on 192.0.2.1:1: ".to_owned(),
        format!("\n\ncannot listen on unix:{root}/no/app.sock: "),
        format!("help: make the folder {root}/no first\n\n"),
        format!(
            "cannot listen on unix:{root}/file: there is a file which is no socket\nhelp: move it away"
        ),
    ] {
        assert!(
            told.contains(&expected),
            "{expected}\n\nis not in\n\n{told}"
        );
    }
    assert_eq!(
        fs::read_to_string(folder.path().join("file")).unwrap(),
        "kept"
    );
}
