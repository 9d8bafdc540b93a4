//! What the app remembers of a client, and the cookie by which it knows it.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::sync::Arc;

use nova_core::testing::{TestClient, TestResponse};
use nova_core::{App, Group, Head, Reply, Request, Result, json, redirect, status};
use tokio::sync::mpsc;

async fn show(request: Request) -> Result<Reply> {
    let user: Option<String> = request.session().get("user").await?;
    Ok(json(&user))
}

async fn log_in(request: Request) -> Result<Reply> {
    let session = request.session();
    session.log_in("ann").await?;
    session.insert("user", "ann").await?;
    Ok(redirect("/"))
}

async fn log_out(request: Request) -> Result<Reply> {
    request.session().end().await?;
    Ok(redirect("/"))
}

async fn rotate(request: Request) -> Result<()> {
    request.session().rotate().await
}

async fn forget(request: Request) -> Result<Reply> {
    request.session().remove("user").await?;
    Ok(status(204))
}

async fn log_in_and_panic(mut request: Request) -> Result<Reply> {
    request.extensions_mut().insert(1); // the head is another from here on
    request.session().insert("user", "bob").await?;
    panic!("too late");
}

fn client() -> TestClient {
    let group = Group::new()
        .route(("/", show))
        .route(("/untouched", |_: Request| async { "x" }))
        .route(("/login", log_in))
        .route(("/logout", log_out))
        .route(("/rotate", rotate))
        .route(("/forget", forget))
        .route(("/panic", log_in_and_panic));
    TestClient::new(App::builder().group(group).build().unwrap())
}

/// What the answer sets, and the `name=value` to send back.
fn cookie(response: &TestResponse) -> (String, String) {
    let set = response.header("set-cookie").unwrap().to_owned();
    let pair = set.split(';').next().unwrap().to_owned();
    (set, pair)
}

