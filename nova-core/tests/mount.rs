//! Apps within apps: what a mounted app brings, and what it cannot do.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::fs;
use std::path::PathBuf;

use http::HeaderValue;
use nova_core::testing::TestClient;
use nova_core::{
    Access, App, AppBuilder, Environment, Error, Flow, Group, Head, Plugin, Reply, Request,
    Response, Result, Security, Service, ServiceContext, methods, status, text, value, view,
};
use serde_json::json;

/// Adds its name to the header `x-plugins`.
struct Mark(&'static str);

impl Plugin for Mark {
    async fn pre_request(&self, _request: &mut Request) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    async fn post_request(&self, _head: &Head, response: &mut Response) -> Result<Flow> {
        let name = HeaderValue::from_static(self.0);
        response.headers_mut().append("x-plugins", name);
        Ok(Flow::Continue)
    }
}

/// Lets those pass who have this word in `x-key`.
struct Key(&'static str);

impl Security for Key {
    async fn check(&self, request: &mut Request) -> Result<Access> {
        let keys = request.header("x-key").unwrap_or_default();
        Ok(match keys.split(' ').any(|key| key == self.0) {
            true => Access::Granted,
            false => Access::Denied(status(401)),
        })
    }
}

/// Says on the pub/sub that it runs.
struct Says;

impl Service for Says {
    async fn run(&self, context: ServiceContext) -> Result<()> {
        context.pubsub().broadcast("services", "started", "admin");
        context.stopping().wait().await;
        Ok(())
    }
}

#[derive(Debug)]
struct NotFound;

impl std::fmt::Display for NotFound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not found")
    }
}

impl std::error::Error for NotFound {}

