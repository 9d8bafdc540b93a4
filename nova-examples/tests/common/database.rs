//! A database of its own for each test, and tests that run on both kinds.

use tempfile::TempDir;

#[cfg(unix)]
use super::Postgres;

/// An empty database.
pub(crate) struct TestDatabase {
    url: String,
    /// Where the file is, if it is one.
    _folder: Option<TempDir>,
}

impl TestDatabase {
    /// In a file in a folder of its own.
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        TestDatabase {
            url: format!("sqlite:{}/notes.db", folder.path().display()),
            _folder: Some(folder),
        }
    }

    /// On the server of this test program. None if PostgreSQL is not installed.
    #[cfg(unix)]
    pub(crate) fn postgres() -> Option<Self> {
        Postgres::shared().map(TestDatabase::on)
    }

    /// On this server.
    #[cfg(unix)]
    pub(crate) fn on(server: &Postgres) -> Self {
        TestDatabase {
            url: server.create_database(),
            _folder: None,
        }
    }

    /// None: the harness needs a Unix shell.
    #[cfg(not(unix))]
    pub(crate) fn postgres() -> Option<Self> {
        super::missing("the tests on PostgreSQL: run them on Unix");
        None
    }

    /// What `DATABASE_URL` would be.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// Makes tests of functions that take a [`TestDatabase`]: `sqlite::name` and `postgres::name`.
///
/// ```text
/// on_both! {
///     #[test] fn this, that;
///     #[tokio::test] async fn other;
/// }
/// ```
macro_rules! on_both {
    (@ $database:expr;) => {};
    (@ $database:expr; #[$attribute:meta] fn $($test:ident),+; $($rest:tt)*) => {
        $(
            #[$attribute]
            fn $test() {
                if let Some(database) = $database {
                    super::$test(database);
                }
            }
        )+
        on_both!(@ $database; $($rest)*);
    };
    (@ $database:expr; #[$attribute:meta] async fn $($test:ident),+; $($rest:tt)*) => {
        $(
            #[$attribute]
            async fn $test() {
                if let Some(database) = $database {
                    super::$test(database).await;
                }
            }
        )+
        on_both!(@ $database; $($rest)*);
    };
    (# $($tests:tt)+) => {
        mod sqlite {
            on_both!(@ Some($crate::common::TestDatabase::sqlite()); # $($tests)+);
        }
        mod postgres {
            on_both!(@ $crate::common::TestDatabase::postgres(); # $($tests)+);
        }
    };
}
