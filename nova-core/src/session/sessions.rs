//! The sessions of an app: when they begin, change and end, over whatever store they are in.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::clock::Clock;
use super::data::{CSRF_TOKEN, Data};
use super::id::{Id, Signer};
use super::memory::MemoryStore;
use super::store::{ErasedStore, SessionRecord};
use crate::config::SessionConfig;
use crate::error::{Error, Result};

/// How long a request may be under way with an id that was rotated away.
const RETIREMENT: Duration = Duration::from_secs(60);

/// A session's life is extended in steps of this part of its `idle`: a store that writes to
/// a disk need not do so for every request.
const STEPS: i64 = 120;

/// How often a change is tried again because another one came first. They are those of one client.
const TRIES: usize = 32;

/// What a cookie leads to.
pub(super) enum Found {
    Live(Box<Live>),
    /// The session has got another id a moment ago.
    Retired,
    None,
}

/// A session as it was a moment ago.
pub(super) struct Live {
    pub(super) id: Id,
    record: SessionRecord,
    pub(super) data: Data,
}

impl Live {
    pub(super) fn user(&self) -> Option<&str> {
        self.record.user.as_deref()
    }
}

/// All sessions of an app.
pub(crate) struct Sessions {
    pub(super) config: SessionConfig,
    pub(super) signer: Signer,
    store: Arc<dyn ErasedStore>,
    clock: Clock,
}

impl Sessions {
    pub(crate) fn in_memory(config: &SessionConfig) -> Self {
        let store = MemoryStore::new(config.capacity.get());
        Sessions::new(config, Arc::new(store))
    }

    pub(crate) fn new(config: &SessionConfig, store: Arc<dyn ErasedStore>) -> Self {
        Sessions {
            config: config.clone(),
            signer: Signer::new(&config.secret, &config.cookie),
            store,
            clock: Clock::new(),
        }
    }

    /// What this id leads to. If that is a session, it has been used.
    pub(super) async fn find(&self, id: Id) -> Result<Found> {
        let mut found = self.look(id).await?;
        if let Found::Live(live) = &mut found {
            self.touch(live).await;
        }
        Ok(found)
    }

    async fn look(&self, id: Id) -> Result<Found> {
        let Some(record) = failing(self.store.load(&id.key()).await)? else {
            return Ok(Found::None);
        };
        let data = Data::read(&record.data)?;
        let now = self.clock.now();
        Ok(if now >= record.ends_at || now >= self.latest_end(&data) {
            Found::None
        } else if data.retired {
            Found::Retired
        } else {
            Found::Live(Box::new(Live { id, record, data }))
        })
    }

    /// Lets the session live for as long again. If that fails, it lives a little shorter.
    async fn touch(&self, live: &mut Live) {
        let ends_at = self.end(&live.data);
        let step = millis(self.config.idle) / STEPS;
        if ends_at.abs_diff(live.record.ends_at) <= step.unsigned_abs() {
            return;
        }
        let touched = SessionRecord {
            ends_at,
            version: live.record.version + 1,
            ..live.record.clone()
        };
        match self.store.update(&live.id.key(), &touched).await {
            Ok(true) => live.record = touched,
            Ok(false) => {} // somebody else has used it just now
            Err(error) => warn!("a session is not kept for longer, as its store fails: {error}"),
        }
    }

    /// Begins a session.
    pub(super) async fn begin(&self, user: Option<&str>, change: impl Fn(&mut Data)) -> Result<Id> {
        let mut data = Data {
            begun: self.clock.now(),
            ..Data::default()
        };
        change(&mut data);
        self.create(user, &data).await
    }

    async fn create(&self, user: Option<&str>, data: &Data) -> Result<Id> {
        let id = Id::random()?;
        let record = SessionRecord {
            user: user.map(str::to_owned),
            data: data.written()?,
            version: 1,
            ends_at: self.end(data),
        };
        failing(self.store.create(&id.key(), &record).await)?;
        Ok(id)
    }

    /// Changes a session, and gives it as it is then; or what there is in its place, if it has ended
    /// or has another id by now.
    pub(super) async fn change(&self, live: Live, change: impl Fn(&mut Data)) -> Result<Found> {
        let mut live = live;
        for _ in 0..TRIES {
            change(&mut live.data);
            let changed = SessionRecord {
                data: live.data.written()?,
                version: live.record.version + 1,
                ends_at: self.end(&live.data),
                user: live.record.user.clone(),
            };
            if failing(self.store.update(&live.id.key(), &changed).await)? {
                live.record = changed;
                return Ok(Found::Live(Box::new(live)));
            }
            match self.look(live.id).await? {
                Found::Live(newer) => live = *newer,
                other => return Ok(other),
            }
        }
        Err(busy())
    }

