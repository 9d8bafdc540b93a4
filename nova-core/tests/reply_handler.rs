//! Replies of an app's own types.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::sync::Arc;

use nova_core::testing::TestClient;
use nova_core::{
    App, AppBuilder, Environment, Error, Head, IntoReply, Reply, Request, Result, bytes, json,
    status, value,
};

struct Xml(&'static str);

/// So that an action can return it as it is.
impl IntoReply for Xml {
    fn into_reply(self) -> Result<Reply> {
        Ok(value(self))
    }
}

async fn xml(xml: Xml, head: Arc<Head>) -> Result<Reply> {
    match xml.0 {
        "" => Err(Error::new(422, "there is nothing to say")),
        "panic" => panic!("no such element"),
        text => Ok(bytes(format!("<{} path='{}'/>", text, head.path()))
            .content_type("application/xml")
            .header("x-handler", "xml")
            .cookie(("seen", "xml"))),
    }
}

async fn answered<R: IntoReply + 'static>(
    app: AppBuilder,
    answer: fn() -> R,
) -> nova_core::testing::TestResponse {
    let app = app.route(("/feed", move |_: Request| {
        let reply = answer().into_reply();
        async { reply }
    }));
    TestClient::new(app.build().unwrap()).get("/feed").await
}

#[tokio::test]
async fn a_value_is_rendered_by_the_handler_of_its_type() {
    let response = answered(App::builder().reply_handler(xml), || Xml("feed")).await;

    assert_eq!(response.status(), 200);
    assert_eq!(response.header("content-type"), Some("application/xml"));
    assert_eq!(response.text(), "<feed path='/feed'/>");
}

#[tokio::test]
async fn the_status_and_headers_of_the_controller_win_over_those_of_the_handler() {
    let answer = || {
        value(Xml("feed"))
            .with_status(203)
            .content_type("application/atom+xml")
            .cookie(("theme", "dark"))
    };
    let response = answered(App::builder().reply_handler(xml), answer).await;

    assert_eq!(response.status(), 203);
    assert_eq!(
        response.header("content-type"),
        Some("application/atom+xml")
    );
    assert_eq!(response.header("x-handler"), Some("xml"));
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
}

#[tokio::test]
async fn the_status_of_a_handler_wins_over_the_one_that_a_page_would_have() {
    let gone = |_: Xml, _: Arc<Head>| async { status(410).text("gone") };
    let app = App::builder()
        .reply_handler(gone)
        .route((404, |_: Request| async { Xml("feed") }));
    let response = TestClient::new(app.build().unwrap()).get("/nothing").await;

    assert_eq!(response.status(), 410);
    let app = App::builder()
        .reply_handler(xml)
        .route((404, |_: Request| async { Xml("feed") }));
    let response = TestClient::new(app.build().unwrap()).get("/nothing").await;

    assert_eq!(response.status(), 404);
    assert_eq!(response.text(), "<feed path='/nothing'/>");
}

#[tokio::test]
async fn what_nobody_renders_is_a_500() {
    let app = App::builder().environment(Environment::Prod);
    let response = answered(app, || Xml("feed")).await;
    assert_eq!(response.status(), 500);
    assert!(!response.text().contains("Xml"), "{}", response.text());
}

#[tokio::test]
async fn an_error_of_a_handler_is_the_answer_and_a_panic_a_500() {
    let app = || App::builder().reply_handler(xml);
    assert_eq!(answered(app(), || Xml("")).await.status(), 422);
    assert_eq!(answered(app(), || Xml("panic")).await.status(), 500);
}

#[tokio::test]
async fn a_handler_that_answers_with_a_value_again_is_a_500() {
    struct Again;
    let app = App::builder()
        .reply_handler(xml)
        .reply_handler(|_: Again, _| async { value(Again) });
    assert_eq!(answered(app, || value(Again)).await.status(), 500);
}

#[tokio::test]
async fn handlers_are_told_apart_by_the_type() {
    struct Number(u32);
    let app = App::builder()
        .reply_handler(xml)
        .reply_handler(|number: Number, _| async move { json(&number.0) });
    let response = answered(app, || value(Number(7))).await;
    assert_eq!(response.text(), "7");
}

#[test]
fn a_test_finds_the_value_in_the_reply() {
    let reply = value(Xml("feed")).with_status(203);
    assert_eq!(reply.downcast_ref::<Xml>().unwrap().0, "feed");
    assert!(reply.downcast_ref::<String>().is_none());
    assert!(json(&1).downcast_ref::<Xml>().is_none());
}

#[test]
fn two_handlers_for_one_type_are_a_mistake_that_names_both_places() {
    let app = App::builder().reply_handler(xml).reply_handler(xml);
    let told = app.build().unwrap_err().to_string();

    assert!(
        told.contains("a reply handler is registered for `reply_handler::Xml` already"),
        "{told}"
    );
    assert_eq!(told.matches("reply_handler.rs:").count(), 2, "{told}");
}
