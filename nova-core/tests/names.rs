//! Named routes give paths back, and names that are none are told when the app is built.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::fs;

use nova_core::testing::TestClient;
use nova_core::{App, AppBuilder, Group, Request, Result, methods, redirect, view};

async fn show(request: Request) -> Result<String> {
    request.binding("id")
}

fn builder() -> AppBuilder {
    App::builder().group(
        Group::new()
            .prefix("/api/{version}")
            .route(("/notes/{id}", show, methods(["get"]).name("note")))
            .route(("/notes/{id}", show, methods(["put"]).name("note")))
            .route(("/files/{*rest}", show, methods(["get"]).name("file"))),
    )
}

#[tokio::test]
async fn a_request_makes_the_path_of_a_named_route() {
    let app = builder().route(("/latest", |request: Request| async move {
        let path = request.path_for("note", &[("version", &"v1"), ("id", &"a b/c")])?;
        Ok::<_, nova_core::Error>(redirect(&path))
    }));
    let client = TestClient::new(app.build().unwrap());
    let response = client.get("/latest").await;
    let location = response.header("location").unwrap();
    assert_eq!(location, "/api/v1/notes/a%20b%2Fc");
    assert_eq!(client.get(location).await.text(), "a b/c");
}

#[tokio::test]
async fn a_name_that_is_none_is_a_500_that_the_log_explains() {
    let app = builder();
    let router = app.build().unwrap().router().clone();
    for (name, said) in [
        ("nots", "a similar name is `note`"),
        ("note", "needs a value for `version`"),
    ] {
        let error = router.path_for(name, &[]).unwrap_err();
        assert_eq!(error.status(), 500);
        assert!(error.to_string().contains(said), "{error}");
    }
}

fn with_view(text: &str) -> AppBuilder {
    let folder = tempfile::tempdir().unwrap().keep();
    fs::write(folder.join("page.html"), text).unwrap();
    builder()
        .views(folder)
        .action("page", |_| async {
            view(&serde_json::json!({ "id": "7&8" }))
        })
        .route(("/page", "page"))
}

#[tokio::test]
async fn a_view_makes_the_path_of_a_named_route() {
    let text = r#"<a href="{{ path_for("note", version="v1", id=id) }}">"#;
    let client = TestClient::new(with_view(text).build().unwrap());
    let page = client.get("/page").await;
    assert_eq!(page.text(), r#"<a href="/api/v1/notes/7%268">"#);
}

#[tokio::test]
async fn a_path_in_a_view_is_what_the_kind_of_the_view_wants() {
    for (name, expected) in [
        ("page.html", "/a&amp;b&#39;c"),
        ("page.js", "\"/a\\u0026b'c\""),
        ("page.txt", "/a&b'c"),
    ] {
        let folder = tempfile::tempdir().unwrap().keep();
        fs::write(folder.join(name), "{{ path_for('odd') }}").unwrap();
        let app = App::builder()
            .views(folder)
            .route(("/a&b'c", show, methods(["get"]).name("odd")))
            .route(("/page", move |_: Request| async move {
                view(&serde_json::json!({})).named(name)
            }));
        let client = TestClient::new(app.build().unwrap());
        assert_eq!(client.get("/page").await.text(), expected, "{name}");
    }
}

#[tokio::test]
async fn a_path_of_nothing_is_a_500_and_no_path() {
    for value in ["none", "''", "'..'"] {
        let text = format!("{{{{ path_for('note', version='v1', id={value}) }}}}");
        let client = TestClient::new(with_view(&text).build().unwrap());
        assert_eq!(client.get("/page").await.status(), 500, "{value}");
    }
}

#[test]
fn a_view_that_names_no_route_or_no_binding_is_told_at_build() {
    for (text, said) in [
        (
            "\n {{ path_for('nots', id=1) }}",
            "page.html:2:15: no route is called `nots`",
        ),
        (
            "{{ path_for('note', id=1) }}",
            "page.html:1:14: the path of the route `note`, `/api/{version}/notes/{id}`, needs a value \
             for `version`",
        ),
        (
            "{{ path_for('note', version=1, ident=2, id=3) }}",
            "has no `ident`: it binds `version` and `id`",
        ),
        ("{{ path_for('nots', **all) }}", "no route is called `nots`"),
    ] {
        let errors = with_view(text).build().unwrap_err().to_string();
        assert!(errors.contains(said), "{said}\nis not in\n{errors}");
    }
}

#[test]
fn a_mistake_in_a_route_is_not_told_of_the_views_that_name_it() {
    let app = with_view("{{ path_for('late') }}").route((
        "/late",
        "nobody",
        methods(["get"]).name("late"),
    ));
    let errors = app.build().unwrap_err().to_string();
    assert!(
        errors.contains("no action is registered as `nobody`"),
        "{errors}"
    );
    assert!(!errors.contains("late`"), "{errors}");
}

#[test]
fn one_name_for_two_paths_names_both_places() {
    let app = builder().route(("/other", show, methods(["get"]).name("note")));
    let errors = app.build().unwrap_err().to_string();
    let said = "a route with another path is named `note` already";
    assert!(errors.contains(said), "{errors}");
    assert_eq!(errors.matches("tests/names.rs").count(), 2, "{errors}");
}
