//! Forms with files in them, and bodies as streams.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use std::path::PathBuf;

use nova_core::testing::{self, TestClient, TestResponse};
use nova_core::{App, Reply, Request, Result, json};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

const TYPE: &str = "multipart/form-data; boundary=XX";

/// What a part is: its name, its file's name, its type, and its content.
type Seen = (String, Option<String>, Option<String>, String);

/// Tells of each part; those with a file's name are saved, and read from the disk.
async fn tell(mut request: Request) -> Result<Reply> {
    let mut form = request.multipart()?;
    let mut all: Vec<Seen> = Vec::new();
    while let Some(mut part) = form.next().await? {
        let content = match part.file_name() {
            Some(_) => {
                let file = part.save().await?;
                let bytes = tokio::fs::read(file.path()).await?;
                assert_eq!(bytes.len() as u64, file.size());
                bytes.escape_ascii().to_string()
            }
            None => part.text().await?,
        };
        all.push((
            part.name().to_owned(),
            part.file_name().map(str::to_owned),
            part.content_type().map(str::to_owned),
            content,
        ));
    }
    Ok(json(&all))
}

/// Looks at the first part only, and passes over the rest.
async fn names(mut request: Request) -> Result<Reply> {
    let mut form = request.multipart()?;
    let mut names = Vec::new();
    while let Some(part) = form.next().await? {
        names.push(part.name().to_owned());
    }
    assert!(form.next().await?.is_none());
    Ok(json(&names))
}

async fn stream(mut request: Request) -> Result<Reply> {
    let mut body = request.body_stream()?;
    let mut length = 0;
    loop {
        match body.next().await {
            Ok(Some(bytes)) => length += bytes.len(),
            Ok(None) => return Ok(json(&length)),
            Err(error) => {
                let again = body.next().await.unwrap_err();
                assert_eq!(again.to_string(), error.to_string());
                return Err(error);
            }
        }
    }
}

fn client(settings: &str) -> TestClient {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nova.toml");
    std::fs::write(&file, settings).unwrap();
    let app = App::builder()
        .config_file(file)
        .route(("/tell", tell))
        .route(("/names", names))
        .route(("/stream", stream));
    TestClient::new(app.build().unwrap())
}

fn part(head: &str, content: &str) -> String {
    format!("--XX\r\ncontent-disposition: form-data; {head}\r\n\r\n{content}\r\n")
}

async fn send(client: &TestClient, path: &str, body: impl Into<Vec<u8>>) -> TestResponse {
    let request = client.post(path).header("content-type", TYPE);
    request.body(body.into()).await
}

/// The status and what the client is told.
async fn refused(client: &TestClient, path: &str, body: impl Into<Vec<u8>>) -> (u16, String) {
    let response = send(client, path, body).await;
    let problem: Value = response.json();
    let detail = problem["detail"].as_str().unwrap().to_owned();
    (response.status().as_u16(), detail)
}

#[tokio::test]
async fn fields_are_text_and_files_are_saved() {
    let body = [
        part("name=\"title\"", "milk & honey"),
        part(
            "name=\"photo\"; filename=\"a.png\"\r\nContent-Type: image/png",
            "\r\n--X\r\n--\r",
        ),
        part("name=empty", ""),
        "--XX--\r\n".to_owned(),
    ];

    let seen: Value = send(&client(""), "/tell", body.concat()).await.json();

    assert_eq!(
        seen,
        json!([
            ["title", null, null, "milk & honey"],
            ["photo", "a.png", "image/png", r"\r\n--X\r\n--\r"],
            ["empty", null, null, ""],
        ])
    );
}

#[tokio::test]
async fn a_form_may_arrive_byte_by_byte() {
    let body = [
        part("name=title", "milk\r\n"),
        part("name=file; filename=f", "1\r\n2"),
        "--XX--".to_owned(),
    ];
    let chunks: String = body
        .concat()
        .chars()
        .map(|c| format!("1\r\n{c}\r\n"))
        .collect();
    let client = client("");
    let mut raw = client.connect();
    let request = format!(
        "POST /tell HTTP/1.1\r\nhost: x\r\ncontent-type: {TYPE}\r\nconnection: close\r\n\
         transfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
    );
    raw.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    raw.read_to_string(&mut answer).await.unwrap();

    let expected = r#"[["title",null,null,"milk\r\n"],["file","f",null,"1\\r\\n2"]]"#;
    assert!(answer.ends_with(expected), "{answer}");
}

