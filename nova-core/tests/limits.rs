//! Limits of the app, of groups and of routes, those of a protocol among them.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::fs;
use std::sync::Arc;

use nova_core::testing::TestClient;
use nova_core::{
    App, AppBuilder, BoxFuture, Extension, Group, Head, Opening, Plugin, ProtocolHandler,
    ProtocolLimits, ProtocolRoute, Request, Result, methods, protocol, status,
};
use serde::Deserialize;

/// The limits of the protocol `pipe`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PipeLimits {
    width: u32,
}

impl ProtocolLimits for PipeLimits {
    const PROTOCOL: &'static str = "pipe";

    fn check(&self) -> Result<(), String> {
        match self.width {
            0 => Err("a `width` of 0 lets nothing through: leave it out".to_owned()),
            _ => Ok(()),
        }
    }
}

/// Answers with what concerns its route.
#[derive(Default)]
struct Pipe {
    concerns: String,
}

/// What a plugin does for a pipe.
#[derive(Clone)]
struct Valve(&'static str);

impl ProtocolHandler for Pipe {
    fn claims(&self, _head: &Head) -> bool {
        true
    }

    fn for_route(
        &self,
        route: &ProtocolRoute<'_>,
    ) -> Result<Option<Arc<dyn ProtocolHandler>>, String> {
        if route.info().path == "/forbidden" {
            return Err("a pipe has another path".to_owned());
        }
        let mut concerns = vec![route.info().path.clone()];
        let limits = route.limits::<PipeLimits>();
        concerns.extend(limits.map(|limits| limits.width.to_string()));
        concerns.extend(route.extensions::<Valve>().map(|valve| valve.0.to_owned()));
        let concerns = concerns.join(" ");
        Ok(Some(Arc::new(Pipe { concerns })))
    }

    fn open(&self, _request: Request) -> BoxFuture<'_, Result<Opening>> {
        let reply = status(200).text(self.concerns.clone());
        Box::pin(async move { Ok(Opening::Refused(reply)) })
    }
}

struct WithValve(&'static str);

impl Plugin for WithValve {
    fn extension(&self) -> Option<Extension> {
        Some(Arc::new(Valve(self.0)))
    }
}

async fn length(mut request: Request) -> Result<String> {
    Ok(request.body().await?.len().to_string())
}

fn builder() -> AppBuilder {
    App::builder()
        .protocol_handler("pipe", "pipe", Pipe::default())
        .protocol_limits::<PipeLimits>()
        .action("length", length)
}

fn with_file(builder: AppBuilder, router: &str) -> Result<TestClient, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("router.toml");
    fs::write(&file, router).unwrap();
    let built = builder.router_file(&file).build();
    built.map(TestClient::new).map_err(|errors| {
        let folder = format!("{}/", folder.path().display());
        errors.to_string().replace(&folder, "")
    })
}

#[tokio::test]
async fn a_handler_gets_the_limits_of_its_route_the_weakest_first() {
    let router = r#"
limits = { pipe = { width = 1 } }

[[group]]
limits = { pipe = { width = 2 } }
routes = [
    ["/in", "pipe", { protocol = "pipe", limits = { pipe = { width = 3 } } }],
    ["/out", "pipe", { protocol = "pipe" }],
]

[[group]]
routes = [["/other", "pipe", { protocol = "pipe" }]]
"#;
    let client = with_file(builder().limits(PipeLimits { width: 9 }), router).unwrap();

    assert_eq!(client.get("/in").await.text(), "/in 9 1 2 3");
    assert_eq!(client.get("/out").await.text(), "/out 9 1 2");
    assert_eq!(client.get("/other").await.text(), "/other 9 1");
}

#[tokio::test]
async fn limits_in_rust_are_the_same() {
    let group = Group::new().limits(PipeLimits { width: 2 }).route((
        "/in",
        "pipe",
        protocol("pipe").limits(PipeLimits { width: 3 }),
    ));
    let app = builder().limits(PipeLimits { width: 1 }).group(group);
    let client = TestClient::new(app.build().unwrap());

    assert_eq!(client.get("/in").await.text(), "/in 1 2 3");
}

