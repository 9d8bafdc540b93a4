//! From an error to the answer that its client can read.
//!
//! Programs get a problem document, browsers a page, by their `Accept` header. What only a
//! developer may read goes in here and nowhere else: [`Failed::dev_facts`] is the one place that
//! looks at the environment.

use std::fmt::Write;

use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, VARY};
use tracing::error;

use crate::accept::Format;
use crate::config::Environment;
use crate::dev_facts::DevFacts;
use crate::error::Error;
use crate::error_page;
use crate::problem::{self, Problem};
use crate::request::Head;
use crate::response::{Response, ResponseBody};
use crate::router::{NearRoute, RouteInfo};

/// The page loads nothing and runs nothing, whatever is in it.
pub(crate) const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// A request that ends in an error, with what is known about it.
#[derive(Debug)]
pub(crate) struct Failed<'f> {
    pub(crate) environment: Environment,
    pub(crate) head: &'f Head,
    pub(crate) error: &'f Error,
    /// The route that matched, if one did.
    pub(crate) route: Option<&'f RouteInfo>,
    /// The nearest routes, if none matched. Shown in `dev` only.
    pub(crate) near: Vec<NearRoute>,
}

impl Failed<'_> {
    /// The answer, in the form that the client wants most. Caches learn that it depends on that.
    pub(crate) fn response(&self) -> Response {
        let problem = Problem::of(self.error, self.dev_facts());
        let (media_type, body) = match Format::wanted(self.head.headers()) {
            Format::Problem => (problem::MEDIA_TYPE, problem.to_json()),
            Format::Page => match error_page::render(&problem, self.head.correlation_id()) {
                Ok(page) => ("text/html; charset=utf-8", page.into()),
                Err(error) => {
                    error!("the page of an error cannot be rendered: {error}");
                    (problem::MEDIA_TYPE, problem.to_json())
                }
            },
            Format::Text => ("text/plain; charset=utf-8", text(&problem).into()),
        };
        let mut response = Response::new(ResponseBody::from(body));
        *response.status_mut() = self.error.status();
        let headers = response.headers_mut();
        headers.clone_from(self.error.headers());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.append(VARY, HeaderValue::from_static("accept"));
        if media_type.starts_with("text/html") {
            set_default(headers, CONTENT_SECURITY_POLICY, PAGE_POLICY);
        }
        if problem.dev.is_some() {
            set_default(headers, CACHE_CONTROL, "no-store");
        }
        response
    }

    fn dev_facts(&self) -> Option<DevFacts<'_>> {
        match self.environment {
            Environment::Dev => Some(DevFacts::of(self.error, self.head, self.route, &self.near)),
            Environment::Prod => None,
        }
    }
}

/// What the error has set itself stays.
fn set_default(headers: &mut HeaderMap, name: http::HeaderName, value: &'static str) {
    headers
        .entry(name)
        .or_insert(HeaderValue::from_static(value));
}

