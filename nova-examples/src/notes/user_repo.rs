//! Who may log in.

use std::fmt;

use nova_core::{Result, SessionStore};

use super::Database;

/// A user, as the database knows them.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct User {
    /// What they log in with. `Ann` and `ann` are two users.
    pub username: String,
    /// What their password is checked against. `Debug` does not show it.
    pub password_hash: String,
}

/// The users in a database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct UserRepo {
    database: Database,
}

impl UserRepo {
    /// The users in this database.
    pub fn new(database: &Database) -> Self {
        UserRepo {
            database: database.clone(),
        }
    }

    /// The user with this name.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find(&self, username: &str) -> sqlx::Result<Option<User>> {
        if username.contains('\0') {
            return Ok(None); // PostgreSQL has no such text and would fail
        }
        let statement =
            sqlx::query_as("SELECT username, password_hash FROM users WHERE username = $1")
                .bind(username);
        self.database.row(statement).await
    }

    /// Stores a user, or gives the one with this name another password.
    ///
    /// # Errors
    /// The database fails, or one of the two contains U+0000, which PostgreSQL cannot store.
    pub async fn save(&self, username: &str, password_hash: &str) -> sqlx::Result<()> {
        if username.contains('\0') || password_hash.contains('\0') {
            return Err(sqlx::Error::Encode("the text contains U+0000".into()));
        }
        let statement = sqlx::query(
            "INSERT INTO users (username, password_hash) VALUES ($1, $2) \
             ON CONFLICT (username) DO UPDATE SET password_hash = excluded.password_hash",
        )
        .bind(username)
        .bind(password_hash);
        self.database.execute(statement).await?;
        Ok(())
    }

    /// Logs a user out everywhere, as with another password.
    ///
    /// # Errors
    /// The database fails.
    pub async fn end_sessions(&self, username: &str) -> Result<()> {
        if !username.contains('\0') {
            self.database
                .sessions()
                .delete_all_of(username, None)
                .await?;
        }
        Ok(())
    }

    /// Takes a user away, if there is one with this name.
    ///
    /// # Errors
    /// The database fails.
    pub async fn delete(&self, username: &str) -> sqlx::Result<()> {
        let statement = sqlx::query("DELETE FROM users WHERE username = $1").bind(username);
        self.database.execute(statement).await?;
        Ok(())
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
