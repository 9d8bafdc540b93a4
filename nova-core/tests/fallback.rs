//! Who answers when an action does not.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nova_core::testing::{self, TestClient};
use nova_core::{
    Access, App, AppBuilder, Environment, Error, Failure, Fallback, Flow, Group, Head, Plugin,
    Reply, Request, Response, Result, Security, bytes, controller, json, redirect, status, text,
    value, view,
};

/// Answers what has this word in it, and hands on the rest.
#[derive(Clone)]
struct Knows(&'static str);

impl Fallback for Knows {
    async fn resolve(&self, failure: Failure, head: &Head) -> Result<Reply, Failure> {
        let known = match (&failure, failure.value::<Word>()) {
            (_, Some(Word(word))) => *word == self.0,
            (Failure::Error(error), _) => error.to_string().contains(self.0),
            _ => false,
        };
        match known {
            true => Ok(text(format!("{} at {}", self.0, head.path()))),
            false => Err(failure),
        }
    }
}

/// A value that nothing renders.
struct Word(&'static str);

struct Notes;

controller!("notes" => Notes { fail, word } fallback Knows("inner"));

impl Notes {
    async fn fail(&self, request: Request) -> Result<Reply> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        Err(Error::new(418, query).with_header("retry-after", 2))
    }

    async fn word(&self, request: Request) -> Reply {
        let query = request.uri().query().unwrap_or_default();
        let mut known = ["inner", "middle", "outer"].into_iter();
        let word = known.find(|known| *known == query);
        value(Word(word.unwrap_or("unknown"))).header("x-own", "yes")
    }
}

/// Three levels, which know `inner`, `middle` and `outer`.
fn app() -> AppBuilder {
    App::builder()
        .environment(Environment::Prod)
        .controller(Notes)
        .named_fallback("middle", Knows("middle"))
        .fallback(Knows("outer"))
        .group(
            Group::new()
                .fallback("middle")
                .routes([("/fail", "notes::fail"), ("/word", "notes::word")]),
        )
}

fn client(app: AppBuilder) -> TestClient {
    TestClient::new(app.build().unwrap())
}

#[tokio::test]
async fn an_error_goes_to_the_controller_then_to_the_group_then_to_the_app() {
    let client = client(app());
    for level in ["inner", "middle", "outer"] {
        let response = client.get(&format!("/fail?{level}")).await;
        assert_eq!(response.text(), format!("{level} at /fail"));
    }
    let response = client.get("/fail?none").await;
    assert_eq!(response.status(), 418);
    assert!(response.text().contains("none"), "{}", response.text());
}

#[tokio::test]
async fn a_value_that_nothing_renders_goes_the_same_way() {
    let client = client(app());
    for level in ["inner", "middle", "outer"] {
        let response = client.get(&format!("/word?{level}")).await;
        assert_eq!(response.status(), 200, "{level}");
        assert_eq!(response.text(), format!("{level} at /word"));
    }
    assert_eq!(client.get("/word?none").await.status(), 500);
}

#[tokio::test]
async fn a_value_with_a_handler_is_no_failure() {
    let app = app().reply_handler(|word: Word, _: Arc<Head>| async move { text(word.0) });
    let response = client(app).get("/word?inner").await;
    assert_eq!(response.text(), "inner");
    assert_eq!(response.header("x-own"), Some("yes"));
}

#[tokio::test]
async fn the_answer_has_the_status_and_headers_of_the_error_unless_it_has_its_own() {
    let response = client(app()).post("/fail?inner").await;
    assert_eq!(response.status(), 418);
    assert_eq!(response.header("retry-after"), Some("2"));

    struct Own;
    impl Fallback for Own {
        async fn resolve(&self, _failure: Failure, _head: &Head) -> Result<Reply, Failure> {
            Ok(redirect("/login").header("retry-after", "9"))
        }
    }
    let app = App::builder()
        .controller(Notes)
        .fallback(Own)
        .route(("/fail", "notes::fail"));
    let response = client(app).get("/fail").await;
    assert_eq!(response.status(), 302);
    assert_eq!(response.header("retry-after"), Some("9"));
}

#[tokio::test]
async fn other_controllers_have_no_part_in_a_fallback() {
    let inner = |_: Request| async { Err::<(), _>(Error::new(409, "inner")) };
    let app = app().route(("/other", inner));
    assert_eq!(client(app).get("/other").await.status(), 409);
}

struct Refuses;

impl Plugin for Refuses {
    async fn pre_request(&self, _request: &mut Request) -> Result<Flow> {
        Err(Error::new(400, "middle: the plugin before"))
    }
}

struct Spoils;

impl Plugin for Spoils {
    async fn post_request(&self, _head: &Head, _response: &mut Response) -> Result<Flow> {
        Err(Error::new(400, "middle: the plugin after"))
    }
}

impl Security for Refuses {
    async fn check(&self, _request: &mut Request) -> Result<Access> {
        Err(Error::new(403, "middle: nobody"))
    }
}

#[tokio::test]
async fn errors_of_plugins_and_of_security_are_the_routes_too() {
    let nothing = |_: Request| async { status(204) };
    for (group, expected) in [
        (Group::new().plugin("refuses", Refuses), 400),
        (Group::new().plugin("spoils", Spoils), 400),
        (Group::new().security("refuses"), 403),
    ] {
        let group = group.fallback("middle").route(("/", nothing));
        let response = client(app().security("refuses", Refuses).group(group));
        let response = response.get("/").await;
        assert_eq!(response.status(), expected);
        assert_eq!(response.text(), "middle at /");
    }
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_no_failure() {
    struct Never;
    impl Security for Never {
        async fn check(&self, _request: &mut Request) -> Result<Access> {
            Ok(Access::denied())
        }
    }
    let group = Group::new()
        .security("never")
        .fallback("all")
        .route(("/", |_: Request| async { status(204) }));
    let app = App::builder()
        .security("never", Never)
        .named_fallback("all", Counts::default())
        .group(group);
    let response = client(app).get("/").await;
    assert_eq!(response.status(), 401);
    assert_eq!(response.text(), "");
}

/// Answers everything with a 503, and counts.
#[derive(Clone, Default)]
struct Counts(Arc<AtomicUsize>);

impl Fallback for Counts {
    async fn resolve(&self, _failure: Failure, _head: &Head) -> Result<Reply, Failure> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(status(503).text("counted"))
    }
}

#[tokio::test]
async fn what_the_router_answers_is_for_status_pages_and_not_for_fallbacks() {
    let page = |_: Request| async { text("a page") };
    let app = App::builder()
        .fallback(Counts::default())
        .route((
            "/",
            |_: Request| async { status(204) },
            nova_core::methods(["get"]),
        ))
        .route((404, page));
    let client = client(app);

    assert_eq!(client.get("/nowhere").await.text(), "a page");
    assert_eq!(client.get("/nowhere").await.status(), 404);
    assert_eq!(client.post("/").await.status(), 405);
}

#[tokio::test]
async fn an_answer_of_a_fallback_without_a_body_has_the_status_page() {
    struct Empty;
    impl Fallback for Empty {
        async fn resolve(&self, _failure: Failure, _head: &Head) -> Result<Reply, Failure> {
            Ok(status(404))
        }
    }
    let app = App::builder()
        .controller(Notes)
        .fallback(Empty)
        .route(("/fail", "notes::fail"))
        .route((404, |_: Request| async { text("a page") }));
    let response = client(app).get("/fail").await;
    assert_eq!(response.status(), 404);
    assert_eq!(response.text(), "a page");
}

#[tokio::test]
async fn a_fallback_that_fails_is_passed_over_and_asked_once() {
    /// Fails in the way that the query says, and counts.
    #[derive(Clone, Default)]
    struct Fails(Arc<AtomicUsize>);
    impl Fallback for Fails {
        async fn resolve(&self, _failure: Failure, head: &Head) -> Result<Reply, Failure> {
            self.0.fetch_add(1, Ordering::Relaxed);
            match head.uri().query() {
                Some("panic") => panic!("in the fallback"),
                Some("view") => Ok(view(&()).named("missing")),
                Some("value") => Ok(value(Word("again"))),
                _ => Err(std::io::Error::other("the disk is gone").into()),
            }
        }
    }
    let (fails, counts) = (Fails::default(), Counts::default());
    let group = Group::new()
        .fallback("fails")
        .route(("/fail", "notes::fail"));
    let both = App::builder()
        .controller(Notes)
        .named_fallback("fails", fails.clone())
        .fallback(counts.clone())
        .group(group);
    let both = client(both);
    let alone = App::builder()
        .environment(Environment::Prod)
        .controller(Notes)
        .fallback(fails.clone())
        .route(("/fail", "notes::fail"));
    let alone = client(alone);
    for (asked, how) in ["panic", "view", "value", "error"].into_iter().enumerate() {
        let path = format!("/fail?{how}");
        assert_eq!(both.get(&path).await.text(), "counted", "{how}");
        assert_eq!(alone.get(&path).await.status(), 500, "{how}");
        assert_eq!(fails.0.load(Ordering::Relaxed), 2 * (asked + 1), "{how}");
        assert_eq!(counts.0.load(Ordering::Relaxed), asked + 1, "{how}");
    }
}

#[tokio::test]
async fn a_router_file_names_the_fallback_of_a_group() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("router.toml");
    let routes = "[[group]]\nfallback = \"middle\"\nroutes = [[\"/f\", \"notes::fail\"]]\n";
    fs::write(&file, routes).unwrap();
    let response = client(app().router_file(&file)).get("/f?middle").await;
    assert_eq!(response.text(), "middle at /f");

    fs::write(&file, routes.replace("\"middle\"", "\"midle\"")).unwrap();
    let told = app().router_file(&file).build().unwrap_err().to_string();
    assert!(
        told.contains("2:12: no fallback is registered as `midle`"),
        "{told}"
    );
    assert!(
        told.contains("a similar name is registered: `middle`"),
        "{told}"
    );

    fs::write(&file, routes.replace("\"middle\"", "7")).unwrap();
    let told = app().router_file(&file).build().unwrap_err().to_string();
    assert!(told.contains("2:12: a fallback is a string"), "{told}");
}

