//! Who a session belongs to, and what is left for their next page.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::pubsub::{Mailbox, Received};
use nova_core::testing::{TestClient, TestResponse};
use nova_core::{App, Group, Reply, Request, Result, SessionKey, SessionsEnded, json};
use serde_json::{Value, json as value};

async fn log_in(request: Request) -> Result<()> {
    let user: String = request.binding("user")?;
    request.session().log_in(&user).await
}

async fn put(request: Request) -> Result<()> {
    let name: String = request.binding("name")?;
    request.session().insert(&name, &true).await
}

async fn show(request: Request) -> Result<Reply> {
    let session = request.session();
    let cart: Option<bool> = session.get("cart").await?;
    Ok(json(
        &value!({ "user": session.user().await?, "cart": cart }),
    ))
}

async fn end_others(request: Request) -> Result<Reply> {
    Ok(json(&request.session().end_others().await?))
}

async fn end_all(request: Request) -> Result<Reply> {
    let user: String = request.binding("user")?;
    Ok(json(&request.session().end_all_of(&user).await?))
}

async fn end(request: Request) -> Result<()> {
    request.session().end().await
}

async fn rotate(request: Request) -> Result<()> {
    request.session().rotate().await
}

async fn key(request: Request) -> Result<Reply> {
    Ok(json(&request.session().key().await?))
}

async fn flash(request: Request) -> Result<()> {
    let name: String = request.binding("name")?;
    request.session().flash(&name, &format!("a {name}")).await
}

async fn flashes(request: Request) -> Result<Reply> {
    Ok(json(&request.session().take_flashes().await?))
}

fn client() -> TestClient {
    let group = Group::new()
        .route(("/", show))
        .route(("/login/{user}", log_in))
        .route(("/put/{name}", put))
        .route(("/end", end))
        .route(("/rotate", rotate))
        .route(("/key", key))
        .route(("/end_others", end_others))
        .route(("/end_all/{user}", end_all))
        .route(("/flash/{name}", flash))
        .route(("/flashes", flashes));
    TestClient::new(App::builder().group(group).build().unwrap())
}

/// A client with a cookie.
struct Browser<'c> {
    client: &'c TestClient,
    cookie: String,
}

impl Browser<'_> {
    fn of(client: &TestClient) -> Browser<'_> {
        Browser {
            client,
            cookie: String::new(),
        }
    }

    async fn get(&mut self, path: &str) -> TestResponse {
        let response = self.client.get(path).header("cookie", &self.cookie).await;
        if let Some(set) = response.header("set-cookie") {
            self.cookie = set.split(';').next().unwrap().to_owned();
        }
        response
    }

    async fn json(&mut self, path: &str) -> Value {
        self.get(path).await.json()
    }
}

#[tokio::test]
async fn a_login_says_whose_session_it_is_and_keeps_what_was_in_it() {
    let client = client();
    let mut browser = Browser::of(&client);
    browser.get("/put/cart").await;
    let before = browser.cookie.clone();
    browser.get("/login/ann").await;

    assert_ne!(browser.cookie, before);
    assert_eq!(
        browser.json("/").await,
        value!({ "user": "ann", "cart": true })
    );
    browser.cookie = before;
    assert_eq!(
        browser.json("/").await,
        value!({ "user": null, "cart": null })
    );
}

#[tokio::test]
async fn a_login_as_another_user_forgets_what_the_first_one_had() {
    let client = client();
    let mut browser = Browser::of(&client);
    browser.get("/login/ann").await;
    browser.get("/put/cart").await;
    browser.get("/login/ann").await;
    assert_eq!(browser.json("/").await["cart"], value!(true));
    browser.get("/login/bob").await;
    assert_eq!(
        browser.json("/").await,
        value!({ "user": "bob", "cart": null })
    );
}

#[tokio::test]
async fn a_user_ends_their_other_sessions_and_open_sockets_hear_of_it() {
    let client = client();
    let [mut here, mut there, mut bobs] = [(); 3].map(|()| Browser::of(&client));
    here.get("/login/ann").await;
    there.get("/login/ann").await;
    bobs.get("/login/bob").await;
    let mut mailbox = client.pubsub().mailbox();
    mailbox.join(SessionsEnded::CHANNEL);

    assert_eq!(here.json("/end_others").await, value!(1));
    assert_eq!(here.json("/").await["user"], value!("ann"));
    assert_eq!(there.json("/").await["user"], value!(null));
    assert_eq!(bobs.json("/").await["user"], value!("bob"));
    let Some(Received::Message(message)) = mailbox.recv().await else {
        panic!("nobody was told");
    };
    assert_eq!(message.topic(), SessionsEnded::TOPIC);
    let ended = message.decode::<SessionsEnded>().unwrap();
    assert_eq!(ended.user, "ann");
    assert!(ended.kept.is_some());
}

