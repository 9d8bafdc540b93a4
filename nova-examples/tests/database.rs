//! The database without the app: what is in it, and who may log in.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

#[macro_use]
mod common;

use nova_examples::notes::{Database, NewNote, NoteRepo, User, UserRepo};

use crate::common::TestDatabase;

on_both! {
    #[tokio::test] async fn
        a_user_is_found_by_exactly_their_name,
        a_user_is_saved_again_with_another_password,
        a_name_that_no_database_stores_belongs_to_nobody,
        a_database_is_opened_again_with_all_that_is_in_it,
        texts_come_back_as_they_went_in,
        its_sessions_pass_the_tests_of_stores;
}

async fn open(database: &TestDatabase) -> Database {
    let database = Database::new(database.url()).unwrap();
    database.open().await.unwrap();
    database
}

fn user(username: &str, password_hash: &str) -> Option<User> {
    Some(User {
        username: username.to_owned(),
        password_hash: password_hash.to_owned(),
    })
}

async fn a_user_is_found_by_exactly_their_name(database: TestDatabase) {
    let users = UserRepo::new(&open(&database).await);
    users.save("ann", "$hash").await.unwrap();

    assert_eq!(users.find("ann").await.unwrap(), user("ann", "$hash"));
    for other in ["Ann", "ann ", "an", "", "a%", "' OR '1'='1"] {
        assert_eq!(users.find(other).await.unwrap(), None, "{other}");
    }
}

async fn a_user_is_saved_again_with_another_password(database: TestDatabase) {
    let users = UserRepo::new(&open(&database).await);
    users.save("ann", "$old").await.unwrap();
    users.save("bob", "$bob").await.unwrap();
    users.save("ann", "$new").await.unwrap();

    assert_eq!(users.find("ann").await.unwrap(), user("ann", "$new"));
    assert_eq!(users.find("bob").await.unwrap(), user("bob", "$bob"));
}

async fn a_name_that_no_database_stores_belongs_to_nobody(database: TestDatabase) {
    let users = UserRepo::new(&open(&database).await);

    assert_eq!(users.find("a\0nn").await.unwrap(), None);
    assert!(users.save("a\0nn", "$hash").await.is_err());
    assert!(users.save("ann", "\0").await.is_err());
}

async fn a_database_is_opened_again_with_all_that_is_in_it(database: TestDatabase) {
    UserRepo::new(&open(&database).await)
        .save("ann", "$hash")
        .await
        .unwrap();
    let users = UserRepo::new(&open(&database).await);

    assert_eq!(users.find("ann").await.unwrap(), user("ann", "$hash"));
}

async fn texts_come_back_as_they_went_in(database: TestDatabase) {
    let notes = NoteRepo::new(&open(&database).await);
    for text in [
        "",
        " ",
        "'\"\\%_$1?",
        "Grüße, 世界 🦀",
        "\u{1}\r\n\t\u{feff}\u{fffd}",
    ] {
        let new = NewNote {
            title: text.to_owned(),
            body: text.to_owned(),
            author: text.to_owned(),
        };
        let created = notes.create(new).await.unwrap();
        assert_eq!(created.title, text);
        assert_eq!(notes.get(created.id).await.unwrap(), Some(created));
    }
}

async fn its_sessions_pass_the_tests_of_stores(database: TestDatabase) {
    let sessions = open(&database).await.sessions();
    nova_core::testing::session_store(&sessions).await;
}

#[test]
fn the_table_of_sessions_is_that_of_the_crate() {
    for migration in [
        include_str!("../notes/migrations/sqlite/0003_sessions.sql"),
        include_str!("../notes/migrations/postgres/0003_sessions.sql"),
    ] {
        assert_eq!(migration, nova_sessions_sqlx::TABLE);
    }
}

#[test]
fn debug_does_not_show_a_hash() {
    let shown = format!("{:?}", user("ann", "$hash"));
    assert!(shown.contains("ann") && !shown.contains("hash"), "{shown}");
}

#[tokio::test]
async fn debug_does_not_show_a_password() {
    let database = Database::new("postgres://ann:secret@localhost/notes").unwrap();
    let shown = format!("{database:?} {:?}", NoteRepo::new(&database));
    assert!(
        shown.contains("ann:***@") && !shown.contains("secret"),
        "{shown}"
    );
}