struct Xml(&'static str);

fn views(files: &[(&str, &str)]) -> PathBuf {
    let folder = tempfile::tempdir().unwrap().keep();
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
    folder
}

/// The app that is mounted.
fn admin() -> AppBuilder {
    App::builder()
        .views(views(&[(
            "page.html",
            "admin: {{ path_for('user', id=7) }} {{ path_for('home') }}",
        )]))
        .plugin("mark", Mark("inner"))
        .global_plugins(["mark"])
        .security("key", Key("inner"))
        .service("says", Says)
        .reply_handler(|Xml(text): Xml, _head| async move { nova_core::html(text) })
        .error(|_: &NotFound| Error::new(404, "no such user"))
        .action("page", |_| async { view(&json!({})) })
        .group(
            Group::new()
                .route(("/", "page", methods(["get"]).name("index")))
                .route((
                    "/users/{id}",
                    |request: Request| async move {
                        let own = request.path_for("index", &[])?;
                        let outer = request.path_for("home", &[])?;
                        Ok::<_, Error>(format!(
                            "{own} {outer} {}",
                            request.binding::<String>("id")?
                        ))
                    },
                    methods(["get"]).name("user"),
                ))
                .route(("/xml", |_: Request| async { value(Xml("<x/>")) }))
                .route(("/missing", |_: Request| async {
                    Err::<Reply, Error>(NotFound.into())
                }))
                .route((404, |_: Request| async { text("admin has no such page") })),
        )
        .group(
            Group::new()
                .prefix("/secret")
                .security("key")
                .route(("/", |_: Request| async { text("secret") })),
        )
}

/// The app that mounts it, with this `router.toml`.
fn outer(router: &str) -> AppBuilder {
    let folder = tempfile::tempdir().unwrap().keep();
    fs::write(folder.join("router.toml"), router).unwrap();
    App::builder()
        .environment(Environment::Prod)
        .router_file(folder.join("router.toml"))
        .views(views(&[("page.html", "outer")]))
        .plugin("mark", Mark("outer"))
        .security("key", Key("outer"))
        .action("page", |_| async { view(&json!({})) })
        .action("none", |_| async { text("nothing here") })
        .mount("admin", admin)
}

const ROUTER: &str = r#"
plugins = ["mark"]

[[group]]
routes = [["/", "page", { name = "home" }], [404, "none"]]

[[group]]
prefix = "/admin/{shop}"
security = "key"
apps = ["admin"]
"#;

fn client() -> TestClient {
    let app = outer(&ROUTER.replace("/{shop}", ""));
    TestClient::new(app.build().unwrap_or_else(|errors| panic!("{errors}")))
}

async fn get(client: &TestClient, path: &str) -> (u16, String) {
    let response = client.get(path).header("x-key", "outer").await;
    (response.status().as_u16(), response.text().to_owned())
}

#[tokio::test]
async fn a_mounted_app_answers_below_its_prefix_with_its_own_views_handlers_and_mappings() {
    let client = client();
    for (path, expected) in [
        ("/", (200, "outer")),
        ("/admin", (200, "admin: /admin/users/7 /")),
        ("/admin/users/3", (200, "/admin / 3")),
        ("/admin/xml", (200, "<x/>")),
        ("/admin/missing", (404, "admin has no such page")),
        ("/users/3", (404, "nothing here")),
        ("/admin/nothing", (404, "admin has no such page")),
        ("/nothing", (404, "nothing here")),
    ] {
        let (status, text) = get(&client, path).await;
        assert_eq!((status, &*text), expected, "{path}");
    }
}

#[tokio::test]
async fn the_security_of_the_group_is_asked_before_that_of_the_app() {
    let client = client();
    for (key, path, expected) in [
        ("", "/admin", 401),
        ("inner", "/admin", 401),
        ("outer", "/admin", 200),
        ("outer", "/admin/secret", 401),
        ("inner", "/admin/secret", 401),
        ("outer inner", "/admin/secret", 200),
    ] {
        let response = client.get(path).header("x-key", key).await;
        assert_eq!(response.status(), expected, "{key} {path}");
    }
}

#[tokio::test]
async fn the_plugins_of_the_group_run_before_those_of_the_app() {
    let client = client();
    let plugins = async |path| {
        let response = client.get(path).header("x-key", "outer").await;
        let marks = response.headers().get_all("x-plugins").iter();
        let marks: Vec<_> = marks
            .map(|mark| mark.to_str().unwrap().to_owned())
            .collect();
        marks.join(" ")
    };
    assert_eq!(plugins("/").await, "outer");
    assert_eq!(plugins("/admin").await, "outer inner");
    // What no route answers belongs to nobody but the whole app.
    assert_eq!(plugins("/admin/nothing").await, "outer");
}

#[tokio::test]
async fn the_services_of_a_mounted_app_run_with_the_others() {
    let app = outer(&ROUTER.replace("/{shop}", "")).build().unwrap();
    let mut mailbox = app.pubsub().mailbox();
    mailbox.join("services");
    let _client = TestClient::new(app);
    assert!(mailbox.recv().await.is_some());
}

#[tokio::test]
async fn an_app_can_be_mounted_twice_below_other_prefixes_and_inside_another() {
    let leaf = || App::builder().route(("/leaf", |_: Request| async { text("leaf") }));
    let branch = move || {
        App::builder()
            .mount("leaf", leaf)
            .group(Group::new().prefix("/x").app("leaf"))
            .group(Group::new().prefix("/y").app("leaf"))
    };
    let app = App::builder()
        .mount("branch", branch)
        .group(Group::new().prefix("/b").app("branch"))
        .build()
        .unwrap();
    let routes = app.router().routes();
    let shown: Vec<_> = routes
        .iter()
        .map(|route| (&*route.path, route.app.as_deref()))
        .collect();
    assert_eq!(
        shown,
        [
            ("/b/x/leaf", Some("branch::leaf")),
            ("/b/y/leaf", Some("branch::leaf"))
        ]
    );
    let client = TestClient::new(app);
    assert_eq!(client.get("/b/y/leaf").await.text(), "leaf");
}

#[tokio::test]
async fn the_prefix_of_a_mounted_app_may_bind() {
    let app = App::builder()
        .mount("shop", || {
            App::builder().route(("/goods/{id}", |request: Request| async move {
                let shop: String = request.binding("shop")?;
                Ok::<_, Error>(format!("{shop} {}", request.binding::<String>("id")?))
            }))
        })
        .group(Group::new().prefix("/{shop}").app("shop"));
    let client = TestClient::new(app.build().unwrap());
    assert_eq!(client.get("/toys/goods/7").await.text(), "toys 7");
}

#[tokio::test]
async fn the_group_limits_what_a_mounted_app_may_take() {
    async fn length(mut request: Request) -> Result<String> {
        Ok(request.body().await?.len().to_string())
    }
    let app = App::builder()
        .mount("inner", || {
            App::builder()
                .group(Group::new().body_limit(100).route(("/wide", length)))
                .group(Group::new().body_limit(5).route(("/narrow", length)))
        })
        .group(Group::new().body_limit(10).app("inner"));
    let client = TestClient::new(app.build().unwrap());
    for (path, length, expected) in [
        ("/wide", 10, 200),
        ("/wide", 11, 413),
        ("/narrow", 5, 200),
        ("/narrow", 6, 413),
    ] {
        let response = client.post(path).body(vec![b'x'; length]).await;
        assert_eq!(response.status(), expected, "{path} {length}");
    }
}

/// What is told of an app.
fn told(app: AppBuilder) -> String {
    app.build().unwrap_err().to_string()
}

fn itself() -> AppBuilder {
    App::builder()
        .mount("again", itself)
        .group(Group::new().app("again"))
}

#[test]
fn an_app_that_mounts_itself_is_a_mistake() {
    let app = App::builder()
        .mount("first", itself)
        .group(Group::new().app("first"));
    let told = told(app);
    assert!(told.ends_with("the app `again` mounts itself"), "{told}");
}

fn one() -> AppBuilder {
    App::builder()
        .mount("other", other)
        .group(Group::new().prefix("/other").app("other"))
}

fn other() -> AppBuilder {
    App::builder()
        .mount("one", one)
        .group(Group::new().prefix("/one").app("one"))
}

#[test]
fn apps_that_mount_each_other_are_one_mistake_that_says_by_which_way() {
    let told = told(one());
    assert_eq!(told.lines().count(), 1, "{told}");
    let said = "the app `other` mounts itself through `other::one`";
    assert!(told.contains(said), "{told}");
}

#[test]
fn what_is_wrong_with_mounting_says_what_to_write() {
    let empty = || App::builder().route(("/", |_: Request| async { text("") }));
    for (app, said) in [
        (
            outer(
                "[[group]]\napps = [\"admn\"]\nroutes = [[\"/\", \"page\", { name = \"home\" }]]",
            ),
            "router.toml:2:9: no app is registered as `admn`",
        ),
        (
            outer("[[group]]\napps = [5]\nroutes = [[\"/\", \"page\"]]"),
            "a mounted app is a string, such as `\"admin\"`",
        ),
        (
            App::builder().mount("empty", empty),
            "the app `empty` is mounted, and no group has it: name it in one, with `apps = [\"empty\"]`",
        ),
        (
            App::builder().group(Group::new().app("zzz")),
            "mount it with `.mount(\"zzz\", …)`",
        ),
        (
            App::builder()
                .mount("empty", empty)
                .mount("empty", empty)
                .group(Group::new().app("empty")),
            "an app is registered as `empty` already",
        ),
        (
            App::builder()
                .mount("empty", empty)
                .route(("/", |_: Request| async { text("") }))
                .group(Group::new().app("empty")),
            "another route answers some methods of `/` already",
        ),
        (
            App::builder()
                .mount("hosted", || {
                    App::builder().group(
                        Group::new()
                            .host("b.org")
                            .route(("/", |_: Request| async { text("") })),
                    )
                })
                .group(Group::new().host("a.org").app("hosted")),
            "the app `hosted` has routes for the host `b.org`, which is not within `a.org`",
        ),
        (
            App::builder()
                .mount("set", || {
                    let mut app = App::builder();
                    app.settings::<std::collections::BTreeMap<String, String>>();
                    app
                })
                .group(Group::new().app("set")),
            "read them there, with `.settings_of::<T>(\"set\")`",
        ),
    ] {
        let told = told(app);
        assert!(told.contains(said), "{said}\nis not in\n{told}");
    }
}

#[derive(Default, serde::Deserialize, PartialEq, Debug)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    title: String,
    page_size: u32,
}

