//! A small admin app for others to mount: it shows the routes of the whole app, and says which of them
//! answers a request.
//!
//! It is an app like any other, in a crate of its own. [`app`] gives its builder, which whoever mounts
//! it hands to [`AppBuilder::mount`]; its tests build and serve it by itself.

use nova_core::{App, AppBuilder, Reply, Request, Result, controller, view};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What can be set for it, in `[apps.admin]` of who mounts it as `admin`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What stands at the top of its pages. **Default:** `Admin`.
    pub title: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            title: "Admin".to_owned(),
        }
    }
}

// ANCHOR: app
/// The app, to be mounted or built.
pub fn app(settings: Settings) -> AppBuilder {
    const ROOT: &str = env!("CARGO_MANIFEST_DIR");
    App::builder()
        .router_file(format!("{ROOT}/router.toml"))
        .views(format!("{ROOT}/views"))
        .controller(Admin {
            title: settings.title,
        })
}
// ANCHOR_END: app

/// The pages.
struct Admin {
    title: String,
}

controller!("admin" => Admin { index, explain, missing });

/// What `views/admin.html` shows.
#[derive(Serialize)]
struct Page<'a> {
    title: &'a str,
    path: &'a str,
    explanation: Option<String>,
    routes: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    requests: String,
    handler: String,
    app: String,
    plugins: String,
}

#[derive(Deserialize)]
struct Question {
    path: String,
}

impl Admin {
    async fn index(&self, request: Request) -> Result<Reply> {
        Ok(self.page(&request, "/", None))
    }

    async fn explain(&self, request: Request) -> Result<Reply> {
        let Question { path } = request.query()?;
        let explanation = request.router().explain("GET", &path);
        Ok(self.page(&request, &path, Some(explanation.to_string())))
    }

    /// What is not there below its prefix. Everybody may see this page, for no security function is
    /// asked where no route answers: it says nothing of the routes.
    async fn missing(&self, _request: Request) -> Result<Reply> {
        let title = &self.title;
        Ok(view(&json!({ "title": title })).named("missing"))
    }

    fn page(&self, request: &Request, path: &str, explanation: Option<String>) -> Reply {
        let routes = request.router().routes().into_iter().map(|route| Row {
            requests: route.requests(),
            app: route.app.unwrap_or_default(),
            plugins: route.plugins.join(", "),
            handler: route.handler,
        });
        view(&Page {
            title: &self.title,
            path,
            explanation,
            routes: routes.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use nova_core::testing::TestClient;

    use super::*;

    #[tokio::test]
    async fn it_is_an_app_by_itself() {
        let app = app(Settings::default()).build().unwrap();
        let page = TestClient::new(app).get("/explain?path=/explan").await;
        assert_eq!(page.status(), 200);
        let text = page.text().replace("&#x2f;", "/");
        let row = "<td>GET /explain</td><td>admin::explain</td>";
        assert!(text.contains(row), "{text}");
        let why = "segment 1 is `explain`, and here `explan`";
        assert!(text.contains(why), "{text}");
    }
}
