//! Who gets a socket: the security function of the group is asked before the upgrade.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::testing::{TestClient, TestResponse};
use nova_core::{
    Access, App, Error, Flow, Group, Head, Plugin, Request, Response, Result, Security, protocol,
    redirect,
};
use nova_ws::testing::TestSocket;
use nova_ws::{Accept, AppBuilderExt, Connection, Frame, Outcome, WebSocket, reply};

struct User(String);

struct BySession;

impl Security for BySession {
    async fn check(&self, request: &mut Request) -> Result<Access> {
        let user: Option<String> = request.session().get("user").await?;
        Ok(match user.as_deref() {
            Some("panic") => panic!("in the security function"),
            Some(user) => Access::granted_as(User(user.to_owned())),
            None if request.uri().query() == Some("page") => Access::Denied(redirect("/login")),
            None => Access::denied(),
        })
    }
}

/// Fails for a query that is badly encoded, as a plugin that decodes it may.
struct Decoder;

impl Plugin for Decoder {
    async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
        assert_ne!(request.uri().query(), Some("a=%zz"), "no such query");
        Ok(Flow::Continue)
    }
}

/// Fails or lets through in one of its stages, as the query says.
struct Moody;

impl Plugin for Moody {
    async fn pre_request(&self, request: &mut Request) -> Result<Flow> {
        match request.uri().query() {
            Some("pre-panic") => panic!("before"),
            Some("pre-error") => Err(Error::new(418, "before")),
            Some("pre-break") => Ok(Flow::Break),
            _ => Ok(Flow::Continue),
        }
    }

    async fn post_request(&self, head: &Head, _response: &mut Response) -> Result<Flow> {
        match head.uri().query() {
            Some("post-panic") => panic!("behind"),
            Some("post-error") => Err(Error::new(418, "behind")),
            Some("post-stop") => Ok(Flow::Stop(redirect("/elsewhere"))),
            _ => Ok(Flow::Continue),
        }
    }
}

/// Says who it talks to.
#[derive(Clone)]
struct Greeter(String);

impl WebSocket for Greeter {
    async fn init(&mut self, request: &Request, _conn: &mut Connection) -> Result<Accept> {
        self.0 = request.auth_data::<User>()?.0.clone();
        request.session().insert("seen", &true).await?;
        Ok(Accept::Yes)
    }

    async fn handle(&mut self, _frame: Frame, _conn: &mut Connection) -> Outcome {
        reply(Frame::text(&*self.0))
    }
}

async fn log_in(request: Request) -> Result<()> {
    let user: String = request.binding("user")?;
    request.session().insert("user", &user).await
}

fn client() -> TestClient {
    let guarded = Group::new()
        .plugin("decoder", Decoder)
        .security("by_session")
        .route(("/socket", "greeter", protocol("ws")));
    let moody = Group::new()
        .plugin("moody", Moody)
        .security("by_session")
        .route(("/moody", "greeter", protocol("ws")));
    let app = App::builder()
        .group(moody)
        .security("by_session", BySession)
        .websocket("greeter", Greeter(String::new()))
        .route(("/open", "greeter", protocol("ws")))
        .route(("/login/{user}", log_in))
        .group(guarded);
    TestClient::new(app.build().unwrap())
}

async fn cookie(client: &TestClient, user: &str) -> String {
    let response = client.get(&format!("/login/{user}")).await;
    let set = response.header("set-cookie").unwrap();
    set.split(';').next().unwrap().to_owned()
}

async fn refusal(client: &TestClient, path: &str, cookie: &str) -> TestResponse {
    let request = client.get(path).header("cookie", cookie);
    TestSocket::open(request).await.unwrap_err()
}

#[tokio::test]
async fn who_has_a_session_gets_a_socket_that_knows_them() {
    let client = client();
    let cookie = cookie(&client, "ann").await;
    let request = client.get("/socket").header("cookie", &cookie);
    let mut socket = TestSocket::open(request).await.unwrap();
    socket.send_text("who am I?").await;
    assert_eq!(socket.recv_text().await, "ann");
}

#[tokio::test]
async fn who_may_not_pass_gets_the_answer_and_no_socket() {
    let client = client();
    assert_eq!(refusal(&client, "/socket", "").await.status(), 401);
    let response = refusal(&client, "/socket?page", "").await;
    assert_eq!(response.header("location"), Some("/login"));
    let panics = cookie(&client, "panic").await;
    assert_eq!(refusal(&client, "/socket", &panics).await.status(), 500);
    // A handler that needs to know who it is in a group that does not ask.
    assert_eq!(refusal(&client, "/open", "").await.status(), 500);
}

/// In Nova, a plugin that crashes lets the upgrade through and skips the security function.
#[tokio::test]
async fn a_plugin_that_panics_opens_no_door() {
    let client = client();
    assert_eq!(refusal(&client, "/socket?a=1", "").await.status(), 401);
    assert_eq!(refusal(&client, "/socket?a=%zz", "").await.status(), 500);
}

#[tokio::test]
async fn whatever_fails_in_any_stage_ends_the_request_before_the_upgrade() {
    let client = client();
    let cookie = cookie(&client, "ann").await;
    for (query, expected) in [
        ("pre-panic", 500),
        ("pre-error", 418),
        ("post-panic", 500),
        ("post-error", 418),
        ("post-stop", 302),
    ] {
        let path = format!("/moody?{query}");
        let response = refusal(&client, &path, &cookie).await;
        assert_eq!(response.status(), expected, "{query}");
    }
}

#[tokio::test]
async fn a_break_among_the_plugins_does_not_go_past_the_security_function() {
    let client = client();
    assert_eq!(refusal(&client, "/moody?pre-break", "").await.status(), 401);
    let cookie = cookie(&client, "ann").await;
    let request = client.get("/moody?pre-break").header("cookie", &cookie);
    let mut socket = TestSocket::open(request).await.unwrap();
    socket.send_text("who am I?").await;
    assert_eq!(socket.recv_text().await, "ann");
}
