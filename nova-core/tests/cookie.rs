//! Cookies that answers set.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::cookie::{Cookie, SameSite, time::Duration};
use nova_core::testing::{TestClient, TestResponse};
use nova_core::{
    App, Flow, Group, Head, Plugin, Reply, Request, Response, ResponseExt, Result, json, redirect,
    status,
};

async fn answered(answer: fn() -> Reply) -> TestResponse {
    let app = App::builder().route(("/", move |_: Request| async move { answer() }));
    TestClient::new(app.build().unwrap()).get("/").await
}

fn cookies(response: &TestResponse) -> Vec<&str> {
    let cookies = response.headers().get_all("set-cookie").iter();
    cookies.map(|cookie| cookie.to_str().unwrap()).collect()
}

#[tokio::test]
async fn a_cookie_is_for_the_whole_site_and_neither_for_scripts_nor_for_other_sites() {
    let response = answered(|| json(&1).cookie(("theme", "dark"))).await;

    assert_eq!(
        cookies(&response),
        ["theme=dark; HttpOnly; SameSite=Lax; Path=/"]
    );
}

#[tokio::test]
async fn what_a_cookie_says_itself_stays() {
    let response = answered(|| {
        status(204)
            .cookie(
                Cookie::build(("a", "1"))
                    .http_only(false)
                    .same_site(SameSite::Strict)
                    .path("/admin")
                    .secure(true)
                    .max_age(Duration::hours(1)),
            )
            .cookie(Cookie::build(("b", "\"2\"")).same_site(SameSite::None))
    })
    .await;

    assert_eq!(
        cookies(&response),
        [
            "a=1; SameSite=Strict; Secure; Path=/admin; Max-Age=3600",
            "b=\"2\"; HttpOnly; SameSite=None; Secure; Path=/",
        ]
    );
}

#[tokio::test]
async fn a_cookie_is_taken_away_by_its_name_or_with_its_path() {
    let response = answered(|| {
        redirect("/")
            .remove_cookie("theme")
            .remove_cookie(Cookie::build("filter").path("/admin"))
    })
    .await;

    let cookies = cookies(&response);
    assert_eq!(cookies.len(), 2);
    for (cookie, (name, path)) in cookies.iter().zip([("theme", "/"), ("filter", "/admin")]) {
        let cookie = Cookie::parse(*cookie).unwrap();
        assert_eq!((cookie.name(), cookie.value()), (name, ""));
        assert_eq!(cookie.path(), Some(path));
        assert_eq!(cookie.max_age(), Some(Duration::ZERO));
        assert!(cookie.expires_datetime().is_some());
    }
}

#[tokio::test]
async fn a_cookie_that_would_be_another_one_is_a_500() {
    for (name, value) in [
        ("a", "b; Domain=evil.example"),
        ("a", "b\r\nset-cookie: c=d"),
        ("a", "two words"),
        ("a", "hé"),
        ("a", "\"b"),
        ("a=b", "c"),
        ("a; b", "c"),
        ("", "c"),
    ] {
        let answer = move |_: Request| async move { status(200).cookie((name, value)) };
        let app = App::builder().route(("/", answer)).build().unwrap();
        let response = TestClient::new(app).get("/").await;
        assert_eq!(response.status(), 500, "{name}={value}");
        assert!(cookies(&response).is_empty(), "{name}={value}");
    }
    let path = || status(200).cookie(Cookie::build(("a", "b")).path("/; Domain=evil.example"));
    assert_eq!(answered(path).await.status(), 500);
    let named = || status(200).remove_cookie("a=b");
    assert_eq!(answered(named).await.status(), 500);
}

struct Visited(&'static str);

impl Plugin for Visited {
    async fn post_request(&self, _head: &Head, response: &mut Response) -> Result<Flow> {
        response.set_cookie(("visited", self.0))?;
        response.remove_cookie("invited")?;
        Ok(Flow::Continue)
    }
}

#[tokio::test]
async fn a_plugin_sets_cookies_beside_those_of_the_reply_and_of_the_session() {
    async fn answer(request: Request) -> Result<Reply> {
        request.session().insert("user", "ann").await?;
        Ok(json(&1).cookie(("theme", "dark")))
    }
    let group = Group::new()
        .plugin("visited", Visited("yes"))
        .route(("/", answer));
    let client = TestClient::new(App::builder().group(group).build().unwrap());
    let response = client.get("/").await;

    let names: Vec<_> = cookies(&response)
        .iter()
        .filter_map(|cookie| Some(cookie.split_once('=')?.0))
        .collect();
    assert_eq!(names, ["theme", "visited", "invited", "session_id"]);
}

#[tokio::test]
async fn a_cookie_of_a_plugin_that_would_be_another_one_is_a_500() {
    let group = Group::new()
        .plugin("visited", Visited("a; b"))
        .route(("/", |_: Request| async { status(200) }));
    let client = TestClient::new(App::builder().group(group).build().unwrap());

    assert_eq!(client.get("/").await.status(), 500);
}