#[tokio::test]
async fn who_mounts_an_app_has_the_last_word() {
    let inner = || {
        let group =
            Group::new()
                .limits(PipeLimits { width: 2 })
                .route(("/in", "pipe", protocol("pipe")));
        builder().limits(PipeLimits { width: 1 }).group(group)
    };
    let app = App::builder()
        .limits(PipeLimits { width: 3 })
        .mount("inner", inner)
        .group(Group::new().limits(PipeLimits { width: 4 }).app("inner"));
    let client = TestClient::new(app.build().unwrap());

    assert_eq!(client.get("/in").await.text(), "/in 1 2 3 4");
}

#[tokio::test]
async fn a_body_has_the_limit_of_its_route_or_of_its_group_or_of_the_file() {
    let router = r#"
limits = { body_limit = 1 }

[[group]]
limits = { body_limit = 2 }
routes = [
    ["/route", "length", { limits = { body_limit = 3 } }],
    ["/group", "length"],
]

[[group]]
routes = [["/file", "length"]]
"#;
    let client = with_file(builder(), router).unwrap();
    for (path, limit) in [("/route", 3), ("/group", 2), ("/file", 1)] {
        let fits = client.post(path).body(vec![b'x'; limit]).await;
        let more = client.post(path).body(vec![b'x'; limit + 1]).await;
        assert_eq!(
            (fits.status(), more.status().as_u16()),
            (http::StatusCode::OK, 413),
            "{path}"
        );
    }
    let options = methods(["post"]).body_limit(4);
    let app = builder().route(("/", length, options)).build().unwrap();
    let client = TestClient::new(app);
    assert_eq!(client.post("/").body("1234").await.status(), 200);
    assert_eq!(client.post("/").body("12345").await.status(), 413);
}

#[tokio::test]
async fn a_handler_gets_what_the_plugins_of_its_route_bring_in_their_order() {
    let app = builder().group(
        Group::new()
            .plugin("first", WithValve("a"))
            .plugin("second", WithValve("b"))
            .route(("/in", "pipe", protocol("pipe"))),
    );
    let client = TestClient::new(app.build().unwrap());

    assert_eq!(client.get("/in").await.text(), "/in a b");
}

#[test]
fn a_mistake_in_limits_says_where_and_what_instead() {
    let route = r#"routes = [["/in", "pipe", { protocol = "pipe" }]]"#;
    for (router, expected) in [
        (
            format!("[[group]]\nlimits = {{ pip = {{ width = 1 }} }}\n{route}"),
            "2:12: `limits` has no key `pip`",
        ),
        (
            format!("[[group]]\nlimits = {{ pipe = {{ widht = 1 }} }}\n{route}"),
            "2:21: `pipe` has no key `widht`",
        ),
        (
            format!("[[group]]\nlimits = {{ pipe = 1 }}\n{route}"),
            "2:19: `pipe` is a table of limits, not an integer",
        ),
        (
            format!("limits = {{ pipe = {{ width = 0 }} }}\n[[group]]\n{route}"),
            "1:12: the limits of `pipe` are wrong: a `width` of 0 lets nothing through",
        ),
        (
            "[[group]]\nroutes = [[\"/\", \"length\", { limits = { pipe = { width = 1 } } }]]"
                .to_owned(),
            "the limits of `pipe` are for routes with `protocol = \"pipe\"`, and this one answers by \
             `http`",
        ),
        (
            "[[group]]\nroutes = [[\"/forbidden\", \"pipe\", { protocol = \"pipe\" }]]".to_owned(),
            "2:11: a pipe has another path",
        ),
    ] {
        let told = with_file(builder(), &router).map(|_| ()).unwrap_err();
        assert!(told.contains(expected), "{router}\nis told as\n{told}");
    }
}
