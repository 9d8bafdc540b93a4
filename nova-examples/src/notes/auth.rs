//! Who may write on the HTML pages: `/login`, `/logout`, and the guard of `/notes`.

use nova_core::{
    Access, Head, Reply, Request, Result, Secret, Security, controller, password, redirect, view,
};
use serde::Deserialize;
use serde_json::json;
use tracing::{info, warn};

use super::{Settings, UserRepo};

/// Logs people in and out.
#[derive(Debug)]
pub struct Login {
    users: UserRepo,
}

controller!("login" => Login { show, log_in, log_out });

/// What the form sends. A field that is missing is like an empty one.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Credentials {
    username: String,
    password: String,
}

impl Login {
    /// Checks passwords against those of these users.
    pub fn new(users: UserRepo) -> Self {
        Login { users }
    }

    async fn show(&self, request: Request) -> Result<Reply> {
        let user = signed_in(&request).await?;
        Ok(view(&json!({ "user": user })))
    }

    // ANCHOR: log_in
    async fn log_in(&self, mut request: Request) -> Result<Reply> {
        let Credentials { username, password } = request.params().await?;
        let user = self.users.find(&username).await?;
        let hash = user.as_ref().map(|user| &*user.password_hash);
        if !password::verify(&password, hash).await? {
            let context = json!({ "error": "Name or password is wrong.", "username": username });
            return Ok(view(&context).with_status(401));
        }
        request.session().log_in(&username).await?;
        info!("{username:?} has logged in");
        Ok(redirect("/notes").with_status(303))
    }
    // ANCHOR_END: log_in

    async fn log_out(&self, request: Request) -> Result<Reply> {
        request.session().end().await?;
        Ok(redirect("/").with_status(303))
    }
}

/// Lets those pass who have logged in, and sends the others to `/login`.
#[derive(Debug)]
pub struct SignedIn;

/// Who has logged in, as the controllers behind [`SignedIn`] see it.
#[derive(Debug)]
pub struct CurrentUser(pub String);

// ANCHOR: guard
impl Security for SignedIn {
    async fn check(&self, request: &mut Request) -> Result<Access> {
        Ok(match signed_in(request).await? {
            Some(user) => Access::granted_as(CurrentUser(user)),
            None => Access::Denied(redirect("/login").with_status(303)),
        })
    }
}
// ANCHOR_END: guard

/// Who has logged in, if anybody has.
///
/// # Errors
/// The database fails.
pub async fn signed_in(request: &Head) -> Result<Option<String>> {
    request.session().user().await
}

/// Makes sure that the user of the settings can log in with the password of the settings, and with
/// no other: without one, or with an empty one, they cannot log in at all. So what was good enough
/// for a developer's machine does not open the same database in production. Who has logged in with
/// another password is logged out.
///
/// # Errors
/// The database fails.
pub async fn ensure_user(users: &UserRepo, settings: &Settings) -> Result<()> {
    let Settings { username, password } = settings;
    let password = password.as_ref().map(Secret::expose);
    let Some(password) = password.filter(|password| !password.is_empty()) else {
        users.delete(username).await?;
        users.end_sessions(username).await?;
        warn!("`{username}` cannot log in: NOVA_APP__PASSWORD=… sets the password");
        return Ok(());
    };
    let known = users.find(username).await?;
    let hash = known.as_ref().map(|user| &*user.password_hash);
    if !password::verify(password, hash).await? {
        let hash = password::hash(password).await?;
        users.save(username, &hash).await?;
        users.end_sessions(username).await?;
    }
    Ok(())
}
