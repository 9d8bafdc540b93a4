//! The app of the README does what the README says, and stands there as it stands here.

use nova_core::App;
use nova_core::testing::TestClient;
use nova_ws::AppBuilderExt;
use nova_ws::testing::TestSocket;

use super::{Greetings, Hello, app};

#[tokio::test]
async fn a_greeting_is_answered_and_heard_by_all_who_listen() {
    let client = TestClient::new(app().await.unwrap());
    let mut socket = TestSocket::connect(&client, "/greetings").await.unwrap();
    let response = client.get("/hello/ann").await;

    assert_eq!(response.text(), r#""Hello, ann!""#);
    assert_eq!(socket.recv_text().await, r#""ann""#);
}

#[test]
fn the_readme_shows_these_files() {
    let readme = include_str!("../../../README.md");
    let (code, _tests) = include_str!("main.rs")
        .split_once("\n#[cfg(test)]")
        .unwrap();
    // An app of its own has its files beside its `Cargo.toml`.
    let root = r#"concat!(env!("CARGO_MANIFEST_DIR"), "/examples/hello")"#;
    assert!(code.contains(root));
    let code = code.replace(root, r#"env!("CARGO_MANIFEST_DIR")"#);
    let routes = include_str!("router.toml");

    assert!(
        readme.contains(&format!("```rust\n{code}```")),
        "main.rs is another"
    );
    assert!(
        readme.contains(&format!("```toml\n{routes}```")),
        "router.toml is another"
    );
}

#[test]
fn the_readme_shows_what_is_told_of_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let router = folder.path().join("router.toml");
    let mistaken = include_str!("router.toml").replace("hello::greet", "hello::great");
    std::fs::write(&router, mistaken).unwrap();
    let app = App::builder()
        .router_file(&router)
        .controller(Hello)
        .websocket("greetings", Greetings);
    let told = app.build().unwrap_err().to_string();

    let told = told.replace(&router.display().to_string(), "router.toml");
    let readme = include_str!("../../../README.md");
    assert!(readme.contains(&format!("\n\n{told}\n```")), "{told}");
}
