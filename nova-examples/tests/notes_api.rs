//! The HTTP side of the notes app: every row of its table of answers.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

#[macro_use]
mod common;

use nova_core::testing::{TestClient, TestRequest, TestResponse};
use nova_examples::notes::{self, Database};
use serde_json::{Value, json};

use crate::common::TestDatabase;

on_both! {
    #[tokio::test] async fn
        the_heartbeat_is_200_and_empty,
        notes_are_listed_newest_first,
        a_note_is_created_by_json_and_by_a_form,
        a_note_that_lacks_something_or_cannot_be_stored_is_422,
        a_body_that_is_no_json_is_400_and_a_huge_one_413,
        a_note_is_changed_as_a_whole,
        a_deleted_note_is_gone_and_its_id_never_given_again,
        a_note_that_is_not_there_is_404_by_any_method,
        an_id_that_is_no_integer_is_never_a_500,
        the_methods_of_a_path_are_told;
}

async fn client(database: &TestDatabase) -> TestClient {
    let database = Database::new(database.url()).unwrap();
    database.open().await.unwrap();
    TestClient::new(notes::builder(notes::ROOT, &database).build().unwrap())
}

fn note(title: &str) -> Value {
    json!({ "title": title, "body": "B", "author": "ann" })
}

async fn create(client: &TestClient, title: &str) -> Value {
    let response = client.post("/api/notes").json(&note(title)).await;
    assert_eq!(response.status(), 201);
    response.json()
}

async fn assert_answer(request: TestRequest<'_>, status: u16, body: Value) -> TestResponse {
    let response = request.await;
    assert_eq!(response.status(), status);
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.json::<Value>(), body);
    response
}

async fn the_heartbeat_is_200_and_empty(database: TestDatabase) {
    let response = client(&database).await.get("/heartbeat").await;

    assert_eq!(response.status(), 200);
    assert!(response.body().is_empty());
}

async fn notes_are_listed_newest_first(database: TestDatabase) {
    let client = client(&database).await;
    assert_answer(client.get("/api/notes"), 200, json!({ "notes": [] })).await;
    let first = create(&client, "first").await;
    let second = create(&client, "second").await;

    let expected = json!({ "notes": [second, first] });
    assert_answer(client.get("/api/notes"), 200, expected).await;
}

async fn a_note_is_created_by_json_and_by_a_form(database: TestDatabase) {
    let client = client(&database).await;
    let form = [("title", "T"), ("body", "B"), ("author", "ann")];
    for (id, request) in [
        (1, client.post("/api/notes").json(&note("T"))),
        (2, client.post("/api/notes").form(&form)),
    ] {
        let response = request.await;
        assert_eq!(response.status(), 201);
        assert_eq!(
            response.header("location"),
            Some(&*format!("/api/notes/{id}"))
        );
        let created: Value = response.json();
        let inserted_at = created["inserted_at"].as_str().unwrap();
        assert!(
            inserted_at.parse::<jiff::Timestamp>().is_ok(),
            "{inserted_at}"
        );
        let expected = json!({
            "id": id, "title": "T", "body": "B", "author": "ann", "inserted_at": inserted_at,
        });
        assert_eq!(created, expected);
        let location = format!("/api/notes/{id}");
        assert_answer(client.get(&location), 200, created).await;
    }
}

async fn a_note_that_lacks_something_or_cannot_be_stored_is_422(database: TestDatabase) {
    let client = client(&database).await;
    let expected = || json!({ "error": "title, body and author required" });
    for incomplete in [
        json!({ "title": "T", "body": "B" }),
        json!({ "title": 1, "body": "B", "author": "ann" }),
        json!({ "title": null, "body": "B", "author": "ann" }),
        json!({ "title": "", "body": "B", "author": "ann" }),
        json!({ "title": "T", "body": " \n", "author": "ann" }),
        json!({ "title": "T\0", "body": "B", "author": "ann" }),
        json!({ "title": "T", "body": "\0", "author": "ann" }),
        json!({ "title": "T", "body": "B", "author": "a\0nn" }),
        json!([]),
        json!("title"),
    ] {
        assert_answer(client.post("/api/notes").json(&incomplete), 422, expected()).await;
    }
    let form = client.post("/api/notes").form(&[("title", "only")]);
    assert_answer(form, 422, expected()).await;
    assert_answer(client.post("/api/notes").body("title=T"), 422, expected()).await;
    assert_answer(client.post("/api/notes"), 422, expected()).await;
    let list = json!(["T", "B", "ann"]);
    assert_answer(client.post("/api/notes").json(&list), 422, expected()).await;
    assert_answer(client.get("/api/notes"), 200, json!({ "notes": [] })).await;
}

