//! What the book's page on deployment shows.

use nova_core::testing::TestClient;
use nova_core::{App, AppBuilder, Environment, Error, Result};

fn in_prod(file: &str) -> AppBuilder {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/book");
    App::builder()
        .environment(Environment::Prod)
        .config_file(format!("{folder}/{file}"))
}

#[derive(Clone)]
struct Database;

impl Database {
    async fn ping(&self) -> Result<()> {
        Err(Error::new(503, "it is not reached"))
    }
}

fn checked(app: AppBuilder, database: Database) -> AppBuilder {
    // ANCHOR: ready
    app.ready("database", move || {
        let database = database.clone();
        async move { database.ping().await }
    })
    // ANCHOR_END: ready
}

#[tokio::test]
async fn the_settings_behind_a_proxy_are_right_and_the_check_is_asked() {
    let app = checked(in_prod("deployment_proxy.toml"), Database);
    let client = TestClient::new(app.build().unwrap());

    let answer = client.get("/health/ready").await;

    let shown = include_str!("../book/not_ready.json");
    assert_eq!(
        (answer.status().as_u16(), answer.text()),
        (503, shown.trim_end())
    );
}

#[cfg(feature = "tls")]
#[test]
fn the_settings_with_https_are_right() {
    in_prod("deployment_tls.toml").build().unwrap();
}
