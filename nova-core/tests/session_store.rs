//! Sessions in a store of the app's own.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use nova_core::testing::{self, TestClient, TestResponse};
use nova_core::{
    Access, App, AppBuilder, Environment, Group, Reply, Request, Result, Security, SessionKey,
    SessionRecord, SessionStore, json,
};

const SECRET: &str = "a secret of more than 32 characters";

/// A store that counts how often it is asked, and fails when it is told to.
#[derive(Clone, Default)]
struct Shelf(Arc<Inner>);

#[derive(Default)]
struct Inner {
    records: Mutex<HashMap<SessionKey, SessionRecord>>,
    asked: AtomicUsize,
    fails: AtomicBool,
}

impl Shelf {
    fn records(&self) -> Result<std::sync::MutexGuard<'_, HashMap<SessionKey, SessionRecord>>> {
        self.0.asked.fetch_add(1, Ordering::Relaxed);
        match self.0.fails.load(Ordering::Relaxed) {
            true => Err(std::io::Error::other("the shelf at 10.0.0.7 is on fire"))?,
            false => Ok(self.0.records.lock().unwrap()),
        }
    }

    fn asked(&self) -> usize {
        self.0.asked.load(Ordering::Relaxed)
    }

    fn fail(&self, fails: bool) {
        self.0.fails.store(fails, Ordering::Relaxed);
    }
}

impl SessionStore for Shelf {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>> {
        Ok(self.records()?.get(key).cloned())
    }

    async fn create(&self, key: &SessionKey, record: &SessionRecord) -> Result<()> {
        let old = self.records()?.get(key).cloned();
        if old.is_some() {
            return Err(std::io::Error::other("it is taken"))?;
        }
        self.records()?.insert(*key, record.clone());
        Ok(())
    }

    async fn update(&self, key: &SessionKey, record: &SessionRecord) -> Result<bool> {
        match self.records()?.get_mut(key) {
            Some(old) if old.version + 1 == record.version => *old = record.clone(),
            _ => return Ok(false),
        }
        Ok(true)
    }

    async fn delete(&self, key: &SessionKey) -> Result<()> {
        self.records()?.remove(key);
        Ok(())
    }

    async fn delete_all_of(&self, user: &str, but: Option<&SessionKey>) -> Result<u64> {
        let mut records = self.records()?;
        let before = records.len();
        records.retain(|key, record| record.user.as_deref() != Some(user) || Some(key) == but);
        Ok((before - records.len()) as u64)
    }

    async fn delete_ended(&self, now: i64) -> Result<u64> {
        let mut records = self.records()?;
        let before = records.len();
        records.retain(|_, record| record.ends_at > now);
        Ok((before - records.len()) as u64)
    }
}

struct SignedIn;

impl Security for SignedIn {
    async fn check(&self, request: &mut Request) -> Result<Access> {
        Ok(match request.session().user().await? {
            Some(_) => Access::Granted,
            None => Access::denied(),
        })
    }
}

async fn log_in(request: Request) -> Result<()> {
    request.session().log_in("ann").await
}

async fn log_out(request: Request) -> Result<()> {
    request.session().end().await
}

async fn show(request: Request) -> Result<Reply> {
    Ok(json(&request.session().user().await?))
}

async fn put(request: Request) -> Result<()> {
    request.session().insert("x", &1).await
}

fn builder(shelf: &Shelf) -> AppBuilder {
    let guarded = Group::new()
        .security("signed_in")
        .route(("/guarded", |_: Request| async { "in" }));
    App::builder()
        .security("signed_in", SignedIn)
        .session_store(shelf.clone())
        .route(("/", show))
        .route(("/put", put))
        .route(("/login", log_in))
        .route(("/logout", log_out))
        .route(("/untouched", |_: Request| async { "x" }))
        .group(guarded)
}

/// The app, as one start of it.
fn started(shelf: &Shelf, settings: &str) -> TestClient {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nova.toml");
    std::fs::write(&file, format!("[session]\n{settings}\n")).unwrap();
    TestClient::new(builder(shelf).config_file(&file).build().unwrap())
}

