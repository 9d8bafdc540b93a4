//! Who has logged in: `/login`, `/logout` and `/whoami`.

use nova_core::{Reply, Request, Result, controller, password, status, text};
use serde::Deserialize;
use tracing::info;

/// Names and passwords.
const USERS: [(&str, &str); 2] = [("alice", "wonder"), ("bob", "builder")];

/// Logs the users in and out.
pub(crate) struct Account {
    /// Names, and hashes of the passwords.
    users: Vec<(&'static str, String)>,
}

controller!("account" => Account { log_in, log_out, who });

/// What a form or JSON says.
#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

impl Account {
    pub(crate) async fn new() -> Result<Self> {
        let mut users = Vec::new();
        for (name, password) in USERS {
            users.push((name, password::hash(password).await?));
        }
        Ok(Account { users })
    }

    async fn log_in(&self, mut request: Request) -> Result<Reply> {
        let Credentials { username, password } = request.params().await?;
        let user = self.users.iter().find(|(name, _)| *name == username);
        // A stranger's password takes as long.
        let hash = user.map(|(_, hash)| hash.as_str());
        if !password::verify(&password, hash).await? {
            return Ok(status(401).text("name or password is wrong"));
        }
        request.session().log_in(&username).await?;
        info!("{username:?} has logged in");
        Ok(text(username))
    }

    async fn log_out(&self, request: Request) -> Result<()> {
        request.session().end().await
    }

    async fn who(&self, request: Request) -> Result<Reply> {
        Ok(match request.session().user().await? {
            Some(user) => text(user),
            None => status(401),
        })
    }
}
