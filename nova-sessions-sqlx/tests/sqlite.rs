//! The store over SQLite; that of the notes app is tried over PostgreSQL, too.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::{App, Request, SessionStore, testing};
use nova_sessions_sqlx::SqlSessions;
use sqlx::AnyPool;
use sqlx::any::AnyPoolOptions;
use tempfile::TempDir;

async fn pool(folder: &TempDir, connections: u32) -> AnyPool {
    sqlx::any::install_default_drivers();
    let url = format!("sqlite:{}/app.db?mode=rwc", folder.path().display());
    let options = AnyPoolOptions::new().max_connections(connections);
    options.connect(&url).await.unwrap()
}

#[tokio::test]
async fn it_passes_the_tests_of_stores() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqlSessions::new(&pool(&folder, 4).await);
    store.create_table().await.unwrap();
    store.create_table().await.unwrap();
    testing::session_store(&store).await;
}

#[tokio::test]
async fn what_has_ended_is_removed_however_much_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let pool = pool(&folder, 1).await;
    let store = SqlSessions::new(&pool);
    store.create_table().await.unwrap();
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1201) \
                INSERT INTO nova_sessions SELECT 'key ' || i, NULL, '{}', 1, i FROM n";
    sqlx::query(fill).execute(&pool).await.unwrap();
    assert_eq!(store.delete_ended(1200).await.unwrap(), 1200);
    assert_eq!(store.delete_ended(1200).await.unwrap(), 0);
    assert_eq!(store.delete_ended(1201).await.unwrap(), 1);
}

#[tokio::test]
async fn without_its_table_a_session_is_a_503() {
    async fn log_in(request: Request) -> nova_core::Result<()> {
        request.session().log_in("ann").await
    }
    let folder = tempfile::tempdir().unwrap();
    let store = SqlSessions::new(&pool(&folder, 1).await);
    let app = App::builder().session_store(store).route(("/", log_in));
    let client = testing::TestClient::new(app.build().unwrap());
    assert_eq!(client.get("/").await.status(), 503);
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pool = pool(&folder, 1).await;
    let store = SqlSessions::new(&pool).patience(std::time::Duration::ZERO);
    let held = pool.acquire().await.unwrap();
    let error = store.delete_ended(0).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no answer from the database within 0ns")
    );
    drop(held);
}