    /// Gives a session a new id, and makes the old one worthless; `None` if it has ended, or has
    /// another id already.
    ///
    /// With a `user`, it is theirs from now on. What another user had in it is forgotten, and it
    /// begins anew: somebody has just proved who they are.
    pub(super) async fn rotate(&self, live: Live, user: Option<&str>) -> Result<Option<Id>> {
        let mut live = live;
        for _ in 0..TRIES {
            let mut data = live.data.clone();
            if let Some(user) = user {
                if live.user().is_some_and(|other| other != user) {
                    data = Data::default();
                }
                data.values.remove(CSRF_TOKEN);
                data.begun = self.clock.now();
            }
            // The new one first: at no time is there none. Nobody knows its id yet.
            let new = self.create(user.or(live.user()), &data).await?;
            match self.retire(&live, RETIREMENT).await {
                Ok(true) => return Ok(Some(new)),
                Ok(false) => failing(self.store.delete(&new.key()).await)?,
                Err(error) => {
                    let _ = self.store.delete(&new.key()).await;
                    return Err(error);
                }
            }
            match self.look(live.id).await? {
                Found::Live(newer) => live = *newer,
                Found::Retired | Found::None => return Ok(None),
            }
        }
        Err(busy())
    }

    /// Makes an id worthless, and says whether it has: the session may have changed. For so long, it is
    /// known what it was.
    async fn retire(&self, live: &Live, known: Duration) -> Result<bool> {
        let data = Data {
            begun: live.data.begun,
            retired: true,
            ..Data::default()
        };
        let retired = SessionRecord {
            user: None,
            data: data.written()?,
            version: live.record.version + 1,
            ends_at: self.clock.now() + millis(known),
        };
        failing(self.store.update(&live.id.key(), &retired).await)
    }

    /// Ends a session, and says whether it has: it has not if it got another id meanwhile.
    ///
    /// First it is marked, by its version: a rotation that is under way at the same time has either come
    /// first, and is seen here, or finds nothing to go on with. A mere deletion would take the old id
    /// away, and leave the new one.
    pub(super) async fn end_live(&self, live: Live) -> Result<bool> {
        let mut live = live;
        for _ in 0..TRIES {
            if self.retire(&live, Duration::ZERO).await? {
                self.end_one(live.id).await?;
                return Ok(true);
            }
            match self.look(live.id).await? {
                Found::Live(newer) => live = *newer,
                Found::Retired => return Ok(false),
                Found::None => return Ok(true),
            }
        }
        Err(busy())
    }

    /// Ends a session whose id nobody else has.
    pub(super) async fn end_one(&self, id: Id) -> Result<()> {
        failing(self.store.delete(&id.key()).await)
    }

    pub(super) async fn end_all_of(&self, user: &str, but: Option<Id>) -> Result<u64> {
        let but = but.map(|id| id.key());
        failing(self.store.delete_all_of(user, but.as_ref()).await)
    }

    /// Removes what has ended from the store.
    pub(super) async fn sweep(&self) -> Result<u64> {
        self.store.delete_ended(self.clock.now()).await
    }

    /// When a session ends that is used now.
    fn end(&self, data: &Data) -> i64 {
        let idle = self.clock.now() + millis(self.config.idle);
        idle.min(self.latest_end(data))
    }