fn with_settings(nova: &str) -> (AppBuilder, Settings) {
    let folder = tempfile::tempdir().unwrap().keep();
    fs::write(folder.join("nova.toml"), nova).unwrap();
    let mut app = App::builder()
        .environment(Environment::Dev)
        .config_file(folder.join("nova.toml"))
        .mount("admin", || {
            App::builder().route(("/", |_: Request| async { text("") }))
        })
        .group(Group::new().app("admin"));
    let settings = app.settings_of("admin");
    (app, settings)
}

#[test]
fn the_settings_of_a_mounted_app_have_a_table_of_its_own() {
    let (app, settings) = with_settings(
        "[apps.admin]\ntitle = \"Office\"\npage_size = 5\n[dev.apps.admin]\npage_size = 7",
    );
    let expected = Settings {
        title: "Office".to_owned(),
        page_size: 7,
    };
    assert_eq!(settings, expected);
    app.build().unwrap();
}

#[test]
fn mistakes_in_the_settings_of_a_mounted_app_are_told_with_their_place() {
    for (nova, said) in [
        (
            "[apps.admin]\npage_sise = 5",
            "nova.toml:2:1: `[apps.admin]` has no key `page_sise`",
        ),
        (
            "[prod.apps.admin]\npage_size = \"x\"",
            "nova.toml:2:13: `page_size` is wrong",
        ),
        (
            "[apps.amdin]\npage_size = 5",
            "nobody reads the settings of an app `amdin`",
        ),
        ("[apps]\nadmin = 5", "`admin` is a table of settings"),
    ] {
        let told = told(with_settings(nova).0);
        assert!(told.contains(said), "{said}\nis not in\n{told}");
    }
}