#[tokio::test]
async fn a_reload_that_takes_a_fallback_away_changes_the_routes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("router.toml");
    let routes = "[[group]]\nroutes = [[\"/f\", \"notes::fail\"]]\n";
    fs::write(&file, format!("{routes}fallback = \"middle\"")).unwrap();
    let app = app().router_file(&file).build().unwrap();
    let router = app.router().clone();
    let client = TestClient::new(app);
    fs::write(&file, routes).unwrap();

    assert_eq!(router.reload().unwrap().changed.len(), 1);
    let response = client.get("/f?middle").await;
    assert_ne!(response.text(), "middle at /f");
}

#[test]
fn fallbacks_that_are_there_twice_or_not_at_all_are_mistakes() {
    let nothing = |_: Request| async { status(204) };
    let told = app()
        .fallback(Knows("more"))
        .named_fallback("middle", Knows("more"))
        .group(Group::new().fallback("unheard-of").route(("/", nothing)))
        .build()
        .unwrap_err()
        .to_string();
    for expected in [
        "the app has a fallback already, at ",
        "a fallback is registered as `middle` already",
        "no fallback is registered as `unheard-of`",
        "register it with `.named_fallback(\"unheard-of\", …)`",
    ] {
        assert!(told.contains(expected), "{expected} is not in\n{told}");
    }
}

