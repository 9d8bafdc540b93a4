//! An app that mounts another: the admin app of `nova-examples/admin`, below `/admin` and behind a
//! word.
//!
//! Run `cargo run -p nova-examples --example mounted`, then
//! `curl -H 'authorization: Bearer sesame' http://127.0.0.1:8080/admin`.

use std::process::ExitCode;

use nova_core::{Access, App, Request, Result, Security, status, text};

// ANCHOR: security
/// Lets those pass who know the word.
struct Word(&'static str);

impl Security for Word {
    async fn check(&self, request: &mut Request) -> Result<Access> {
        let word = request.header("authorization");
        Ok(match word.and_then(|word| word.strip_prefix("Bearer ")) {
            Some(word) if word == self.0 => Access::Granted,
            _ => Access::Denied(status(401).header("www-authenticate", "Bearer")),
        })
    }
}
// ANCHOR_END: security

// ANCHOR: mount
async fn app() -> Result<App> {
    let mut app = App::builder().root(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/mounted"));
    let settings: nova_example_admin::Settings = app.settings_of("admin");
    let app = app
        .security("auth::word", Word("sesame"))
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
        assert!(!client.get("/nothing").await.text().contains("Back office"));
    }
}
