//! Unix sockets and their files.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nova_core::Listeners;
use tokio::net::{UnixListener, UnixStream};

use super::{Folder, ask};

const ON_A_SOCKET: &str = "[server]\nlisten = 'unix:app.sock'\n";

#[tokio::test]
async fn an_app_answers_on_a_unix_socket_whose_file_goes_with_it() {
    let folder = Folder::new(ON_A_SOCKET);
    let served = folder.serve().await;
    let file = folder.path().join("app.sock");

    assert_eq!(served.urls, [format!("unix:{}", file.display())]);
    let answer = ask(UnixStream::connect(&file).await.unwrap(), "/", "").await;
    assert!(answer.ends_with("hello"), "{answer}");
    served.stop().await;
    assert!(!file.exists());
}

#[tokio::test]
async fn a_socket_that_nobody_answers_on_is_replaced() {
    let folder = Folder::new(ON_A_SOCKET);
    let file = folder.path().join("app.sock");
    drop(UnixListener::bind(&file).unwrap()); // the file stays
    assert!(file.exists());
    let served = folder.serve().await;

    let answer = ask(UnixStream::connect(&file).await.unwrap(), "/", "").await;
    assert!(answer.ends_with("hello"), "{answer}");
    served.stop().await;
}

#[tokio::test]
async fn a_socket_that_somebody_answers_on_is_left_alone() {
    let folder = Folder::new(ON_A_SOCKET);
    let file = folder.path().join("app.sock");
    let theirs = UnixListener::bind(&file).unwrap();
    let app = folder.app();

    let told = Listeners::bind(app.config()).await.unwrap_err().to_string();

    assert!(
        told.contains("another program listens on it\nhelp: stop that program"),
        "{told}"
    );
    let (_, accepted) = tokio::join!(UnixStream::connect(&file), theirs.accept());
    accepted.unwrap();
}

#[tokio::test]
async fn a_file_that_has_taken_the_place_of_ours_stays() {
    let folder = Folder::new(ON_A_SOCKET);
    let served = folder.serve().await;
    let file = folder.path().join("app.sock");
    fs::remove_file(&file).unwrap();
    let _theirs = UnixListener::bind(&file).unwrap();

    served.stop().await;

    assert!(file.exists());
}

#[tokio::test]
async fn the_file_has_the_permissions_of_the_settings() {
    for (settings, mode) in [
        ("", 0o660),
        ("unix_mode = '600'", 0o600),
        ("unix_mode = '777'", 0o777),
    ] {
        let folder = Folder::new(&format!("{ON_A_SOCKET}{settings}"));
        let served = folder.serve().await;

        let file = fs::metadata(folder.path().join("app.sock")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, mode);
        served.stop().await;
    }
}

#[tokio::test]
async fn a_proxy_at_the_other_end_is_believed_if_it_is_trusted() {
    let fields = "x-forwarded-for: 192.0.2.7\r\nx-forwarded-proto: https\r\n";
    for (settings, who) in [
        ("", r#"[null,"http"]"#),
        ("trusted_proxies = ['unix']", r#"["192.0.2.7","https"]"#),
    ] {
        let folder = Folder::new(&format!("{ON_A_SOCKET}{settings}"));
        let served = folder.serve().await;

        let socket = UnixStream::connect(folder.path().join("app.sock")).await;
        let answer = ask(socket.unwrap(), "/who", fields).await;
        assert!(answer.ends_with(who), "{answer}");
        served.stop().await;
    }
}

#[tokio::test]
async fn a_listener_of_the_programs_own_serves_as_well() {
    let folder = Folder::new("");
    let file = folder.path().join("own.sock");
    let listener = UnixListener::bind(&file).unwrap();
    tokio::spawn(folder.app().serve(listener, std::future::pending()));

    let answer = ask(UnixStream::connect(&file).await.unwrap(), "/", "").await;
    assert!(answer.ends_with("hello"), "{answer}");
}
