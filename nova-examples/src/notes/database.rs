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

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyPool, ConnectOptions, Connection, Executor};
use tokio::time::timeout;
use url::Url;

use super::database_url::{self, DatabaseUrl};

/// How many connections read an SQLite file at once. It has one writer at a time; the others wait
/// for it.
pub const SQLITE_CONNECTIONS: u32 = 4;

/// How many connections an app has to PostgreSQL at most. The server takes 100 in all, unless it
/// is told otherwise: room for some apps, and for whoever looks after it.
pub const POSTGRES_CONNECTIONS: u32 = 10;

/// How long PostgreSQL may take to give a connection, at start as well as for a statement.
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
        let migrations = match &self.host {
            None => sqlx::migrate!("notes/migrations/sqlite"),
            Some(host) => {
                self.reach(host)
                    .await
                    .map_err(|error| failed(error.into()))?;
                sqlx::migrate!("notes/migrations/postgres")
            }
        };
        let migrated = migrations.run(&self.pool).await;
        migrated.map_err(|error| failed(error.into()))
    }

    /// Connects once: the pool would try for [`POSTGRES_PATIENCE`] and forget why in vain.
    async fn reach(&self, host: &Arc<str>) -> Result<(), NoConnection> {
        let options = self.pool.connect_options();
        let connected = match timeout(POSTGRES_PATIENCE, options.connect()).await {
            Ok(Ok(connection)) => connection.close().await,
            Ok(Err(error)) => Err(error),
            Err(_) => Err(sqlx::Error::Io(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no answer within {POSTGRES_PATIENCE:?}"),
            ))),
        };
        connected.map_err(|source| NoConnection {
            host: Arc::clone(host),
            source,
        })
    }

    /// The connections.
    pub(super) fn pool(&self) -> &AnyPool {
        &self.pool
    }
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
