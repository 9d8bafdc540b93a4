//! What several test programs share: databases to run on, and services that may be missing.

#[macro_use]
mod database;
#[cfg(unix)]
pub(crate) mod port;
#[cfg(unix)]
mod postgres;
mod service;

pub(crate) use database::TestDatabase;
#[cfg(unix)]
pub(crate) use postgres::Postgres;
pub(crate) use service::missing;
