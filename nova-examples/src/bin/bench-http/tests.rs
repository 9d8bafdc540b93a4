//! What benchmarks count is what was asked for.

use nova_core::testing::TestClient;

use super::{KINDS, RESOURCES, app};

#[tokio::test]
async fn every_route_answers_as_benchmarks_expect_it() {
    let client = TestClient::new(app().unwrap());
    let mut expected = vec![
        (
            "/json".to_owned(),
            r#"{"message":"Hello, World!"}"#.to_owned(),
        ),
        (
            "/plugins".to_owned(),
            r#"{"message":"Hello, World!"}"#.to_owned(),
        ),
        ("/plaintext".to_owned(), "Hello, World!".to_owned()),
        ("/notes/42".to_owned(), r#"{"id":42}"#.to_owned()),
    ];
    for resource in RESOURCES {
        let paths = ["", "/search", "/42", "/42/items", "/42/items/7"];
        let numbers = [(0, 0), (0, 0), (42, 0), (42, 0), (42, 7)];
        for ((kind, path), (id, item)) in KINDS.iter().zip(paths).zip(numbers) {
            let body =
                format!(r#"{{"resource":"{resource}","kind":"{kind}","id":{id},"item":{item}}}"#);
            expected.push((format!("/api/v1/{resource}{path}"), body));
        }
    }

    assert_eq!(expected.len(), 104);
    for (path, body) in expected {
        let response = client.get(&path).await;
        assert_eq!(
            (response.status().as_u16(), response.text()),
            (200, &*body),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_echo_is_what_was_sent() {
    let client = TestClient::new(app().unwrap());
    let note = r#"{"title":"Milk","body":"Two bottles","author":"ann"}"#;
    let request = client.post("/echo").body(note);
    let response = request.header("content-type", "application/json").await;

    assert_eq!((response.status().as_u16(), response.text()), (200, note));
}
