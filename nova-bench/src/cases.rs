//! What is asked for.

use crate::answers::RESOURCES;

/// Requests of one kind, ready to be sent.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Each connection sends them over and over again.
    pub(crate) requests: Vec<Vec<u8>>,
    /// How many are under way on a connection at once.
    pub(crate) pipelined: usize,
}

/// Those whose names begin with one of these; all, if there are none.
pub(crate) fn named(wanted: &[&str]) -> Vec<Case> {
    let is_wanted = |case: &Case| wanted.iter().any(|name| case.name.starts_with(name));
    let cases = all().into_iter();
    cases
        .filter(|case| wanted.is_empty() || is_wanted(case))
        .collect()
}

fn all() -> Vec<Case> {
    let one = |name, path| Case {
        name,
        requests: vec![get(path)],
        pipelined: 1,
    };
    vec![
        one("json", "/json"),
        // Nova's plugins, axum's and actix-web's middlewares; hyper has none.
        one("five plugins", "/plugins"),
        one("plaintext", "/plaintext"),
        one("note id", "/notes/42"),
        Case {
            name: "echo (POST)",
            requests: vec![echo()],
            pipelined: 1,
        },
        Case {
            name: "100 routes",
            requests: hundred_routes(),
            pipelined: 1,
        },
        Case {
            name: "16 json, pipelined",
            requests: vec![get("/json").repeat(16)],
            pipelined: 16,
        },
    ]
}

fn get(path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nuser-agent: nova-bench\r\naccept: */*\r\n\r\n"
    )
    .into_bytes()
}

fn echo() -> Vec<u8> {
    let note = r#"{"title":"Milk","body":"Two bottles, and bread if there is any","author":"ann"}"#;
    format!(
        "POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{note}",
        note.len()
    )
    .into_bytes()
}

/// In an order in which neighbours have little in common.
fn hundred_routes() -> Vec<Vec<u8>> {
    let paths = ["", "/search", "/42", "/42/items", "/42/items/7"];
    let all: Vec<Vec<u8>> = RESOURCES
        .iter()
        .flat_map(|resource| paths.map(|path| get(&format!("/api/v1/{resource}{path}"))))
        .collect();
    (0..all.len())
        .map(|n| all[n * 37 % all.len()].clone())
        .collect()
}