async fn a_body_that_is_no_json_is_400_and_a_huge_one_413(database: TestDatabase) {
    let client = client(&database).await;
    let send = |method: &str, body: Vec<u8>| {
        let path = if method == "PUT" {
            "/api/notes/1"
        } else {
            "/api/notes"
        };
        let request = client.request(method, path);
        request
            .header("content-type", "application/json")
            .body(body)
    };
    let huge = vec![b' '; 2 * 1024 * 1024 + 1];
    for method in ["POST", "PUT"] {
        for malformed in ["{\"title\":", "", "{\"a\":1}}"] {
            let status = send(method, malformed.into()).await.status();
            assert_eq!(status, 400, "{method} {malformed}");
        }
        assert_eq!(send(method, huge.clone()).await.status(), 413, "{method}");
    }
    assert_eq!(client.post("/api/notes").body(huge).await.status(), 413);
}

async fn a_note_is_changed_as_a_whole(database: TestDatabase) {
    let client = client(&database).await;
    let mut note = create(&client, "old").await;
    let change = json!({ "title": "new", "body": "B2", "author": "nobody asks" });
    note["title"] = "new".into();
    note["body"] = "B2".into();

    assert_answer(client.put("/api/notes/1").json(&change), 200, note.clone()).await;
    let error = json!({ "error": "title and body required" });
    for incomplete in [
        vec![("title", "x")],
        vec![("title", "x\0"), ("body", "B")],
        vec![("title", "x"), ("body", "\0")],
    ] {
        let request = client.put("/api/notes/1").form(&incomplete);
        assert_answer(request, 422, error.clone()).await;
    }
    assert_answer(client.get("/api/notes/1"), 200, note).await;
}

async fn a_deleted_note_is_gone_and_its_id_never_given_again(database: TestDatabase) {
    let client = client(&database).await;
    create(&client, "gone").await;

    let response = client.delete("/api/notes/1").await;
    assert_eq!(response.status(), 204);
    assert!(response.body().is_empty());
    assert_eq!(client.get("/api/notes/1").await.status(), 404);
    assert_eq!(create(&client, "next").await["id"], 2);
}

async fn a_note_that_is_not_there_is_404_by_any_method(database: TestDatabase) {
    let client = client(&database).await;
    let expected = || json!({ "error": "note not found" });
    let change = json!({ "title": "T", "body": "B" });

    assert_answer(client.get("/api/notes/99"), 404, expected()).await;
    assert_answer(client.put("/api/notes/99").json(&change), 404, expected()).await;
    assert_answer(client.delete("/api/notes/99"), 404, expected()).await;
}

async fn an_id_that_is_no_integer_is_never_a_500(database: TestDatabase) {
    let client = client(&database).await;
    let change = json!({ "title": "T", "body": "B" });
    for id in [
        "abc",
        "1.5",
        "-",
        "1e3",
        "%20",
        "%00",
        "%ff",
        "%",
        "%zz",
        "null",
        "1;2",
        "'",
        "0x1",
        "9223372036854775808",
        "99999999999999999999999999",
        "-9223372036854775809",
        "..",
    ] {
        let path = format!("/api/notes/{id}");
        for response in [
            client.get(&path).await,
            client.put(&path).json(&change).await,
            client.delete(&path).await,
        ] {
            let status = response.status().as_u16();
            assert!(status == 404 || status == 400, "{id}: {status}");
        }
    }
    for id in ["-1", "0", "9223372036854775807"] {
        assert_eq!(client.get(&format!("/api/notes/{id}")).await.status(), 404);
    }
}

async fn the_methods_of_a_path_are_told(database: TestDatabase) {
    let client = client(&database).await;
    let response = client.request("PATCH", "/api/notes/1").await;
    assert_eq!(response.status(), 405);
    assert_eq!(
        response.header("allow"),
        Some("GET, HEAD, PUT, DELETE, OPTIONS")
    );

    let response = client.request("OPTIONS", "/api/notes").await;
    assert_eq!(response.status(), 204);
    assert_eq!(response.header("allow"), Some("GET, HEAD, POST, OPTIONS"));

    let response = client.request("HEAD", "/api/notes").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.header("content-length"), Some("12"));
}
