//! The database of the notes app: SQLite in a file, or PostgreSQL.
//!
//! Which one is a matter of its URL. sqlx's `Any` driver hides the rest, so that each statement is
//! written once; only the migrations are there in both dialects.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nova_sessions_sqlx::SqlSessions;
use sqlx::any::{AnyArguments, AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::query::{Query, QueryAs};
use sqlx::{Any, AnyConnection, AnyPool, ConnectOptions, Executor, FromRow};
use tokio::time::timeout;
use url::Url;

use super::database_url::{self, DatabaseUrl};

/// How many connections read an SQLite file at once. It has one writer at a time; the others wait
/// for it.
pub const SQLITE_CONNECTIONS: u32 = 4;

/// How many connections an app has to PostgreSQL at most. The server takes 100 in all, unless it
/// is told otherwise: room for some apps, and for whoever looks after it.
pub const POSTGRES_CONNECTIONS: u32 = 10;

/// How long PostgreSQL may take to give a connection at start, and later for a statement with all
/// that belongs to it. A network that swallows answers would make a request wait for ever.
pub const POSTGRES_PATIENCE: Duration = Duration::from_secs(5);

/// A database. Clones share the connections.
#[derive(Clone)]
pub struct Database {
    /// For messages: a URL without its password, or a file.
    name: Arc<str>,
    /// The host of a PostgreSQL. SQLite has none.
    host: Option<Arc<str>>,
    pool: AnyPool,
}

/// A database that cannot be opened.
#[derive(Debug)]
pub struct OpenError {
    name: String,
    source: Box<dyn Error + Send + Sync>,
}

/// A PostgreSQL that gives no connection.
#[derive(Debug)]
struct NoConnection {
    host: Arc<str>,
    source: sqlx::Error,
}

impl Database {
    /// The database at `url`, such as `sqlite:notes.db`, `sqlite::memory:` or
    /// `postgres://ann:secret@localhost/notes`. Nothing is opened yet.
    ///
    /// Connections to PostgreSQL are not encrypted: the server is on the same machine, in the same
    /// private network, or behind a tunnel.
    ///
    /// # Errors
    /// The URL is none of these.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(url: &str) -> Result<Self, OpenError> {
        let name = database_url::shown(url);
        match DatabaseUrl::parse(url) {
            Ok(url) => Ok(Database::at(name, url)),
            Err(source) => Err(OpenError { name, source }),
        }
    }

    /// The SQLite database in this file, which may have any name. Nothing is opened yet.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn in_file(file: &Path) -> Self {
        Database::at(file.display().to_string(), DatabaseUrl::file(file))
    }

    fn at(name: String, url: DatabaseUrl) -> Self {
        sqlx::any::install_default_drivers();
        let (pool, host) = match url {
            DatabaseUrl::Sqlite { url, in_memory } => (sqlite(&url, in_memory), None),
            DatabaseUrl::Postgres { url, host } => (postgres(&url), Some(host.into())),
        };
        let name = name.into();
        Database { name, host, pool }
    }

    /// Opens the database and brings its tables up to date. An SQLite file that does not exist is
    /// created. Apps that open one PostgreSQL at the same time wait for each other.
    ///
    /// # Errors
    /// The file cannot be written, PostgreSQL gives no connection within [`POSTGRES_PATIENCE`], or
    /// a newer version of the app has changed the tables.
    pub async fn open(&self) -> Result<(), OpenError> {
        let failed = |source| OpenError {
            name: self.name.to_string(),
            source,
        };
        let migrated = match &self.host {
            None => {
                sqlx::migrate!("notes/migrations/sqlite")
                    .run(&self.pool)
                    .await
            }
            Some(host) => {
                let connection = self.reach(host).await;
                let mut connection = connection.map_err(|error| failed(error.into()))?;
                sqlx::migrate!("notes/migrations/postgres")
                    .run(&mut connection)
                    .await
            }
        };
        migrated.map_err(|error| failed(error.into()))
    }

    /// The sessions in this database.
    pub fn sessions(&self) -> SqlSessions {
        SqlSessions::new(&self.pool).patience(POSTGRES_PATIENCE)
    }

    /// Connects once, beside the pool: that would try for [`POSTGRES_PATIENCE`] and forget why in
    /// vain, and migrations may take longer than a statement.
    async fn reach(&self, host: &Arc<str>) -> Result<AnyConnection, NoConnection> {
        let options = self.pool.connect_options();
        let connected = patiently(options.connect()).await;
        connected.map_err(|source| NoConnection {
            host: Arc::clone(host),
            source,
        })
    }

    /// The rows of a statement.
    ///
    /// It is read to its end, also where one row is wanted: SQLite gives the row of an `INSERT …
    /// RETURNING` first and commits after it. Who stops at the row never hears of a full disk.
    ///
    /// # Errors
    /// The database fails. If PostgreSQL does not answer in time, it is unknown whether it has
    /// written what it should.
    pub(super) async fn rows<T>(
        &self,
        statement: QueryAs<'_, Any, T, AnyArguments>,
    ) -> sqlx::Result<Vec<T>>
    where
        T: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        self.patiently(statement.fetch_all(&self.pool)).await
    }

    /// The only row of a statement, if there is one.
    ///
    /// # Errors
    /// Those of [`rows`](Database::rows).
    pub(super) async fn row<T>(
        &self,
        statement: QueryAs<'_, Any, T, AnyArguments>,
    ) -> sqlx::Result<Option<T>>
    where
        T: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        Ok(self.rows(statement).await?.pop())
    }

    /// Carries out a statement that gives no rows, and says how many it has changed.
    ///
    /// # Errors
    /// Those of [`rows`](Database::rows).
    pub(super) async fn execute(
        &self,
        statement: Query<'_, Any, AnyArguments>,
    ) -> sqlx::Result<u64> {
        let done = self.patiently(statement.execute(&self.pool)).await?;
        Ok(done.rows_affected())
    }

    async fn patiently<T>(&self, answer: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
        match self.host {
            None => answer.await, // SQLite has a time-out of its own, for the turn of a writer
            Some(_) => patiently(answer).await,
        }
    }
}

