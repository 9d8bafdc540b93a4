//! What every [`SessionStore`] has to do, as tests.

use futures_util::future::join_all;

use crate::session::{SessionKey, SessionRecord, SessionStore};

/// Tries all that [`SessionStore`] promises. The store may have sessions in it; those of the users
/// that this makes up are removed. [`SessionStore`] shows it at work.
///
/// # Panics
/// If the store does otherwise, with a message that says what.
pub async fn session_store<S: SessionStore>(store: &S) {
    what_is_not_there(store).await;
    what_was_created_is_there(store).await;
    a_key_is_not_given_twice(store).await;
    an_update_takes_the_place_of_the_version_before(store).await;
    of_two_updates_one_counts(store).await;
    what_was_deleted_is_gone(store).await;
    the_sessions_of_a_user_end_together(store).await;
    what_has_ended_is_removed(store).await;
}

fn key() -> SessionKey {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system gives random numbers");
    SessionKey::new(bytes)
}

/// A name that no other run has.
fn user(name: &str) -> String {
    format!("{name} {}", key())
}

fn record(user: Option<&str>) -> SessionRecord {
    SessionRecord {
        user: user.map(str::to_owned),
        data: r#"{"values":{"user":"ann"}}"#.to_owned(),
        version: 1,
        ends_at: NEVER,
    }
}

/// The end of the year 9999, in milliseconds.
const NEVER: i64 = 253_402_300_799_999;

fn next(record: &SessionRecord, data: &str) -> SessionRecord {
    SessionRecord {
        data: data.to_owned(),
        version: record.version + 1,
        ..record.clone()
    }
}

async fn create<S: SessionStore>(store: &S, record: &SessionRecord) -> SessionKey {
    let key = key();
    let created = store.create(&key, record).await;
    created.unwrap_or_else(|error| panic!("no record can be created: {error}"));
    key
}

async fn load<S: SessionStore>(store: &S, key: &SessionKey) -> Option<SessionRecord> {
    let loaded = store.load(key).await;
    loaded.unwrap_or_else(|error| panic!("no record can be loaded: {error}"))
}

async fn update<S: SessionStore>(store: &S, key: &SessionKey, record: &SessionRecord) -> bool {
    let updated = store.update(key, record).await;
    updated.unwrap_or_else(|error| panic!("no record can be updated: {error}"))
}

async fn delete<S: SessionStore>(store: &S, key: &SessionKey) {
    let deleted = store.delete(key).await;
    deleted.unwrap_or_else(|error| panic!("no record can be deleted: {error}"));
}

async fn delete_all_of<S: SessionStore>(store: &S, user: &str, but: Option<&SessionKey>) -> u64 {
    let deleted = store.delete_all_of(user, but).await;
    deleted.unwrap_or_else(|error| panic!("no user's records can be deleted: {error}"))
}

async fn what_is_not_there<S: SessionStore>(store: &S) {
    let key = key();
    assert_eq!(load(store, &key).await, None, "nothing was created");
    let second = next(&record(None), "{}");
    assert!(
        !update(store, &key, &second).await,
        "an update creates none"
    );
    assert_eq!(load(store, &key).await, None, "an update creates none");
    delete(store, &key).await;
    assert_eq!(delete_all_of(store, &user("nobody"), None).await, 0);
}

async fn what_was_created_is_there<S: SessionStore>(store: &S) {
    let long = format!("{{\"x\":\"{}\"}}", "ü😀".repeat(12_000));
    for record in [
        record(None),
        record(Some(&user("Grüße, 世界 🦀 '\"\\%_"))),
        next(&record(None), ""),
        SessionRecord {
            data: long,
            ..record(None)
        },
    ] {
        let key = create(store, &record).await;
        let loaded = load(store, &key).await;
        assert!(
            loaded.as_ref() == Some(&record),
            "what was created comes back as it was: {record:?} as {loaded:?}"
        );
        delete(store, &key).await;
    }
}

async fn a_key_is_not_given_twice<S: SessionStore>(store: &S) {
    let first = record(None);
    let key = create(store, &first).await;
    let second = SessionRecord {
        data: "{}".to_owned(),
        ..first.clone()
    };
    let again = store.create(&key, &second).await;
    assert!(again.is_err(), "a key that is taken is an error");
    assert_eq!(load(store, &key).await, Some(first), "the first one stays");
    delete(store, &key).await;
}

