//! Sessions in the app's SQL database, so that a restart logs nobody out and several nodes share them.
//!
//! It is one table, [`TABLE`], in whatever database sqlx's `Any` driver speaks to: SQLite and
//! PostgreSQL are tested. The statements are few and plain; who has another database, or another
//! driver, writes a [`SessionStore`](nova_core::SessionStore) of their own in a hundred lines, with this as the example.
//!
//! ```
//! use nova_core::App;
//! use nova_sessions_sqlx::SqlSessions;
//! use sqlx::any::AnyPoolOptions;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! sqlx::any::install_default_drivers();
//! let pool = AnyPoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
//! let sessions = SqlSessions::new(&pool);
//! sessions.create_table().await?; // or in a migration: see `TABLE`
//!
//! let app = App::builder().session_store(sessions).build()?;
//! # Ok(())
//! # }
//! ```
//!
//! In `prod`, the app needs a `secret` in `[session]` with it. Nova removes what has ended from the
//! table every ten minutes.

mod store;

pub use store::{SqlSessions, TABLE};