#[tokio::test]
async fn a_fallback_is_tested_without_an_app() {
    let request = testing::request("GET", "/notes").build();
    let failure = Failure::from(Error::new(409, "inner"));
    let reply = Knows("inner").resolve(failure, request.head()).await;
    assert_eq!(reply.unwrap().body(), b"inner at /notes");

    let failure = Failure::Value(Box::new(value(Word("inner"))));
    let reply = Knows("outer").resolve(failure, request.head()).await;
    assert!(reply.is_err_and(|failure| failure.value::<Word>().is_some()));
}

#[tokio::test]
async fn the_value_may_be_a_reply_of_bytes_to_a_fallback() {
    struct Renders;
    impl Fallback for Renders {
        async fn resolve(&self, failure: Failure, _head: &Head) -> Result<Reply, Failure> {
            let Some(Word(word)) = failure.value() else {
                return Err(failure);
            };
            Ok(bytes(*word).with_status(203))
        }
    }
    let app = App::builder()
        .fallback(Renders)
        .route(("/", |_: Request| async { value(Word("seen")) }))
        .route(("/json", |_: Request| async { json(&1) }));
    let client = client(app);
    let response = client.get("/").await;
    assert_eq!(response.status(), 203);
    assert_eq!(response.text(), "seen");
    assert_eq!(client.get("/json").await.text(), "1");
}
