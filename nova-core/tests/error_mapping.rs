//! What errors of an app's own types mean.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::fmt;

use nova_core::testing::{TestClient, TestResponse};
use nova_core::{
    App, AppBuilder, Environment, Error, Failure, Fallback, Head, Reply, Request, Result,
    ResultExt, text,
};

#[derive(Debug)]
enum RepoError {
    Missing(u32),
    Gone,
}

impl fmt::Display for RepoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the table has said: {self:?}")
    }
}

impl std::error::Error for RepoError {}

/// An error that has a `RepoError` as its cause.
#[derive(Debug)]
struct Around(RepoError);

impl fmt::Display for Around {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("around")
    }
}

impl std::error::Error for Around {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn meaning(error: &RepoError) -> Error {
    match error {
        RepoError::Missing(id) => Error::new(404, format!("there is no note {id}")),
        RepoError::Gone => panic!("no meaning"),
    }
}

fn app() -> AppBuilder {
    App::builder()
        .environment(Environment::Prod)
        .error(meaning)
        .error(|_: &fmt::Error| Error::new(503, "come back later").with_header("retry-after", 2))
}

async fn answered(app: AppBuilder, fail: fn() -> Result<()>) -> TestResponse {
    let app = app.route(("/", move |_: Request| async move { fail() }));
    TestClient::new(app.build().unwrap()).get("/").await
}

fn missing<T>() -> Result<T, RepoError> {
    Err(RepoError::Missing(7))
}

#[tokio::test]
async fn an_error_is_what_its_type_means() {
    let response = answered(app(), || Ok(missing()?)).await;
    assert_eq!(response.status(), 404);
    assert!(response.text().contains("there is no note 7"));
    assert!(!response.text().contains("the table"));

    let response = answered(app(), || Ok(Err(fmt::Error)?)).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.header("retry-after"), Some("2"));
}

#[tokio::test]
async fn a_status_that_is_named_at_the_place_stays() {
    let response = answered(app(), || missing().status(409)).await;
    assert_eq!(response.status(), 409);
    assert!(!response.text().contains("there is no note"));

    let response = answered(app(), || {
        Err(Error::new(410, "x").with_source(RepoError::Gone))
    })
    .await;
    assert_eq!(response.status(), 410);
}

#[tokio::test]
async fn a_detail_that_is_given_at_the_place_stays() {
    let fail = || Err(Error::from(RepoError::Missing(7)).with_detail("no such page"));
    let response = answered(app(), fail).await;
    assert_eq!(response.status(), 404);
    assert!(response.text().contains("no such page"));
}

#[tokio::test]
async fn errors_of_other_types_are_500_also_around_a_mapped_one() {
    let response = answered(app(), || Err(Around(RepoError::Missing(7)).into())).await;
    assert_eq!(response.status(), 500);
    let response = answered(app(), || Err(std::io::Error::other("x").into())).await;
    assert_eq!(response.status(), 500);
}

#[tokio::test]
async fn a_mapping_that_panics_is_a_500() {
    let response = answered(app(), || Err(RepoError::Gone.into())).await;
    assert_eq!(response.status(), 500);
}

#[tokio::test]
async fn a_fallback_sees_what_the_error_means_and_what_it_was() {
    struct Looks;
    impl Fallback for Looks {
        async fn resolve(&self, failure: Failure, _head: &Head) -> Result<Reply, Failure> {
            let error = failure.error().unwrap();
            let was = error.downcast_ref::<RepoError>().is_some();
            Ok(text(format!("{} {was}", error.status())))
        }
    }
    let response = answered(app().fallback(Looks), || Ok(missing()?)).await;
    assert_eq!(response.status(), 404);
    assert_eq!(response.text(), "404 Not Found true");
}

#[tokio::test]
async fn what_a_fallback_hands_on_is_mapped_too() {
    struct Translates;
    impl Fallback for Translates {
        async fn resolve(&self, _failure: Failure, _head: &Head) -> Result<Reply, Failure> {
            Err(RepoError::Missing(7).into())
        }
    }
    let app = app().fallback(Translates);
    let response = answered(app, || Err(std::io::Error::other("x").into())).await;
    assert_eq!(response.status(), 404);
}

#[test]
fn two_mappings_of_one_type_are_a_mistake_that_names_both_places() {
    let told = app().error(meaning).build().unwrap_err().to_string();
    assert!(
        told.contains("an error mapping is registered for `error_mapping::RepoError` already"),
        "{told}"
    );
    assert_eq!(told.matches("error_mapping.rs:").count(), 2, "{told}");
}