/// The next that sockets hear.
async fn told(mailbox: &mut Mailbox) -> SessionsEnded {
    let Some(Received::Message(message)) = mailbox.recv().await else {
        panic!("nobody was told");
    };
    SessionsEnded::clone(&message.decode::<SessionsEnded>().unwrap())
}

#[tokio::test]
async fn sockets_hear_of_a_log_out_of_a_new_id_and_of_another_user_in_the_same_browser() {
    let client = client();
    let [mut here, mut there] = [(); 2].map(|()| Browser::of(&client));
    let mut mailbox = client.pubsub().mailbox();
    mailbox.join(SessionsEnded::CHANNEL);
    here.get("/login/ann").await; // nobody was there before
    there.get("/login/ann").await;
    let other = serde_json::from_value(there.json("/key").await).unwrap();

    for path in ["/rotate", "/login/bob", "/login/ann", "/end"] {
        let user = here.json("/").await["user"].clone();
        let key = serde_json::from_value(here.json("/key").await).unwrap();
        here.get(path).await;
        let ended = told(&mut mailbox).await;
        let user = user.as_str().unwrap();
        assert!(ended.includes(user, key), "{path}");
        assert!(!ended.includes(user, other), "{path}");
        assert!(!ended.includes("eve", key), "{path}");
    }
    here.get("/end").await;
    assert!(mailbox.try_recv().is_none(), "there was none to end");
}

#[tokio::test]
async fn of_all_sessions_of_a_user_but_one_that_one_is_not_included() {
    let client = client();
    let mut browser = Browser::of(&client);
    browser.get("/login/ann").await;
    let key: Option<SessionKey> = serde_json::from_value(browser.json("/key").await).unwrap();
    let mut mailbox = client.pubsub().mailbox();
    mailbox.join(SessionsEnded::CHANNEL);

    browser.get("/end_others").await;
    let others = told(&mut mailbox).await;
    assert!(key.is_some() && !others.includes("ann", key));
    assert!(others.includes("ann", None));
    browser.get("/end_all/ann").await;
    assert!(told(&mut mailbox).await.includes("ann", key));
}

#[tokio::test]
async fn all_sessions_of_a_user_end_and_its_own_cookie_goes() {
    let client = client();
    let [mut here, mut there, mut admin] = [(); 3].map(|()| Browser::of(&client));
    here.get("/login/ann").await;
    there.get("/login/ann").await;
    admin.get("/login/admin").await;

    let response = here.get("/end_all/ann").await;
    assert_eq!(response.json::<Value>(), value!(2));
    assert!(response.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(there.json("/").await["user"], value!(null));

    there.get("/login/ann").await;
    let response = admin.get("/end_all/ann").await;
    assert_eq!(response.json::<Value>(), value!(1));
    assert_eq!(response.header("set-cookie"), None, "it is not the admin's");
    assert_eq!(admin.json("/").await["user"], value!("admin"));
    assert_eq!(there.json("/").await["user"], value!(null));
}

#[tokio::test]
async fn who_has_not_logged_in_has_no_other_sessions() {
    let client = client();
    let mut browser = Browser::of(&client);
    assert_eq!(browser.get("/end_others").await.status(), 500);
    browser.get("/put/cart").await;
    assert_eq!(browser.get("/end_others").await.status(), 500);
}

#[tokio::test]
async fn a_message_is_shown_once_on_the_next_page_that_asks() {
    let client = client();
    let mut browser = Browser::of(&client);
    assert_eq!(browser.json("/flashes").await, value!({}));
    browser.get("/flash/notice").await;
    browser.get("/flash/error").await;
    browser.get("/").await;
    let both = value!({ "notice": "a notice", "error": "a error" });
    assert_eq!(browser.json("/flashes").await, both);
    assert_eq!(browser.json("/flashes").await, value!({}));
}

#[tokio::test]
async fn a_message_outlives_a_login() {
    let client = client();
    let mut browser = Browser::of(&client);
    browser.get("/flash/notice").await;
    browser.get("/login/ann").await;
    assert_eq!(
        browser.json("/flashes").await,
        value!({ "notice": "a notice" })
    );
}

#[tokio::test]
async fn of_two_pages_at_once_one_shows_the_message() {
    let client = client();
    let mut browser = Browser::of(&client);
    browser.get("/flash/notice").await;
    let pages = (0..8).map(|_| client.get("/flashes").header("cookie", &browser.cookie));
    let pages = futures_util::future::join_all(pages.map(IntoFuture::into_future)).await;
    let shown = pages.iter().filter(|page| page.text() != "{}").count();
    assert_eq!(shown, 1);
}
