//! Sessions in memory: bounded in number and in time.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::time::Instant;

use super::id::Id;
use crate::config::SessionConfig;
use crate::error::{Error, Result};

/// The most bytes of names and JSON that one session holds.
const MOST_BYTES: usize = 64 * 1024;

/// All sessions of an app.
pub(crate) struct Store {
    pub(super) config: SessionConfig,
    /// It has the bounds, and forgets what has expired. Whether a session has expired is decided
    /// by its own times: the cache's clock cannot be stopped in tests.
    sessions: Cache<Id, Arc<Mutex<Values>>>,
    /// Ids that were rotated away a moment ago. Requests with them are still under way, and must
    /// not begin sessions whose cookies would take the place of the new id.
    retired: Cache<Id, ()>,
}

/// How long a request may be under way with an id that was rotated away.
const RETIREMENT: Duration = Duration::from_secs(60);

struct Values {
    begun: Instant,
    used: Instant,
    /// As JSON.
    values: HashMap<String, String>,
}

/// Without what is in it.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    pub(crate) fn new(config: &SessionConfig) -> Self {
        let sessions = Cache::builder()
            .max_capacity(config.capacity.get().into())
            // A new session always has a place: the one that was not used for longest makes room.
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(config.idle_timeout)
            .time_to_live(config.absolute_timeout)
            .build();
        let retired = Cache::builder()
            .max_capacity(config.capacity.get().into())
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(RETIREMENT)
            .build();
        Store {
            config: config.clone(),
            sessions,
            retired,
        }
    }

    /// Whether there is such a session; if so, it has been used.
    pub(super) fn has(&self, id: &Id) -> bool {
        self.with(id, |_| ()).is_some()
    }

    pub(super) fn begin(&self) -> Result<Id> {
        let now = Instant::now();
        let id = Id::random()?;
        let values = Values {
            begun: now,
            used: now,
            values: HashMap::new(),
        };
        self.sessions.insert(id, Arc::new(Mutex::new(values)));
        Ok(id)
    }

    pub(super) fn get(&self, id: &Id, name: &str) -> Option<String> {
        self.with(id, |session| session.values.get(name).cloned())?
    }

    /// Whether this was the id of a session a moment ago, which has another one now.
    pub(super) fn is_retired(&self, id: &Id) -> bool {
        self.retired.contains_key(id)
    }

    /// `None` if there is no such session.
    pub(super) fn insert(&self, id: &Id, name: &str, json: &str) -> Option<Result<()>> {
        self.with(id, |session| {
            let others = session.values.iter().filter(|(known, _)| *known != name);
            let bytes: usize = others.map(|(name, json)| name.len() + json.len()).sum();
            if bytes + name.len() + json.len() > MOST_BYTES {
                return Err(Error::internal(format!(
                    "a session holds at most {MOST_BYTES} bytes: `{name}` is too long, keep it \
                     elsewhere"
                )));
            }
            session.values.insert(name.to_owned(), json.to_owned());
            Ok(())
        })
    }

    pub(super) fn remove(&self, id: &Id, name: &str) {
        self.with(id, |session| session.values.remove(name));
    }

    /// Gives the session a new id, unless it has ended. It does not live longer for that.
    pub(super) fn rotate(&self, id: &Id) -> Result<Option<Id>> {
        let new = Id::random()?;
        self.retired.insert(*id, ()); // first: at no time is the id simply unknown
        let Some(session) = self.sessions.remove(id) else {
            return Ok(None);
        };
        self.sessions.insert(new, session);
        Ok(Some(new))
    }

    pub(super) fn end(&self, id: &Id) {
        self.sessions.invalidate(id);
    }

    fn with<T>(&self, id: &Id, work: impl FnOnce(&mut Values) -> T) -> Option<T> {
        let session = self.sessions.get(id)?;
        let mut session = lock(&session);
        let now = Instant::now();
        if now - session.used >= self.config.idle_timeout
            || now - session.begun >= self.config.absolute_timeout
        {
            self.sessions.invalidate(id);
            return None;
        }
        session.used = now;
        Some(work(&mut session))
    }
}

fn lock(session: &Mutex<Values>) -> MutexGuard<'_, Values> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn store() -> Store {
        Store::new(&Config::default().session)
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_is_not_used_ends_after_two_hours() {
        let store = store();
        let id = store.begin().unwrap();
        store.insert(&id, "user", "1").unwrap().unwrap();
        for _ in 0..4 {
            tokio::time::advance(Duration::from_secs(7199)).await;
            assert_eq!(store.get(&id, "user").as_deref(), Some("1"));
        }
        tokio::time::advance(Duration::from_secs(7200)).await;
        assert!(!store.has(&id));
        assert!(store.insert(&id, "user", "1").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_after_14_days_though_it_is_used_and_rotated() {
        let store = store();
        let mut id = store.begin().unwrap();
        for _ in 0..14 * 24 - 1 {
            tokio::time::advance(Duration::from_secs(3600)).await;
            assert!(store.has(&id));
            id = store.rotate(&id).unwrap().unwrap();
        }
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert!(!store.has(&id));
    }

    #[tokio::test]
    async fn sessions_and_their_number_are_bounded() {
        let mut config = Config::default().session;
        config.capacity = 10.try_into().unwrap();
        let store = Store::new(&config);
        let ids: Vec<_> = (0..100).map(|_| store.begin().unwrap()).collect();
        store.sessions.run_pending_tasks();
        assert_eq!(store.sessions.entry_count(), 10);
        assert!(store.has(&ids[99]), "the newest is there");

        let id = store.begin().unwrap();
        let half = "x".repeat(MOST_BYTES / 2);
        store.insert(&id, "a", &half).unwrap().unwrap();
        store.insert(&id, "a", &half).unwrap().unwrap();
        assert!(store.insert(&id, "b", &half).unwrap().is_err());
    }
}