/// The problem in a few lines, for who wants plain text.
fn text(problem: &Problem<'_>) -> String {
    let mut text = format!("{} {}\n", problem.status, problem.title);
    let mut line = |line: std::fmt::Arguments<'_>| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{line}");
    };
    if let Some(detail) = problem.detail {
        line(format_args!("{detail}"));
    }
    for field in &problem.errors {
        line(format_args!("- `{}`: {}", field.path, field.detail));
    }
    if let Some(dev) = &problem.dev {
        for cause in &dev.causes {
            line(format_args!("cause: {cause}"));
        }
        if let Some(route) = &dev.route {
            line(format_args!("route: {}", route.info));
        }
        for near in dev.near {
            line(format_args!("near: {}: {}", near.route, near.reason));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::Value;

    use super::*;
    use crate::error::FieldError;
    use crate::origin::{Origin, SourceFile};
    use crate::request::Request;
    use crate::testing;

    const HTML: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

    fn request(accept: &str) -> Request {
        testing::request("GET", "/notes/7?page=2")
            .header("accept", accept)
            .header("x-client", "<b>notes</b>")
            .header("cookie", "session_id=hunter2")
            .binding("id", 7)
            .build()
    }

    fn route() -> RouteInfo {
        let text = "routes = [\n    [\"/notes/{id}\", \"notes_api::show\"],\n]";
        let start = text.find("[\"").unwrap();
        let file = SourceFile::new("router.toml".as_ref(), text.to_owned());
        RouteInfo {
            status: None,
            app: None,
            methods: vec!["GET".to_owned()],
            host: None,
            path: "/notes/{id}".to_owned(),
            protocol: "http".to_owned(),
            handler: "notes_api::show".to_owned(),
            name: Some("note".to_owned()),
            security: Some("auth::session".to_owned()),
            plugins: vec!["correlation".to_owned(), "audit".to_owned()],
            origin: Origin::in_file(&file, start..text.len() - 3),
        }
    }

    /// An error with all that a client may and may not read.
    fn error() -> Error {
        let disk = std::io::Error::other("the <disk> is full");
        Error::new(503, "come <i>back</i>")
            .with_source(std::io::Error::other(Wrapping(disk)))
            .with_fields([FieldError::new("items[0].<count>", "zero & nothing")])
            .with_header("retry-after", 2)
    }

    #[derive(Debug)]
    struct Wrapping(std::io::Error);

    impl std::fmt::Display for Wrapping {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the note is not stored")
        }
    }

    impl std::error::Error for Wrapping {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    fn near() -> Vec<NearRoute> {
        vec![NearRoute {
            route: route(),
            reason: "segment 1 is `notes` there and `nots` here".to_owned(),
        }]
    }

    async fn answer(environment: Environment, accept: &str) -> (http::response::Parts, String) {
        let (request, error, route) = (request(accept), error(), route());
        let failed = Failed {
            environment,
            head: request.head(),
            error: &error,
            route: Some(&route),
            near: near(),
        };
        let (parts, body) = failed.response().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_form_has_the_status_the_headers_and_a_vary() {
        for environment in Environment::ALL {
            for (accept, media_type) in [
                ("*/*", "application/problem+json"),
                (HTML, "text/html; charset=utf-8"),
                ("text/plain", "text/plain; charset=utf-8"),
            ] {
                let (parts, body) = answer(environment, accept).await;
                assert_eq!(parts.status, 503);
                assert_eq!(parts.headers["content-type"], media_type);
                assert_eq!(parts.headers["retry-after"], "2");
                assert_eq!(parts.headers["vary"], "accept");
                assert!(body.contains("503"), "{body}");
            }
        }
    }

    #[tokio::test]
    async fn outside_dev_no_form_tells_anything_internal() {
        for accept in ["*/*", HTML, "text/plain"] {
            let (_, body) = answer(Environment::Prod, accept).await;
            for internal in [
                "disk",
                "stored",
                "notes_api",
                "router.toml",
                "auth",
                "audit",
                "nots",
                "session_id",
                "hunter2",
                "x-client",
                "\"dev\"",
            ] {
                assert!(!body.contains(internal), "`{internal}` in {body}");
            }
        }
    }

    #[tokio::test]
    async fn outside_dev_a_document_is_the_problem_alone() {
        let (_, body) = answer(Environment::Prod, "application/json").await;
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            problem,
            serde_json::json!({
                "title": "Service Unavailable",
                "status": 503,
                "detail": "come <i>back</i>",
                "errors": [{
                    "detail": "zero & nothing",
                    "pointer": "#/items/0/%3Ccount%3E",
                    "path": "items[0].<count>",
                }],
            })
        );
    }

    #[tokio::test]
    async fn in_dev_a_document_has_the_facts_too() {
        let (parts, body) = answer(Environment::Dev, "application/json").await;
        assert_eq!(parts.headers["cache-control"], "no-store");

        let problem: Value = serde_json::from_str(&body).unwrap();
        let dev = &problem["dev"];
        assert_eq!(
            dev["causes"],
            serde_json::json!(["the note is not stored", "the <disk> is full"])
        );
        assert_eq!(dev["route"]["handler"], "notes_api::show");
        assert_eq!(dev["route"]["origin"], "router.toml:2:5");
        assert_eq!(
            dev["route"]["excerpt"][0],
            "2 |     [\"/notes/{id}\", \"notes_api::show\"],"
        );
        assert_eq!(dev["near"][0]["route"]["path"], "/notes/{id}");
        assert_eq!(dev["near"][0]["reason"], near()[0].reason);
        assert_eq!(dev["request"]["method"], "GET");
        assert_eq!(dev["request"]["path"], "/notes/7");
        assert_eq!(dev["request"]["query"], "page=2");
        assert_eq!(dev["request"]["bindings"]["id"], "7");
        assert_eq!(dev["request"]["headers"]["x-client"], "<b>notes</b>");
        assert_eq!(dev["request"]["headers"]["cookie"], "***");
    }

    #[tokio::test]
    async fn in_dev_the_page_shows_causes_route_neighbours_and_request() {
        let (parts, page) = answer(Environment::Dev, HTML).await;
        assert_eq!(parts.headers["cache-control"], "no-store");
        for shown in [
            "Service Unavailable",
            "come &lt;i&gt;back&lt;&#x2f;i&gt;",
            "items[0].&lt;count&gt;",
            "zero &amp; nothing",
            "<pre>the note is not stored</pre>",
            "<pre>the &lt;disk&gt; is full</pre>",
            "notes_api::show",
            "auth::session",
            "<code>correlation</code>, <code>audit</code>",
            "router.toml:2:5",
            "segment 1 is `notes` there and `nots` here",
            "page=2",
            "&lt;b&gt;notes&lt;&#x2f;b&gt;",
            "***",
        ] {
            assert!(page.contains(shown), "no `{shown}` in {page}");
        }
        assert!(!page.contains("hunter2"));
    }

    #[tokio::test]
    async fn the_page_for_everybody_shows_what_the_client_may_read_escaped() {
        let (parts, page) = answer(Environment::Prod, HTML).await;
        assert_eq!(parts.headers["content-security-policy"], PAGE_POLICY);
        assert!(!parts.headers.contains_key("cache-control"));
        for shown in [
            "<title>Service Unavailable</title>",
            "come &lt;i&gt;back&lt;&#x2f;i&gt;",
            "items[0].&lt;count&gt;",
            "zero &amp; nothing",
        ] {
            assert!(page.contains(shown), "no `{shown}` in {page}");
        }
        for outside in ["<script", "src=", "http://", "https://", "url("] {
            assert!(!page.contains(outside), "`{outside}` in {page}");
        }
    }

    #[tokio::test]
    async fn plain_text_has_a_line_for_each_thing() {
        let (_, text) = answer(Environment::Prod, "text/plain").await;
        assert_eq!(
            text,
            "503 Service Unavailable\ncome <i>back</i>\n- `items[0].<count>`: zero & nothing\n"
        );
        let (_, text) = answer(Environment::Dev, "text/plain").await;
        for line in [
            "\ncause: the <disk> is full\n",
            "\nroute: GET /notes/{id} → notes_api::show (router.toml:2:5)\n",
            ": segment 1 is `notes` there and `nots` here\n",
        ] {
            assert!(text.contains(line), "no `{line}` in {text}");
        }
    }

    #[tokio::test]
    async fn a_bare_error_without_a_route_has_all_forms_too() {
        let (error, environments) = (Error::from_status(404), Environment::ALL);
        for (environment, accept) in environments.iter().flat_map(|environment| {
            ["*/*", HTML, "text/plain"].map(|accept| (*environment, accept))
        }) {
            let request = request(accept);
            let failed = Failed {
                environment,
                head: request.head(),
                error: &error,
                route: None,
                near: Vec::new(),
            };
            let body = failed.response().into_body().collect().await.unwrap();
            let body = String::from_utf8(body.to_bytes().to_vec()).unwrap();
            assert!(body.contains("Not Found"), "{body}");
            assert!(!body.contains("nearest"), "{body}");
        }
    }

    #[tokio::test]
    async fn what_the_error_says_about_caches_and_variants_is_kept() {
        let request = request(HTML);
        let error = Error::from_status(404)
            .with_header("vary", "origin")
            .with_header("cache-control", "max-age=5");
        let failed = Failed {
            environment: Environment::Dev,
            head: request.head(),
            error: &error,
            route: None,
            near: Vec::new(),
        };
        let response = failed.response();
        let vary: Vec<_> = response.headers().get_all("vary").iter().collect();
        assert_eq!(vary, ["origin", "accept"]);
        assert_eq!(response.headers()["cache-control"], "max-age=5");
    }
}
