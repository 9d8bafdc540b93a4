//! Pages from templates.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::fs;

use nova_core::testing::TestClient;
use nova_core::{App, Environment, Group, Reply, Request, controller, json, view};
use serde_json::json;
use tempfile::TempDir;

struct Pages;

controller!("pages" => Pages { index, other, missing, wrong, no_view });

impl Pages {
    async fn index(&self, _request: Request) -> Reply {
        view(&json!({ "title": "<script>alert('a & b')</script>" }))
    }

    async fn other(&self, _request: Request) -> Reply {
        view(&json!({ "title": "x" }))
            .named("notes/form")
            .with_status(422)
            .header("x-own", "yes")
    }

    async fn missing(&self, _request: Request) -> Reply {
        view(&()).named("notes/from")
    }

    async fn wrong(&self, _request: Request) -> Reply {
        view(&json!({ "tilte": "x" }))
    }

    async fn no_view(&self, _request: Request) -> Reply {
        json("x").named("pages")
    }
}

fn views(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    folder
}

const FILES: [(&str, &str); 4] = [
    (
        "pages.html",
        "{% extends \"layout.html\" %}{% block main %}<h1>{{ title }}</h1>{% endblock %}",
    ),
    (
        "layout.html",
        "<style>{% include \"main.css\" %}</style>{% block main %}{% endblock %}",
    ),
    ("main.css", "a > b { content: '&' }"),
    ("notes/form.html", "form {{ title }}"),
];

fn client(folder: &TempDir) -> TestClient {
    let group = Group::new().routes([
        ("/", "pages::index"),
        ("/other", "pages::other"),
        ("/missing", "pages::missing"),
        ("/wrong", "pages::wrong"),
        ("/no_view", "pages::no_view"),
    ]);
    let app = App::builder()
        .environment(Environment::Prod)
        .views(folder.path())
        .controller(Pages)
        .group(group);
    TestClient::new(app.build().unwrap())
}

#[tokio::test]
async fn a_view_is_named_after_its_controller_and_escapes_what_it_shows() {
    let folder = views(&FILES);
    let response = client(&folder).get("/").await;

    assert_eq!(response.status(), 200);
    assert_eq!(
        response.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(
        response.text(),
        "<style>a > b { content: '&' }</style>\
         <h1>&lt;script&gt;alert(&#x27;a &amp; b&#x27;)&lt;&#x2f;script&gt;</h1>"
    );
}

#[tokio::test]
async fn a_reply_can_name_another_view_and_have_a_status_and_headers() {
    let folder = views(&FILES);
    let response = client(&folder).get("/other").await;

    assert_eq!(response.status(), 422);
    assert_eq!(response.header("x-own"), Some("yes"));
    assert_eq!(response.text(), "form x");
}

#[tokio::test]
async fn what_cannot_be_rendered_is_a_500_that_tells_nothing() {
    let folder = views(&FILES);
    let client = client(&folder);
    for path in ["/missing", "/wrong", "/no_view"] {
        let response = client.get(path).await;
        assert_eq!(response.status(), 500, "{path}");
        assert!(!response.text().contains("view"), "{path}");
    }
}

#[test]
fn mistakes_in_views_are_told_at_launch_with_their_place() {
    let folder = views(&[
        ("a.html", "one\n{{ title }\n"),
        ("b.html", "{% if x %}\nnever ended\n"),
        (".hidden.html", "{{ not looked at }"),
        ("backup.html~", "{{ neither"),
    ]);
    fs::write(folder.path().join("c.html"), b"one\nt\xffo").unwrap();
    let told = App::builder().views(folder.path()).build().unwrap_err();

    assert_eq!(told.iter().count(), 3, "{told}");
    let told = told.to_string();
    for expected in [
        "a.html:2:",
        "2 | {{ title }",
        "b.html:",
        "c.html:2:2: from here on",
    ] {
        assert!(told.contains(expected), "{expected} is not in\n{told}");
    }

    let folder = views(&[
        (
            "a.html",
            "{% extends 'layuot.html' %}\n{%- include \"b.html\" %}{% include x %}",
        ),
        ("b.html", "{% include 'maybe.html' ignore missing %}"),
        ("layout.html", "{% from \"macros.html\" import field %}"),
    ]);
    let told = App::builder().views(folder.path()).build().unwrap_err();
    assert_eq!(told.iter().count(), 2, "{told}");
    let told = told.to_string();
    for expected in [
        "a.html:1:13: there is no view `layuot.html`",
        "help: a similar name exists: `layout.html`",
        "layout.html:1:10: there is no view `macros.html`",
    ] {
        assert!(told.contains(expected), "{expected} is not in\n{told}");
    }

    let told = App::builder().views("nowhere").build().unwrap_err();
    assert!(
        told.to_string().contains("`nowhere` cannot be read"),
        "{told}"
    );
}

#[tokio::test]
async fn what_is_no_code_in_a_view_names_nothing() {
    let page = "{# {% include 'old.html' %} {{ path_for('nots') }} #}\
                {% raw %}{% include 'a' %}{{ path_for('b') }}{% endraw %}";
    let folder = views(&[("page.html", page)]);
    let app = App::builder()
        .views(folder.path())
        .action("page", |_| async { view(&()) })
        .route(("/", "page"));
    let client = TestClient::new(app.build().unwrap());
    let shown = client.get("/").await.text().to_owned();
    assert_eq!(shown, "{% include 'a' %}{{ path_for('b') }}");
}

#[tokio::test]
async fn values_are_escaped_by_what_the_file_is() {
    let value = "{{ title }}";
    let names = [
        "x.html.j2",
        "X.HTML",
        "x.xhtml",
        "x",
        "x.svg",
        "x.js",
        "x.txt",
        "x.css",
    ];
    let folder = views(&names.map(|name| (name, value)));
    for (name, expected, content_type) in [
        ("x.html.j2", "&lt;b&gt;", "text/html; charset=utf-8"),
        ("X.HTML", "&lt;b&gt;", "text/html; charset=utf-8"),
        ("x.xhtml", "&lt;b&gt;", "text/html; charset=utf-8"),
        ("x", "&lt;b&gt;", "text/html; charset=utf-8"),
        ("x.svg", "&lt;b&gt;", "image/svg+xml"),
        (
            "x.js",
            r#""\u003cb\u003e""#,
            "text/javascript; charset=utf-8",
        ),
        ("x.txt", "<b>", "text/plain; charset=utf-8"),
        ("x.css", "<b>", "text/css; charset=utf-8"),
    ] {
        let page = move |_: Request| async move { view(&json!({ "title": "<b>" })).named(name) };
        let app = App::builder().views(folder.path()).route(("/", page));
        let response = TestClient::new(app.build().unwrap()).get("/").await;
        assert_eq!(response.text(), expected, "{name}");
        assert_eq!(
            response.header("content-type"),
            Some(content_type),
            "{name}"
        );
    }
}

#[cfg(unix)]
#[test]
fn links_that_lead_back_are_followed_once() {
    let folder = views(&[("a.html", "a")]);
    for name in ["loop", "again"] {
        std::os::unix::fs::symlink(folder.path(), folder.path().join(name)).unwrap();
    }
    App::builder().views(folder.path()).build().unwrap();
}
