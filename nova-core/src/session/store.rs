//! Where sessions are kept: in memory, or wherever an app's own [`SessionStore`] puts them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::protocol::BoxFuture;

/// Keeps the sessions of an app; the builder's
/// [`session_store`](crate::AppBuilder::session_store) takes one.
///
/// Without one, sessions are in memory and end with the app. A store has no opinion on sessions:
/// what is in them, when they end, and who may read them is decided by Nova. It keeps records by
/// key, and sees to it that of two changes of the same record one is refused. Its own tests run
/// [`testing::session_store`](crate::testing::session_store), which tries all that is said here.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
///
/// use nova_core::{Error, Result, SessionKey, SessionRecord, SessionStore};
///
/// #[derive(Default)]
/// struct Simple(Mutex<HashMap<SessionKey, SessionRecord>>);
///
/// impl SessionStore for Simple {
///     async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>> {
///         Ok(self.0.lock().unwrap().get(key).cloned())
///     }
///
///     async fn create(&self, key: &SessionKey, record: &SessionRecord) -> Result<()> {
///         let mut records = self.0.lock().unwrap();
///         if records.contains_key(key) {
///             return Err(Error::new(500, "there is such a session already"));
///         }
///         records.insert(*key, record.clone());
///         Ok(())
///     }
///
///     async fn update(&self, key: &SessionKey, record: &SessionRecord) -> Result<bool> {
///         match self.0.lock().unwrap().get_mut(key) {
///             Some(old) if old.version == record.version - 1 => *old = record.clone(),
///             _ => return Ok(false),
///         }
///         Ok(true)
///     }
///
///     async fn delete(&self, key: &SessionKey) -> Result<()> {
///         self.0.lock().unwrap().remove(key);
///         Ok(())
///     }
///
///     async fn delete_all_of(&self, user: &str, but: Option<&SessionKey>) -> Result<u64> {
///         let mut records = self.0.lock().unwrap();
///         let before = records.len();
///         records.retain(|key, record| record.user.as_deref() != Some(user) || but == Some(key));
///         Ok((before - records.len()) as u64)
///     }
///
///     async fn delete_ended(&self, now: i64) -> Result<u64> {
///         let mut records = self.0.lock().unwrap();
///         let before = records.len();
///         records.retain(|_, record| record.ends_at > now);
///         Ok((before - records.len()) as u64)
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # nova_core::testing::session_store(&Simple::default()).await;
/// # }
/// ```
///
/// # Errors
/// Of every method: the store fails. The request is a 503 unless the error has a status of its own,
/// and nobody gets in by it.
///
/// # Cancel safety
/// The future is dropped when a client hangs up. Each change is done as a whole, or not at all.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no store of sessions",
    label = "a store of sessions is a value that implements `nova_core::SessionStore`"
)]
pub trait SessionStore: Send + Sync + 'static {
    /// The record under this key, if there is one. One that has ended may still be there.
    fn load(&self, key: &SessionKey) -> impl Future<Output = Result<Option<SessionRecord>>> + Send;

    /// Adds a record. It is an error if the key is taken: none is given twice.
    fn create(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Puts `record` in the place of the one before it, and says whether it has: it has not if there
    /// is none under this key, or if its version is not `record.version - 1`.
    fn update(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Removes the record under this key, if there is one.
    fn delete(&self, key: &SessionKey) -> impl Future<Output = Result<()>> + Send;

    /// Removes all records whose `user` is exactly this, but the one under the key `but`, and says
    /// how many those were.
    fn delete_all_of(
        &self,
        user: &str,
        but: Option<&SessionKey>,
    ) -> impl Future<Output = Result<u64>> + Send;

    /// Removes the records whose `ends_at` is not after `now`, and says how many those were. It is
    /// called now and then, so that the store does not grow for ever.
    fn delete_ended(&self, now: i64) -> impl Future<Output = Result<u64>> + Send;
}

/// What a store knows a session by: a SHA-256 of its id. Who reads it in a database, or in a backup
/// of one, cannot go on with the session.
///
/// As text it is 43 characters of base64, from `A` to `Z`, `a` to `z`, `0` to `9`, `-` and `_`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SessionKey([u8; 32]);

impl SessionKey {
    pub(crate) fn new(hash: [u8; 32]) -> Self {
        SessionKey(hash)
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl From<SessionKey> for String {
    fn from(key: SessionKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for SessionKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let hash = bytes.and_then(|bytes| bytes.try_into().ok());
        hash.map(SessionKey)
            .ok_or("the key of a session is 43 characters of base64")
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKey({self})")
    }
}

/// A session as a [`SessionStore`] keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Who has [logged in](crate::Session::log_in), if anybody has.
    pub user: Option<String>,
    /// What is in it, as JSON that only Nova reads; up to some 70 KiB.
    pub data: String,
    /// Counts the changes, from 1.
    pub version: i64,
    /// When it ends if it is not used, in milliseconds of Unix time.
    pub ends_at: i64,
}

/// Not what is in it: it may be secret.
impl fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRecord")
            .field("user", &self.user)
            .field("version", &self.version)
            .field("ends_at", &self.ends_at)
            .finish_non_exhaustive()
    }
}

/// [`SessionStore`] with its futures boxed.
pub(crate) trait ErasedStore: Send + Sync {
    fn load<'s>(&'s self, key: &'s SessionKey) -> BoxFuture<'s, Result<Option<SessionRecord>>>;
    fn create<'s>(
        &'s self,
        key: &'s SessionKey,
        record: &'s SessionRecord,
    ) -> BoxFuture<'s, Result<()>>;
    fn update<'s>(
        &'s self,
        key: &'s SessionKey,
        record: &'s SessionRecord,
    ) -> BoxFuture<'s, Result<bool>>;
    fn delete<'s>(&'s self, key: &'s SessionKey) -> BoxFuture<'s, Result<()>>;
    fn delete_all_of<'s>(
        &'s self,
        user: &'s str,
        but: Option<&'s SessionKey>,
    ) -> BoxFuture<'s, Result<u64>>;
    fn delete_ended(&self, now: i64) -> BoxFuture<'_, Result<u64>>;
}

impl<S: SessionStore> ErasedStore for S {
    fn load<'s>(&'s self, key: &'s SessionKey) -> BoxFuture<'s, Result<Option<SessionRecord>>> {
        Box::pin(SessionStore::load(self, key))
    }

    fn create<'s>(
        &'s self,
        key: &'s SessionKey,
        record: &'s SessionRecord,
    ) -> BoxFuture<'s, Result<()>> {
        Box::pin(SessionStore::create(self, key, record))
    }

    fn update<'s>(
        &'s self,
        key: &'s SessionKey,
        record: &'s SessionRecord,
    ) -> BoxFuture<'s, Result<bool>> {
        Box::pin(SessionStore::update(self, key, record))
    }

    fn delete<'s>(&'s self, key: &'s SessionKey) -> BoxFuture<'s, Result<()>> {
        Box::pin(SessionStore::delete(self, key))
    }

    fn delete_all_of<'s>(
        &'s self,
        user: &'s str,
        but: Option<&'s SessionKey>,
    ) -> BoxFuture<'s, Result<u64>> {
        Box::pin(SessionStore::delete_all_of(self, user, but))
    }

    fn delete_ended(&self, now: i64) -> BoxFuture<'_, Result<u64>> {
        Box::pin(SessionStore::delete_ended(self, now))
    }
}
