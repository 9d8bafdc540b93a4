use http_body_util::{BodyExt, Full};
use nova_core::testing::TestClient;
use tower::ServiceExt;

use super::{LONGEST, app};

async fn client() -> TestClient {
    TestClient::new(app().await.unwrap())
}

#[tokio::test]
async fn the_app_answers_through_its_layers() {
    let client = client().await;
    let response = client.post("/echo").body("milk");
    let response = response.header("x-request-id", "7").await;
    assert_eq!((response.status().as_u16(), response.text()), (200, "milk"));
    assert_eq!(response.header("x-request-id"), Some("7"));
    assert_eq!(response.header("content-length"), Some("4"));
}

#[tokio::test]
async fn a_long_body_is_refused_before_the_app_and_has_the_id_too() {
    let client = client().await;
    let response = client.post("/echo").body(vec![b'x'; LONGEST + 1]);
    let response = response.header("x-request-id", "7").await;
    assert_eq!(response.status(), 413);
    assert_eq!(response.header("x-request-id"), Some("7"));
}

#[tokio::test]
async fn the_app_is_a_service_for_any_tower() {
    let service = app().await.unwrap().into_service().unwrap();
    let request = http::Request::post("/echo").header("x-request-id", "7");
    let request = request.body(Full::from("milk")).unwrap();
    let response = service.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "7");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "milk");
    service.stop().await;
}