async fn an_update_takes_the_place_of_the_version_before<S: SessionStore>(store: &S) {
    let first = record(None);
    let (key, other) = (create(store, &first).await, create(store, &first).await);
    let second = SessionRecord {
        user: Some(user("ann")),
        ends_at: NEVER - 1,
        ..next(&first, "{\"second\":1}")
    };
    assert!(update(store, &key, &second).await, "1 becomes 2");
    assert_eq!(load(store, &key).await.as_ref(), Some(&second), "all of it");
    assert_eq!(load(store, &other).await.as_ref(), Some(&first), "one key");
    for stale in [
        SessionRecord {
            version: 2,
            ..first.clone()
        },
        SessionRecord {
            version: 4,
            ..first.clone()
        },
        first.clone(),
    ] {
        let version = stale.version;
        let updated = update(store, &key, &stale).await;
        assert!(!updated, "2 does not become {version}");
    }
    assert_eq!(load(store, &key).await.as_ref(), Some(&second));
    let nobodys = SessionRecord {
        user: None,
        ..next(&second, "{}")
    };
    assert!(update(store, &key, &nobodys).await, "2 becomes 3");
    let user = second.user.as_deref().unwrap_or_default();
    let deleted = delete_all_of(store, user, None).await;
    assert_eq!(deleted, 0, "it is not that user's any more");
    delete(store, &key).await;
    delete(store, &other).await;
}

async fn of_two_updates_one_counts<S: SessionStore>(store: &S) {
    let first = record(None);
    let key = create(store, &first).await;
    let updates: Vec<_> = (0..8)
        .map(|n| next(&first, &format!("{{\"n\":{n}}}")))
        .collect();
    let done = join_all(updates.iter().map(|record| update(store, &key, record))).await;
    let counted: Vec<_> = updates.iter().zip(done).filter(|(_, done)| *done).collect();
    assert_eq!(
        counted.len(),
        1,
        "of eight updates to version 2, one counts"
    );
    assert_eq!(load(store, &key).await.as_ref(), Some(counted[0].0));
    delete(store, &key).await;
}

async fn what_was_deleted_is_gone<S: SessionStore>(store: &S) {
    let first = record(Some(&user("ann")));
    let (key, other) = (create(store, &first).await, create(store, &first).await);
    delete(store, &key).await;
    delete(store, &key).await;
    assert_eq!(load(store, &key).await, None, "it was deleted");
    let second = next(&first, "{}");
    assert!(!update(store, &key, &second).await, "it does not come back");
    assert_eq!(load(store, &key).await, None, "it does not come back");
    assert_eq!(load(store, &other).await, Some(first), "one key");
    delete(store, &other).await;
}

async fn the_sessions_of_a_user_end_together<S: SessionStore>(store: &S) {
    let ann = user("ann");
    let (shout, longer) = (ann.to_uppercase(), format!("{ann} "));
    let anns = record(Some(&ann));
    let mut keys = Vec::new();
    for _ in 0..3 {
        keys.push(create(store, &anns).await);
    }
    let mut others = Vec::new();
    for other in [None, Some(&*shout), Some(&*longer), Some("%")] {
        others.push(create(store, &record(other)).await);
    }
    let ended = delete_all_of(store, &ann, Some(&keys[0])).await;
    assert_eq!(ended, 2, "all three but one");
    assert_eq!(load(store, &keys[0]).await, Some(anns), "that one");
    assert_eq!(load(store, &keys[1]).await, None);
    assert_eq!(load(store, &keys[2]).await, None);
    assert_eq!(delete_all_of(store, &ann, None).await, 1);
    assert_eq!(load(store, &keys[0]).await, None);
    for key in &others {
        assert!(load(store, key).await.is_some(), "the others' stay");
        delete(store, key).await;
    }
}

async fn what_has_ended_is_removed<S: SessionStore>(store: &S) {
    let ended = SessionRecord {
        ends_at: 1000,
        ..record(None)
    };
    let (ended, live) = (
        create(store, &ended).await,
        create(store, &record(None)).await,
    );
    let removed = store.delete_ended(1000).await;
    removed.unwrap_or_else(|error| panic!("what has ended cannot be removed: {error}"));
    assert_eq!(load(store, &ended).await, None, "it has ended");
    assert!(load(store, &live).await.is_some(), "it has not ended");
    delete(store, &live).await;
}
