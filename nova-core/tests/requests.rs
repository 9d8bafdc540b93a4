//! The code of the book's page on requests, and that it does what the page says.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use nova_core::testing::TestClient;
use nova_core::{App, Error, Reply, Request, Result, json, status};
use serde::{Deserialize, Serialize};
use serde_json::Value;

// ANCHOR: order
#[derive(Deserialize, Serialize)]
struct Order {
    title: String,
    items: Vec<Item>,
}

#[derive(Deserialize, Serialize)]
struct Item {
    count: u32,
    colour: Option<String>,
}

async fn create(mut request: Request) -> Result<Reply> {
    let order: Order = request.json().await?;
    Ok(json(&order))
}
// ANCHOR_END: order

// ANCHOR: search
#[derive(Deserialize)]
struct Search {
    word: String,
    #[serde(default)]
    exact: bool,
    #[serde(default)]
    tags: Vec<String>,
    page: Option<u32>,
}

/// `/search?word=milk&tags=new&tags=cold&exact`
async fn search(request: Request) -> Result<Reply> {
    let search: Search = request.query()?;
    let page = search.page.unwrap_or(1);
    Ok(json(&(search.word, search.exact, search.tags, page)))
}
// ANCHOR_END: search

// ANCHOR: upload
async fn upload(mut request: Request) -> Result<Reply> {
    let mut form = request.multipart()?;
    let (mut title, mut photo) = (String::new(), None);
    while let Some(mut part) = form.next().await? {
        match part.name() {
            "title" => title = part.text().await?,
            "photo" => photo = Some(part.save().await?),
            _ => {}
        }
    }
    let photo = photo.ok_or_else(|| Error::new(422, "a photo is missing"))?;
    let size = photo.size();
    photo.persist(place_of(7)).await?;
    Ok(json(&(title, size)))
}
// ANCHOR_END: upload

fn place_of(id: u32) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("nova-book-{}-{id}.jpg", std::process::id()))
}

// ANCHOR: client
async fn who(request: Request) -> Result<Reply> {
    let ip = request.client_ip().map(|ip| ip.to_string());
    let theme = request.cookie("theme").unwrap_or("light");
    Ok(json(&(ip, request.scheme(), theme)))
}
// ANCHOR_END: client

// ANCHOR: stream
async fn length(mut request: Request) -> Result<Reply> {
    let mut body = request.body_stream()?;
    let mut length = 0;
    while let Some(bytes) = body.next().await? {
        length += bytes.len();
    }
    Ok(status(200).json(&length))
}
// ANCHOR_END: stream

fn client() -> TestClient {
    let app = App::builder()
        .route(("/orders", create))
        .route(("/search", search))
        .route(("/upload", upload))
        .route(("/who", who))
        .route(("/length", length));
    TestClient::new(app.build().unwrap())
}

#[tokio::test]
async fn the_answer_to_a_wrong_order_is_the_one_in_the_book() {
    let order = include_str!("requests/order.json");
    let response = client().post("/orders").body(order).await;

    assert_eq!(response.status(), 422);
    let mut told: Value = response.json();
    told.as_object_mut().unwrap().remove("dev");
    let shown: Value = serde_json::from_str(include_str!("requests/answer.json")).unwrap();
    assert_eq!(told, shown);
}

#[tokio::test]
async fn a_search_is_read_from_the_query() {
    let response = client()
        .get("/search?word=milk&tags=new&tags=cold&exact")
        .await;

    assert_eq!(response.text(), r#"["milk",true,["new","cold"],1]"#);
}

#[tokio::test]
async fn a_photo_is_kept() {
    let body = "--x\r\ncontent-disposition: form-data; name=title\r\n\r\nmilk\r\n\
                --x\r\ncontent-disposition: form-data; name=photo; filename=a.jpg\r\n\r\n123\r\n--x--";
    let client = client();
    let request = client
        .post("/upload")
        .header("content-type", "multipart/form-data; boundary=x");
    let response = request.body(body).await;

    assert_eq!(response.text(), r#"["milk",3]"#);
    let kept = std::fs::read(place_of(7)).unwrap();
    std::fs::remove_file(place_of(7)).unwrap();
    assert_eq!(kept, b"123");
}

#[tokio::test]
async fn the_client_is_known_by_its_address_and_its_cookies() {
    let client = client();
    let request = client.get("/who").peer("192.0.2.1:4711");
    let response = request.header("cookie", "theme=dark").await;
    assert_eq!(response.text(), r#"["192.0.2.1","http","dark"]"#);
}

#[tokio::test]
async fn a_body_is_counted_as_it_arrives() {
    let response = client().post("/length").body("milk").await;

    assert_eq!(response.text(), "4");
}