#[tokio::test]
async fn a_session_begins_when_it_is_written_and_its_cookie_is_guarded() {
    let client = client();
    for path in ["/", "/untouched", "/logout", "/forget", "/nowhere"] {
        assert_eq!(client.get(path).await.header("set-cookie"), None, "{path}");
    }
    let (set, pair) = cookie(&client.post("/login").await);
    let id = pair.strip_prefix("session_id=").unwrap();
    assert_eq!(id.len(), 87, "256 bits and their signature in base64");
    assert_eq!(set, format!("{pair}; HttpOnly; SameSite=Lax; Path=/"));

    let response = client.get("/").header("cookie", &pair).await;
    assert_eq!(response.text(), r#""ann""#);
    assert_eq!(
        response.header("set-cookie"),
        None,
        "the client has it already"
    );
    assert_eq!(client.get("/").await.text(), "null");
}

#[tokio::test]
async fn an_id_that_a_client_invents_is_never_taken_over() {
    let client = client();
    let invented = format!("session_id={}", "A".repeat(43));
    let response = client.post("/login").header("cookie", &invented).await;
    let (_, pair) = cookie(&response);

    assert_ne!(pair, invented);
    assert_eq!(
        client.get("/").header("cookie", &invented).await.text(),
        "null"
    );
    for malformed in [
        "session_id",
        "session_id=%%%",
        "=;=;;",
        "\"",
        "session_id=x; =",
        "ü",
    ] {
        let response = client.get("/").header("cookie", malformed).await;
        assert_eq!(
            (response.status().as_u16(), response.text()),
            (200, "null"),
            "{malformed}"
        );
    }
    // Nor one whose signature is another's.
    let other = cookie(&client.post("/login").await).1;
    let (id, _) = pair.split_once('.').unwrap();
    let (_, signature) = other.split_once('.').unwrap();
    let mixed = format!("{id}.{signature}");
    for cookie in [id, &mixed] {
        let response = client.get("/").header("cookie", cookie).await;
        assert_eq!(response.text(), "null", "{cookie}");
    }
    // Others' cookies, also of the same name, do not hide it.
    let among = format!("ü=ü; a=b; {}{pair}; c", format!("{invented}; ").repeat(20));
    assert_eq!(
        client.get("/").header("cookie", &among).await.text(),
        r#""ann""#
    );
    let request = client
        .get("/")
        .header("cookie", "a=b")
        .header("cookie", &pair);
    assert_eq!(request.await.text(), r#""ann""#);
}

#[tokio::test]
async fn logging_in_makes_the_old_id_worthless_and_logging_out_ends_it() {
    let client = client();
    let (_, before) = cookie(&client.post("/login").await);
    let (_, after) = cookie(&client.post("/login").header("cookie", &before).await);
    assert_ne!(before, after);
    assert_eq!(
        client.get("/").header("cookie", &before).await.text(),
        "null"
    );
    assert_eq!(
        client.get("/").header("cookie", &after).await.text(),
        r#""ann""#
    );

    let (set, _) = cookie(&client.post("/logout").header("cookie", &after).await);
    assert_eq!(
        set,
        "session_id=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0"
    );
    assert_eq!(
        client.get("/").header("cookie", &after).await.text(),
        "null"
    );
}

#[tokio::test]
async fn a_value_can_be_forgotten_and_the_session_stays() {
    let client = client();
    let (_, pair) = cookie(&client.post("/login").await);
    let response = client.get("/forget").header("cookie", &pair).await;
    assert_eq!(response.header("set-cookie"), None);
    assert_eq!(client.get("/").header("cookie", &pair).await.text(), "null");
}

#[tokio::test]
async fn what_was_written_counts_whatever_becomes_of_the_request() {
    let client = client();
    let response = client.get("/panic").await;
    assert_eq!(response.status(), 500);
    let (_, pair) = cookie(&response);
    assert_eq!(
        client.get("/").header("cookie", &pair).await.text(),
        r#""bob""#
    );
}

#[tokio::test]
async fn a_request_that_a_login_overtakes_neither_fails_silently_nor_takes_its_place() {
    async fn touch(request: Request) -> Result<()> {
        request.session().insert("touched", &true).await
    }
    let app = App::builder()
        .route(("/touch", touch))
        .route(("/login", log_in));
    let client = TestClient::new(app.route(("/", show)).build().unwrap());
    let (_, before) = cookie(&client.get("/touch").await);
    let (_, after) = cookie(&client.get("/login").header("cookie", &before).await);

    let late = client.get("/touch").header("cookie", &before).await;
    assert_eq!(late.status(), 409);
    assert_eq!(late.header("set-cookie"), None, "the login's cookie stays");
    // But who logs in again, because the answer was lost, does get in.
    let (_, again) = cookie(&client.get("/login").header("cookie", &before).await);
    assert_eq!(
        client.get("/").header("cookie", &again).await.text(),
        r#""ann""#
    );
    assert_eq!(
        client.get("/").header("cookie", &before).await.text(),
        "null"
    );
    assert_eq!(
        client.get("/").header("cookie", &after).await.text(),
        r#""ann""#
    );
}

#[tokio::test]
async fn a_log_out_that_a_rotation_overtakes_is_not_taken_for_done() {
    let client = client();
    let (_, before) = cookie(&client.get("/login").await);
    let (_, after) = cookie(&client.get("/rotate").header("cookie", &before).await);

    let late = client.get("/logout").header("cookie", &before).await;
    assert_eq!(late.status(), 409);
    assert_eq!(late.header("set-cookie"), None);

    let again = client.get("/logout").header("cookie", &after).await;
    assert!(cookie(&again).0.contains("Max-Age=0"));
    assert_eq!(
        client.get("/").header("cookie", &after).await.text(),
        "null"
    );
}

#[tokio::test]
async fn who_logs_out_twice_at_once_is_logged_out() {
    let client = client();
    let (_, pair) = cookie(&client.get("/login").await);
    for _ in 0..2 {
        let response = client.get("/logout").header("cookie", &pair).await;
        assert_eq!(response.status(), 302);
    }
}

#[tokio::test]
async fn who_logs_out_has_no_session_by_another_cookie_either() {
    let client = client();
    let (_, one) = cookie(&client.get("/login").await);
    let (_, other) = cookie(&client.get("/login").await);
    let both = format!("{one}; {other}");

    client.get("/logout").header("cookie", &both).await;

    for left in [&one, &other, &both] {
        let shown = client.get("/").header("cookie", left).await;
        assert_eq!(shown.text(), "null");
    }
}

#[tokio::test]
async fn of_two_rotations_the_second_leaves_the_cookie_of_the_first() {
    let client = client();
    let (_, before) = cookie(&client.get("/login").await);
    let (_, after) = cookie(&client.get("/rotate").header("cookie", &before).await);

    let second = client.get("/rotate").header("cookie", &before).await;
    assert_eq!(second.status(), 409);
    assert_eq!(second.header("set-cookie"), None);
    assert_eq!(
        client.get("/").header("cookie", &after).await.text(),
        r#""ann""#
    );
}

#[tokio::test]
async fn once_the_answer_has_gone_no_session_begins_and_none_gets_a_new_id() {
    type Heads = mpsc::UnboundedSender<Arc<Head>>;
    fn keep(heads: Heads) -> impl Fn(Request) -> std::future::Ready<Reply> + Send + Sync {
        move |request| {
            let _ = heads.send(Arc::clone(request.head()));
            std::future::ready(status(204))
        }
    }
    let (heads, mut kept) = mpsc::unbounded_channel();
    let app = App::builder()
        .route(("/keep", keep(heads)))
        .route(("/login", log_in));
    let client = TestClient::new(app.build().unwrap());
    client.get("/keep").await;
    let session = kept.recv().await.unwrap().session().clone();
    assert!(session.insert("user", "ann").await.is_err());
    assert_eq!(session.get::<String>("user").await.unwrap(), None);

    let (_, pair) = cookie(&client.get("/login").await);
    client.get("/keep").header("cookie", &pair).await;
    let session = kept.recv().await.unwrap().session().clone();
    session.insert("user", "bob").await.unwrap();
    assert!(session.rotate().await.is_err());
    assert_eq!(
        session.get::<String>("user").await.unwrap().as_deref(),
        Some("bob")
    );
}