async fn patiently<T>(answer: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    timeout(POSTGRES_PATIENCE, answer)
        .await
        .unwrap_or_else(|_| {
            let told = format!("no answer within {POSTGRES_PATIENCE:?}");
            let error = io::Error::new(io::ErrorKind::TimedOut, told);
            Err(sqlx::Error::Io(error))
        })
}

fn sqlite(url: &Url, in_memory: bool) -> AnyPool {
    AnyPoolOptions::new()
        .max_connections(if in_memory { 1 } else { SQLITE_CONNECTIONS })
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(|connection, _| {
            // Readers and the writer do not wait for each other.
            Box::pin(async move {
                let wal = connection.execute("PRAGMA journal_mode = WAL").await;
                wal.map(drop)
            })
        })
        .connect_lazy_with(options(url))
}

fn postgres(url: &Url) -> AnyPool {
    AnyPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(POSTGRES_PATIENCE)
        .after_connect(|connection, _| {
            // Before our patience ends: what the server has given up itself is not stored.
            Box::pin(async move {
                connection
                    .execute("SET statement_timeout = 4000")
                    .await
                    .map(drop)
            })
        })
        .connect_lazy_with(options(url))
}

fn options(url: &Url) -> AnyConnectOptions {
    AnyConnectOptions::from_url(url).expect("`Any` takes every URL; it looks when it connects")
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The pool's options hold the password.
        f.debug_tuple("Database").field(&self.name).finish()
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the database `{}` cannot be opened (DATABASE_URL names another)",
            self.name
        )
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` gives no connection (is PostgreSQL running there, and are user, password and \
             database right?)",
            self.host
        )
    }
}

impl Error for NoConnection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}