fn cookie(response: &TestResponse) -> String {
    let set = response.header("set-cookie").unwrap();
    set.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_store_of_these_tests_is_one() {
    testing::session_store(&Shelf::default()).await;
}

#[tokio::test]
async fn a_session_outlives_the_app_and_a_secret_that_is_replaced() {
    let shelf = Shelf::default();
    let secret = format!("secret = '{SECRET}'");
    let client = started(&shelf, &secret);
    let cookie = cookie(&client.get("/login").await);
    client.stop().await;

    let newer =
        "secret = ['another secret, also of 32 characters', 'a secret of more than 32 characters']";
    for (settings, user) in [
        (&*secret, r#""ann""#),
        (newer, r#""ann""#),
        ("secret = 'another secret, also of 32 characters'", "null"),
        ("", "null"),
    ] {
        let client = started(&shelf, settings);
        let response = client.get("/").header("cookie", &cookie).await;
        assert_eq!(response.text(), user, "{settings}");
    }
}

#[tokio::test]
async fn a_request_without_a_good_cookie_does_not_ask_the_store() {
    let shelf = Shelf::default();
    let client = started(&shelf, "");
    let good = cookie(&client.get("/login").await);
    let asked = shelf.asked();
    let (id, signature) = good.split_once('.').unwrap();
    for bad in [
        "",
        "session_id=x",
        id,
        &format!("{id}.{}", signature.to_uppercase()),
        &format!("session_id={}.{signature}", "A".repeat(43)),
    ] {
        for path in ["/", "/guarded", "/logout"] {
            client.get(path).header("cookie", bad).await;
        }
        assert_eq!(shelf.asked(), asked, "{bad}");
    }
    client.get("/untouched").header("cookie", &good).await;
    assert_eq!(shelf.asked(), asked, "no session touched");
    client.get("/").header("cookie", &good).await;
    assert_eq!(shelf.asked(), asked + 1);
}

#[tokio::test]
async fn the_store_never_learns_an_id() {
    let shelf = Shelf::default();
    let client = started(&shelf, "");
    let cookie = cookie(&client.get("/login").await);
    let id = cookie.strip_prefix("session_id=").unwrap();
    let (id, _) = id.split_once('.').unwrap();
    for (key, record) in &*shelf.records().unwrap() {
        assert_ne!(key.to_string(), id);
        assert!(!record.data.contains(id));
    }
}

#[tokio::test]
async fn a_store_that_fails_is_a_503_and_nobody_passes_or_loses_their_login() {
    let shelf = Shelf::default();
    let client = started(&shelf, "");
    let cookie = cookie(&client.get("/login").await);
    shelf.fail(true);
    for path in ["/", "/put", "/guarded", "/login", "/logout"] {
        let response = client.get(path).header("cookie", &cookie).await;
        assert_eq!(response.status(), 503, "{path}");
        assert_eq!(response.header("set-cookie"), None, "{path}");
    }
    assert_eq!(client.get("/login").await.status(), 503, "without a cookie");
    assert_eq!(client.get("/untouched").await.status(), 200);
    shelf.fail(false);
    let response = client.get("/guarded").header("cookie", &cookie).await;
    assert_eq!(response.text(), "in");
}

#[tokio::test]
async fn what_the_store_says_is_not_shown_in_prod() {
    let shelf = Shelf::default();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nova.toml");
    std::fs::write(&file, format!("[session]\nsecret = '{SECRET}'\n")).unwrap();
    let app = builder(&shelf)
        .environment(Environment::Prod)
        .config_file(&file);
    let client = TestClient::new(app.build().unwrap());
    shelf.fail(true);
    let response = client.get("/login").await;
    assert_eq!(response.status(), 503);
    assert!(response.text().contains("try again in a moment"));
    assert!(!response.text().contains("fire"), "{}", response.text());
}

#[test]
fn a_store_in_prod_needs_a_secret() {
    let built = |environment| builder(&Shelf::default()).environment(environment).build();
    assert!(built(Environment::Dev).is_ok());
    let told = built(Environment::Prod).unwrap_err().to_string();
    for expected in ["session_store.rs:", "NOVA_SESSION__SECRET", "openssl rand"] {
        assert!(told.contains(expected), "{expected} is not in\n{told}");
    }
    let in_memory = App::builder().environment(Environment::Prod).build();
    assert!(in_memory.is_ok(), "sessions in memory need none");
}

#[test]
fn a_second_store_is_a_mistake() {
    let app = builder(&Shelf::default()).session_store(Shelf::default());
    let told = app.build().unwrap_err().to_string();
    assert!(
        told.contains("the app has a store for its sessions already, at "),
        "{told}"
    );
}

#[tokio::test]
async fn what_has_ended_is_removed_while_the_app_runs() {
    let shelf = Shelf::default();
    let key = {
        let client = started(&shelf, "");
        client.get("/login").await;
        client.stop().await;
        let mut records = shelf.records().unwrap();
        let (key, record) = records.iter_mut().next().unwrap();
        record.ends_at = 1000;
        *key
    };
    let asked = shelf.asked();
    let client = started(&shelf, "");
    while shelf.asked() == asked {
        tokio::task::yield_now().await;
    }
    assert!(!shelf.records().unwrap().contains_key(&key));
    client.stop().await;
}

#[test]
fn a_mounted_app_has_no_store_of_its_own() {
    let app = App::builder()
        .mount("admin", || builder(&Shelf::default()))
        .group(Group::new().prefix("/admin").app("admin"));
    let told = app.build().unwrap_err().to_string();
    assert!(
        told.contains("the app `admin` has a store for sessions"),
        "{told}"
    );
    assert!(told.contains("session_store.rs:"), "{told}");
}
