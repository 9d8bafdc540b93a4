//! An app that mounts another: the admin app of `nova-examples/admin`, below `/admin` and behind a
//! word.
//!
//! Run `cargo run -p nova-examples --example mounted`, then
//! `curl -H 'authorization: Bearer sesame' http://127.0.0.1:8080/admin`.

use std::process::ExitCode;

use nova_core::{Access, App, Request, Result, Secret, Security, constant_time_eq, text};

// ANCHOR: security
/// Lets those pass who know the word.
struct Word(Secret);

impl Security for Word {
    async fn check(&self, request: &mut Request) -> Result<Access> {
        Ok(match request.bearer_token() {
            None => Access::unauthorized_bearer("office"),
            Some(word) if constant_time_eq(word, self.0.expose()) => Access::Granted,
            Some(_) => Access::invalid_bearer("office"),
        })
    }
}
// ANCHOR_END: security

// ANCHOR: mount
async fn app() -> Result<App> {
    let mut app = App::builder().root(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/mounted"));
    let settings: nova_example_admin::Settings = app.settings_of("admin");
    let app = app
        .security("auth::word", Word(Secret::from("sesame")))
        .action("home", |_| async { text("The office is at /admin") })
        .mount("admin", || nova_example_admin::app(settings));
    Ok(app.build()?)
}
// ANCHOR_END: mount

fn main() -> ExitCode {
    nova_core::run(app)
}

#[cfg(test)]
mod tests {
    use nova_core::testing::TestClient;

    use super::app;

    #[tokio::test]
    async fn the_admin_app_answers_below_its_prefix_and_behind_the_word() {
        let client = TestClient::new(app().await.unwrap());

        let refused = client.get("/admin").await;
        assert_eq!(refused.status(), 401);
        let with_word = |path| client.get(path).header("authorization", "Bearer sesame");
        let page = with_word("/admin").await;
        let text = page.text().replace("&#x2f;", "/");
        assert!(
            text.contains("<a href=\"/admin\">Back office</a>"),
            "{text}"
        );
        assert!(text.contains("<td>GET /</td><td>home</td>"), "{text}");
        let missing = with_word("/admin/nothing").await;
        assert_eq!(missing.status(), 404);
        assert!(missing.text().contains("Back office"));
        // It is a page for everybody: nothing of the routes is on it.
        let stranger = client.get("/admin/nothing").await;
        assert_eq!(stranger.status(), 404);
        assert!(!stranger.text().contains("admin::explain"));
        assert!(!client.get("/nothing").await.text().contains("Back office"));
    }
}
