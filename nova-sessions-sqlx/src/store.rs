//! The store: one table, six statements.

use std::io;
use std::time::Duration;

use nova_core::{Result, SessionKey, SessionRecord, SessionStore};
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyPool};
use tokio::time::timeout;

/// The table, in SQL that SQLite and PostgreSQL both know, for a migration of the app.
///
/// ```sql
#[doc = include_str!("table.sql")]
/// ```
pub const TABLE: &str = include_str!("table.sql");

const LOAD: &str = "SELECT user_id, data, version, ends_at FROM nova_sessions WHERE id_hash = $1";
const CREATE: &str = "INSERT INTO nova_sessions (id_hash, user_id, data, version, ends_at) \
                      VALUES ($1, $2, $3, $4, $5)";
/// One statement compares and writes: of two that come at once, the second finds another version.
const UPDATE: &str = "UPDATE nova_sessions \
                      SET user_id = $2, data = $3, version = $4, ends_at = $5 \
                      WHERE id_hash = $1 AND version = $4 - 1";
const DELETE: &str = "DELETE FROM nova_sessions WHERE id_hash = $1";
const DELETE_ALL_OF: &str = "DELETE FROM nova_sessions WHERE user_id = $1 AND id_hash <> $2";
/// Some at a time: a writer that takes long holds the others up.
const DELETE_ENDED: &str = "DELETE FROM nova_sessions WHERE id_hash IN \
                            (SELECT id_hash FROM nova_sessions WHERE ends_at <= $1 LIMIT 500)";
const SOME: u64 = 500;

/// How long the database may take for a statement.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keeps the sessions of an app in the table `nova_sessions` of its database.
#[derive(Debug, Clone)]
pub struct SqlSessions {
    pool: AnyPool,
    patience: Duration,
}

impl SqlSessions {
    /// The sessions in this database. Nothing is done yet.
    pub fn new(pool: &AnyPool) -> Self {
        SqlSessions {
            pool: pool.clone(),
            patience: PATIENCE,
        }
    }

    /// How long the database may take for a statement, with the wait for a connection; longer is an
    /// error, and so a 503. **Default:** 5 s.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Makes the table, if there is none: for an app that has no migrations. [`TABLE`] is for those
    /// that have.
    ///
    /// # Errors
    /// The database fails.
    pub async fn create_table(&self) -> sqlx::Result<()> {
        sqlx::raw_sql(TABLE).execute(&self.pool).await?;
        Ok(())
    }

    /// Carries a statement out, and says how many rows it has changed.
    async fn execute(&self, statement: Query<'_, Any, AnyArguments>) -> Result<u64> {
        let done = self.patiently(statement.execute(&self.pool)).await?;
        Ok(done.rows_affected())
    }

    async fn patiently<T>(&self, answer: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
        match timeout(self.patience, answer).await {
            Ok(answer) => Ok(answer?),
            Err(_) => {
                let told = format!("no answer from the database within {:?}", self.patience);
                Err(io::Error::new(io::ErrorKind::TimedOut, told))?
            }
        }
    }
}

impl SessionStore for SqlSessions {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>> {
        let statement = sqlx::query_as(LOAD).bind(key.to_string());
        let mut rows: Vec<(Option<String>, String, i64, i64)> =
            self.patiently(statement.fetch_all(&self.pool)).await?;
        Ok(rows
            .pop()
            .map(|(user, data, version, ends_at)| SessionRecord {
                user,
                data,
                version,
                ends_at,
            }))
    }

    async fn create(&self, key: &SessionKey, record: &SessionRecord) -> Result<()> {
        self.execute(written(CREATE, key, record)).await?;
        Ok(())
    }

    async fn update(&self, key: &SessionKey, record: &SessionRecord) -> Result<bool> {
        Ok(self.execute(written(UPDATE, key, record)).await? > 0)
    }

    async fn delete(&self, key: &SessionKey) -> Result<()> {
        let statement = sqlx::query(DELETE).bind(key.to_string());
        self.execute(statement).await?;
        Ok(())
    }

    async fn delete_all_of(&self, user: &str, but: Option<&SessionKey>) -> Result<u64> {
        let but = but.map(SessionKey::to_string).unwrap_or_default(); // no key is empty
        let statement = sqlx::query(DELETE_ALL_OF).bind(user).bind(but);
        self.execute(statement).await
    }

    async fn delete_ended(&self, now: i64) -> Result<u64> {
        let mut all = 0;
        loop {
            let some = self.execute(sqlx::query(DELETE_ENDED).bind(now)).await?;
            all += some;
            if some < SOME {
                return Ok(all);
            }
        }
    }
}

fn written<'q>(
    statement: &'static str,
    key: &SessionKey,
    record: &'q SessionRecord,
) -> Query<'q, Any, AnyArguments> {
    sqlx::query(statement)
        .bind(key.to_string())
        .bind(record.user.as_deref())
        .bind(&*record.data)
        .bind(record.version)
        .bind(record.ends_at)
}
