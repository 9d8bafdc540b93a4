//! Sessions in memory: bounded in number and in time.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::notification::RemovalCause;
use moka::ops::compute::{CompResult, Op};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::clock::Clock;
use super::store::{SessionKey, SessionRecord, SessionStore};
use crate::error::{Error, Result};

/// The store of an app that names no other.
pub(crate) struct MemoryStore {
    /// It has the bounds, and forgets what has ended; it is Nova that says what has.
    records: Cache<SessionKey, Arc<SessionRecord>>,
    users: Arc<Users>,
}

/// The sessions of each user. A std mutex: no guard lives across an `.await`, and a section is a
/// look into the map.
#[derive(Default)]
struct Users(Mutex<HashMap<String, HashSet<SessionKey>>>);

impl MemoryStore {
    /// For `capacity` sessions.
    pub(crate) fn new(capacity: u32) -> Self {
        let users = Arc::<Users>::default();
        let known = Arc::clone(&users);
        let records = Cache::builder()
            .max_capacity(capacity.into())
            // A new session always has a place: the one that was not used for longest makes room.
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(AtItsEnd(Clock::new()))
            .eviction_listener(move |key, record: Arc<SessionRecord>, cause| {
                if cause != RemovalCause::Replaced {
                    known.remove(&record, &key);
                }
            })
            .build();
        MemoryStore { records, users }
    }
}

impl SessionStore for MemoryStore {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>> {
        let record = self.records.get(key);
        Ok(record.map(|record| SessionRecord::clone(&record)))
    }

    async fn create(&self, key: &SessionKey, record: &SessionRecord) -> Result<()> {
        let created = self.records.entry(*key).and_compute_with(|old| match old {
            Some(_) => Op::Nop,
            None => {
                self.users.add(record, key);
                Op::Put(Arc::new(record.clone()))
            }
        });
        match created {
            CompResult::Inserted(_) => Ok(()),
            _ => Err(Error::internal("there is such a session already")),
        }
    }

    async fn update(&self, key: &SessionKey, record: &SessionRecord) -> Result<bool> {
        let updated = self.records.entry(*key).and_compute_with(|old| match old {
            Some(old) if old.value().version == record.version - 1 => {
                let old = old.into_value();
                if old.user != record.user {
                    self.users.remove(&old, key);
                    self.users.add(record, key);
                }
                Op::Put(Arc::new(record.clone()))
            }
            _ => Op::Nop,
        });
        Ok(matches!(updated, CompResult::ReplacedWith(_)))
    }

    async fn delete(&self, key: &SessionKey) -> Result<()> {
        self.records.invalidate(key);
        Ok(())
    }

    async fn delete_all_of(&self, user: &str, but: Option<&SessionKey>) -> Result<u64> {
        let mut removed = 0;
        for key in self.users.sessions(user) {
            if but == Some(&key) {
                continue;
            }
            let gone = self.records.entry(key).and_compute_with(|old| match old {
                Some(old) if old.value().user.as_deref() == Some(user) => Op::Remove,
                _ => Op::Nop,
            });
            removed += u64::from(matches!(gone, CompResult::Removed(_)));
        }
        Ok(removed)
    }

    /// The cache does that by itself.
    async fn delete_ended(&self, _now: i64) -> Result<u64> {
        Ok(0)
    }
}

impl Users {
    fn add(&self, record: &SessionRecord, key: &SessionKey) {
        if let Some(user) = &record.user {
            let mut users = self.lock();
            users.entry(user.clone()).or_default().insert(*key);
        }
    }

    fn remove(&self, record: &SessionRecord, key: &SessionKey) {
        let Some(user) = &record.user else { return };
        let mut users = self.lock();
        if let Some(keys) = users.get_mut(user) {
            keys.remove(key);
            if keys.is_empty() {
                users.remove(user);
            }
        }
    }

    fn sessions(&self, user: &str) -> Vec<SessionKey> {
        let users = self.lock();
        users.get(user).into_iter().flatten().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, HashSet<SessionKey>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the cache keeps a record.
struct AtItsEnd(Clock);

impl AtItsEnd {
    fn left(&self, record: &SessionRecord) -> Option<Duration> {
        let left = record.ends_at.saturating_sub(self.0.now());
        Some(Duration::from_millis(left.try_into().unwrap_or(0)))
    }
}

impl Expiry<SessionKey, Arc<SessionRecord>> for AtItsEnd {
    fn expire_after_create(
        &self,
        _key: &SessionKey,
        record: &Arc<SessionRecord>,
        _now: Instant,
    ) -> Option<Duration> {
        self.left(record)
    }

    fn expire_after_update(
        &self,
        _key: &SessionKey,
        record: &Arc<SessionRecord>,
        _now: Instant,
        _left: Option<Duration>,
    ) -> Option<Duration> {
        self.left(record)
    }
}

/// Without what is in it.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(user: Option<&str>) -> SessionRecord {
        SessionRecord {
            user: user.map(str::to_owned),
            data: String::new(),
            version: 1,
            ends_at: i64::MAX,
        }
    }

    #[tokio::test]
    async fn it_passes_the_tests_of_stores() {
        crate::testing::session_store(&MemoryStore::new(1000)).await;
    }

    #[tokio::test]
    async fn the_number_of_sessions_is_bounded_and_the_newest_are_there() {
        let store = MemoryStore::new(10);
        for n in 0..100 {
            let key = SessionKey::new([n; 32]);
            store.create(&key, &record(Some("ann"))).await.unwrap();
        }
        store.records.run_pending_tasks();
        assert_eq!(store.records.entry_count(), 10);
        assert_eq!(store.users.sessions("ann").len(), 10);
        let newest = SessionKey::new([99; 32]);
        assert!(store.load(&newest).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn who_has_no_session_is_not_remembered() {
        let store = MemoryStore::new(10);
        let [a, b, c] = [1, 2, 3].map(|n| SessionKey::new([n; 32]));
        for key in [a, b, c] {
            store.create(&key, &record(Some("ann"))).await.unwrap();
        }
        store.delete(&a).await.unwrap();
        let moved = SessionRecord {
            version: 2,
            ..record(None)
        };
        assert!(store.update(&b, &moved).await.unwrap());
        assert_eq!(store.users.sessions("ann"), [c]);
        store.delete_all_of("ann", None).await.unwrap();
        assert!(store.users.lock().is_empty());
    }
}