    fn latest_end(&self, data: &Data) -> i64 {
        data.begun.saturating_add(millis(self.config.absolute))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A store that fails is a 503: nobody is taken for a stranger for it.
fn failing<T>(answer: Result<T>) -> Result<T> {
    answer.map_err(|error| match error.named_status() {
        Some(_) => error,
        None => error
            .with_status(503)
            .with_detail("sessions cannot be read or written now: try again in a moment"),
    })
}

fn busy() -> Error {
    Error::new(
        503,
        "the session is being changed by others: send the request again",
    )
}

/// Without what is in them.
impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::config::Config;

    fn sessions() -> Sessions {
        Sessions::in_memory(&Config::default().session)
    }

    async fn begun(sessions: &Sessions) -> Id {
        sessions.begin(None, |_| ()).await.unwrap()
    }

    async fn live(sessions: &Sessions, id: Id) -> Option<Live> {
        match sessions.find(id).await.unwrap() {
            Found::Live(live) => Some(*live),
            Found::Retired | Found::None => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_is_not_used_ends_after_two_hours() {
        let sessions = sessions();
        let id = begun(&sessions).await;
        for _ in 0..4 {
            advance(Duration::from_secs(7100)).await;
            assert!(live(&sessions, id).await.is_some());
        }
        advance(Duration::from_secs(7200)).await;
        assert!(live(&sessions, id).await.is_none());
        assert!(live(&sessions, id).await.is_none(), "it does not come back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_after_14_days_though_it_is_used_and_rotated() {
        let sessions = sessions();
        let mut id = begun(&sessions).await;
        for _ in 0..14 * 24 - 1 {
            advance(Duration::from_secs(3600)).await;
            let session = live(&sessions, id).await.unwrap();
            id = sessions.rotate(session, None).await.unwrap().unwrap();
        }
        advance(Duration::from_secs(3600)).await;
        assert!(live(&sessions, id).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_begins_the_14_days_anew() {
        let sessions = sessions();
        let mut id = begun(&sessions).await;
        for hour in 0..15 * 24 {
            advance(Duration::from_secs(3600)).await;
            let session = live(&sessions, id).await.unwrap();
            if hour == 13 * 24 {
                let rotated = sessions.rotate(session, Some("ann")).await;
                id = rotated.unwrap().unwrap();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_id_is_remembered_for_a_minute() {
        let sessions = sessions();
        let old = begun(&sessions).await;
        let session = live(&sessions, old).await.unwrap();
        sessions.rotate(session, None).await.unwrap().unwrap();
        advance(Duration::from_secs(59)).await;
        assert!(matches!(sessions.find(old).await.unwrap(), Found::Retired));
        advance(Duration::from_secs(2)).await;
        assert!(matches!(sessions.find(old).await.unwrap(), Found::None));
    }

    #[tokio::test]
    async fn of_a_log_out_and_a_rotation_at_once_the_first_counts_and_the_other_knows() {
        let sessions = sessions();
        for is_rotated_first in [true, false] {
            let id = sessions.begin(Some("ann"), |_| ()).await.unwrap();
            let one = live(&sessions, id).await.unwrap();
            let other = live(&sessions, id).await.unwrap();
            if is_rotated_first {
                let new = sessions.rotate(one, None).await.unwrap().unwrap();
                assert!(!sessions.end_live(other).await.unwrap());
                assert!(live(&sessions, new).await.is_some());
            } else {
                assert!(sessions.end_live(one).await.unwrap());
                assert!(sessions.rotate(other, None).await.unwrap().is_none());
            }
            let left = sessions.end_all_of("ann", None).await.unwrap();
            assert_eq!(left, u64::from(is_rotated_first));
        }
    }

    #[tokio::test]
    async fn a_session_that_was_changed_meanwhile_ends_all_the_same() {
        let sessions = sessions();
        let id = begun(&sessions).await;
        let [before, other] = [
            live(&sessions, id).await.unwrap(),
            live(&sessions, id).await.unwrap(),
        ];
        sessions.change(other, |_| ()).await.unwrap();
        assert!(sessions.end_live(before).await.unwrap());
        assert!(live(&sessions, id).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn reading_writes_to_the_store_once_a_minute_at_most() {
        let sessions = sessions();
        let id = begun(&sessions).await;
        for _ in 0..1000 {
            advance(Duration::from_secs(1)).await;
            live(&sessions, id).await.unwrap();
        }
        let record = sessions.store.load(&id.key()).await.unwrap().unwrap();
        assert!((14..=18).contains(&record.version), "{}", record.version);
    }

    #[tokio::test]
    async fn a_session_is_bounded() {
        let sessions = sessions();
        let id = begun(&sessions).await;
        for (bytes, fits) in [(32 * 1024, true), (65 * 1024, false)] {
            let text = "x".repeat(bytes);
            let json = serde_json::value::to_raw_value(&text).unwrap();
            let session = live(&sessions, id).await.unwrap();
            let put = |data: &mut Data| drop(data.values.insert("a".into(), json.clone()));
            assert_eq!(sessions.change(session, put).await.is_ok(), fits);
        }
    }

    #[tokio::test]
    async fn of_changes_at_once_none_is_lost() {
        let sessions = sessions();
        let id = begun(&sessions).await;
        let mut before = Vec::new();
        for _ in 0..10 {
            before.push(live(&sessions, id).await.unwrap());
        }
        for (n, session) in before.into_iter().enumerate() {
            let json = serde_json::value::to_raw_value(&n).unwrap();
            let put = |data: &mut Data| drop(data.values.insert(n.to_string(), json.clone()));
            sessions.change(session, put).await.unwrap();
        }
        let session = live(&sessions, id).await.unwrap();
        assert_eq!(session.data.values.len(), 10);
    }
}
