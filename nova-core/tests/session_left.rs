//! Sessions whose client hangs up while they end.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nova_core::pubsub::Received;
use nova_core::testing::TestClient;
use nova_core::{App, Request, Result, SessionKey, SessionRecord, SessionStore, SessionsEnded};
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;
use tokio::time::timeout;

/// A store whose answer to a deletion takes its time.
#[derive(Clone, Default)]
struct Slow(Arc<Inner>);

#[derive(Default)]
struct Inner {
    records: Mutex<HashMap<SessionKey, SessionRecord>>,
    deletes: Notify,
    answers: Notify,
}

impl Slow {
    async fn answer(&self) {
        self.0.deletes.notify_one();
        self.0.answers.notified().await;
    }
}

impl SessionStore for Slow {
    async fn load(&self, key: &SessionKey) -> Result<Option<SessionRecord>> {
        Ok(self.0.records.lock().unwrap().get(key).cloned())
    }

    async fn create(&self, key: &SessionKey, record: &SessionRecord) -> Result<()> {
        self.0.records.lock().unwrap().insert(*key, record.clone());
        Ok(())
    }

    async fn update(&self, key: &SessionKey, record: &SessionRecord) -> Result<bool> {
        self.create(key, record).await?;
        Ok(true)
    }

    async fn delete(&self, key: &SessionKey) -> Result<()> {
        self.0.records.lock().unwrap().remove(key);
        self.answer().await;
        Ok(())
    }

    async fn delete_all_of(&self, user: &str, but: Option<&SessionKey>) -> Result<u64> {
        let is_kept = |key: &SessionKey, record: &mut SessionRecord| {
            record.user.as_deref() != Some(user) || Some(key) == but
        };
        self.0.records.lock().unwrap().retain(is_kept);
        self.answer().await;
        Ok(1)
    }

    async fn delete_ended(&self, _now: i64) -> Result<u64> {
        Ok(0)
    }
}

/// Says that the request it belongs to is no more.
struct Left(Arc<Notify>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_to_hear_of_the_end_does_though_the_client_hangs_up() {
    for how in ["end", "end_others", "end_all_of"] {
        let (slow, left) = (Slow::default(), Arc::<Notify>::default());
        let leaves = Arc::clone(&left);
        let end = move |request: Request| {
            let leaves = Arc::clone(&leaves);
            async move {
                let _left = Left(leaves);
                let session = request.session();
                match how {
                    "end" => session.end().await,
                    "end_others" => session.end_others().await.map(drop),
                    _ => session.end_all_of("ann").await.map(drop),
                }
            }
        };
        let app = App::builder()
            .session_store(slow.clone())
            .route(("/login", |request: Request| async move {
                request.session().log_in("ann").await
            }))
            .route(("/end", end));
        let client = TestClient::new(app.build().unwrap());
        let answer = client.get("/login").await;
        let cookie = answer.header("set-cookie").unwrap().to_owned();
        let cookie = cookie.split(';').next().unwrap();
        let mut mailbox = client.pubsub().mailbox();
        mailbox.join(SessionsEnded::CHANNEL);

        let mut raw = client.connect();
        let request = format!("GET /end HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\n\r\n");
        raw.write_all(request.as_bytes()).await.unwrap();
        slow.0.deletes.notified().await;
        drop(raw);
        left.notified().await;
        slow.0.answers.notify_one();

        let told = timeout(Duration::from_secs(5), mailbox.recv()).await;
        let Ok(Some(Received::Message(message))) = told else {
            panic!("{how}: {told:?}");
        };
        let ended: Arc<SessionsEnded> = message.decode().unwrap();
        assert_eq!(ended.user, "ann", "{how}");
    }
}