#[tokio::test]
async fn what_is_not_read_is_passed_over_and_the_connection_goes_on() {
    let body = [
        part("name=a", &"a".repeat(300_000)),
        part("name=b", "b"),
        "--XX--\r\nwhat follows counts for nothing".to_owned(),
    ]
    .concat();
    let client = client("");
    let mut raw = client.connect();
    let request = format!(
        "POST /names HTTP/1.1\r\nhost: x\r\ncontent-type: {TYPE}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    raw.write_all(request.as_bytes()).await.unwrap();
    raw.write_all(b"GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answers = String::new();
    raw.read_to_string(&mut answers).await.unwrap();

    assert!(answers.contains(r#"["a","b"]"#), "{answers}");
    assert!(answers.contains("HTTP/1.1 404 "), "{answers}");
}

#[tokio::test]
async fn what_a_file_is_called_is_no_path() {
    for (sent, seen) in [
        ("a.png", Some("a.png")),
        ("../../etc/passwd", Some("passwd")),
        ("/etc/passwd", Some("passwd")),
        (r"C:\fakepath\a.png", Some("a.png")),
        ("..", None),
        (".", None),
        ("a/", None),
        ("", None),
    ] {
        let body = part(&format!("name=f; filename=\"{sent}\""), "x") + "--XX--";
        let request = testing::request("POST", "/").header("content-type", TYPE);
        let mut form = request.body(body).build().multipart().unwrap();
        let part = form.next().await.unwrap().unwrap();
        assert_eq!(part.file_name(), seen, "{sent}");
    }
}

#[tokio::test]
async fn what_is_too_much_is_413() {
    let client = client("[server]\nbody_limit = 1_000_000\n");
    let end = "--XX--";
    for (body, said) in [
        (
            part("name=title", &"a".repeat(64 * 1024 + 1)) + end,
            "the part `title` is longer than 65536 bytes",
        ),
        (
            part("name=a", "").repeat(101) + end,
            "the form has more than 100 parts",
        ),
        (
            part(&format!("name=a\r\nx: {}", "a".repeat(30_000)), "") + end,
            "a part has more than 16384 bytes of headers",
        ),
        (
            "a".repeat(30_000) + end,
            "a part has more than 16384 bytes of headers",
        ),
        (
            part("name=a; filename=b", &"a".repeat(1_000_000)) + end,
            "the body is longer than 1000000 bytes",
        ),
    ] {
        assert_eq!(
            refused(&client, "/tell", body).await,
            (413, said.to_owned())
        );
    }

    let most = part("name=a", &"a".repeat(64 * 1024)) + &part("name=a", "").repeat(99) + end;
    assert_eq!(send(&client, "/tell", most).await.status(), 201);
}

#[tokio::test]
async fn a_long_body_of_unknown_length_is_413_on_the_way() {
    let client = client("[server]\nbody_limit = 100_000\n");
    let content = "a".repeat(150_000);
    for path in ["/tell", "/stream"] {
        let body = part("name=a; filename=b", &content);
        let mut raw = client.connect();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {TYPE}\r\nconnection: close\r\n\
             transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        );
        raw.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        raw.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{path}: {answer}");
    }
}

#[tokio::test]
async fn what_is_malformed_is_400() {
    let client = client("");
    let bad_text = [part("name=a", "x").into_bytes(), b"--XX--".to_vec()].concat();
    let bad_text: Vec<u8> = bad_text
        .iter()
        .map(|byte| if *byte == b'x' { 0xff } else { *byte })
        .collect();
    for body in [
        b"".to_vec(),
        b"milk".to_vec(),
        b"--XX".to_vec(),
        b"--XX--milk"[..4].to_vec(),
        part("name=a", "x").into_bytes(),
        (part("name=a", "x") + "--XX").into_bytes(),
        (part("", "x") + "--XX--").into_bytes(),
        (part("filename=a", "x") + "--XX--").into_bytes(),
        b"--XX\r\n\r\nx\r\n--XX--".to_vec(),
        b"--XX\r\nno header\r\n\r\nx\r\n--XX--".to_vec(),
        b"--XXcontent-disposition: form-data; name=a\r\n\r\nx\r\n--XX--".to_vec(),
        bad_text,
    ] {
        let shown = body.escape_ascii().to_string();
        let (status, detail) = refused(&client, "/tell", body).await;
        assert_eq!(status, 400, "{shown}: {detail}");
    }
}

#[tokio::test]
async fn another_type_is_415_and_one_without_a_boundary_400() {
    let long = format!("multipart/form-data; boundary={}", "a".repeat(71));
    for (content_type, expected) in [
        (Some("application/json"), 415),
        (Some("multipart/mixed; boundary=XX"), 415),
        (Some("multipart"), 415),
        (None, 415),
        (Some("multipart/form-data"), 400),
        (Some("multipart/form-data; boundary=\"\""), 400),
        (Some(&*long), 400),
    ] {
        let request = testing::request("POST", "/");
        let request = match content_type {
            Some(content_type) => request.header("content-type", content_type),
            None => request,
        };
        let error = request.build().multipart().unwrap_err();
        assert_eq!(error.status(), expected, "{content_type:?}: {error}");
    }
    let request =
        testing::request("POST", "/").header("content-type", "Multipart/Form-Data; Boundary=XX");
    request.build().multipart().unwrap();
}

#[tokio::test]
async fn after_an_error_there_are_no_more_parts() {
    let body = part("name=a", &"a".repeat(70_000)) + &part("name=b", "b") + "--XX--";
    let request = testing::request("POST", "/").header("content-type", TYPE);
    let mut form = request.body(body).build().multipart().unwrap();

    let mut first = form.next().await.unwrap().unwrap();
    assert_eq!(first.text().await.unwrap_err().status(), 413);
    assert_eq!(first.chunk().await.unwrap_err().status(), 413);
    assert_eq!(form.next().await.unwrap_err().status(), 413);
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_leaves_no_file() {
    let (paths, mut saved) = mpsc::unbounded_channel::<PathBuf>();
    let app = App::builder().route(("/", move |mut request: Request| {
        let paths = paths.clone();
        async move {
            let mut form = request.multipart()?;
            let first = form.next().await?.unwrap().save().await?;
            paths.send(first.path().to_owned()).unwrap();
            form.next().await?.unwrap().save().await?;
            Ok::<_, nova_core::Error>(json(&()))
        }
    }));
    let client = TestClient::new(app.build().unwrap());
    let mut raw = client.connect();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: {TYPE}\r\ncontent-length: 1000000\r\n\r\n{}{}",
        part("name=a; filename=a", "milk"),
        part("name=b; filename=b", "honey"),
    );
    raw.write_all(request.as_bytes()).await.unwrap();
    let path = saved.recv().await.unwrap();
    assert!(path.exists());

    drop(raw);

    while path.exists() {
        tokio::task::spawn_blocking(|| ()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_form_that_stops_arriving_is_408() {
    let client = client("");
    let mut raw = client.connect();
    let request = format!(
        "POST /names HTTP/1.1\r\nhost: x\r\ncontent-type: {TYPE}\r\nconnection: close\r\n\
         content-length: 1000\r\n\r\n{}",
        part("name=a", "milk")
    );
    raw.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    raw.read_to_string(&mut answer).await.unwrap();

    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn a_body_can_be_streamed_once_or_after_it_was_read() {
    let request = || testing::request("POST", "/").body("milk").build();
    let mut read = request();
    read.body().await.unwrap();
    for _ in 0..2 {
        let mut stream = read.body_stream().unwrap();
        assert_eq!(stream.next().await.unwrap().as_deref(), Some(&b"milk"[..]));
        assert_eq!(stream.next().await.unwrap(), None);
    }

    async fn twice(mut request: Request) -> Result<Reply> {
        request.body_stream()?;
        assert_eq!(request.body_stream().unwrap_err().status(), 500);
        assert_eq!(request.body().await.unwrap_err().status(), 500);
        Ok(json(&()))
    }
    let app = App::builder().route(("/", twice)).build().unwrap();
    let answer = TestClient::new(app).post("/").body("milk").await;
    assert_eq!(answer.status(), 201);
}

#[tokio::test]
async fn a_stream_has_the_limit_of_the_body() {
    let client = client("[server]\nbody_limit = 100\n");
    for (size, expected) in [(0, 201), (100, 201), (101, 413), (100_000, 413)] {
        let response = client.post("/stream").body(vec![b'a'; size]).await;
        assert_eq!(response.status(), expected, "{size} bytes");
    }
}
