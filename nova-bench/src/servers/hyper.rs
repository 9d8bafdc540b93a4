//! Bare hyper, with a match written by hand: what nothing on top of it can beat.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Serialize;

use crate::Result;
use crate::answers::{GREETING, HELLO, NewNote, Note, RESOURCES, Resource};

type Answer = Response<Full<Bytes>>;

pub(super) async fn serve() -> Result {
    let listener = super::listen()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = http1::Builder::new()
            .pipeline_flush(true)
            .serve_connection(TokioIo::new(stream), service_fn(answer));
        tokio::spawn(connection);
    }
}

async fn answer(request: Request<Incoming>) -> Result<Answer, Infallible> {
    let mut segments = request.uri().path()[1..].split('/');
    let answer = match (request.method(), segments.next().unwrap_or_default()) {
        (&Method::GET, "json" | "plugins") => json(&GREETING),
        (&Method::GET, "plaintext") => found("text/plain; charset=utf-8", HELLO.into()),
        (&Method::GET, "notes") => match number(segments.next()) {
            Some(id) => json(&Note { id }),
            None => missing(),
        },
        (&Method::GET, "api") => resource(segments).map_or_else(missing, |found| json(&found)),
        (&Method::POST, "echo") => echo(request).await,
        _ => missing(),
    };
    Ok(answer)
}

fn resource<'p>(mut segments: impl Iterator<Item = &'p str>) -> Option<Resource> {
    let version = segments.next()?;
    let name = segments.next()?;
    let name = RESOURCES.iter().find(|resource| **resource == name)?;
    let rest = [segments.next(), segments.next(), segments.next()];
    let answer = match rest {
        _ if version != "v1" || segments.next().is_some() => return None,
        [None, ..] => Resource::new(name, "list", 0, 0),
        [Some("search"), None, _] => Resource::new(name, "search", 0, 0),
        [id, None, _] => Resource::new(name, "get", number(id)?, 0),
        [id, Some("items"), None] => Resource::new(name, "items", number(id)?, 0),
        [id, Some("items"), item] => Resource::new(name, "item", number(id)?, number(item)?),
        _ => return None,
    };
    Some(answer)
}

async fn echo(request: Request<Incoming>) -> Answer {
    let Ok(body) = request.into_body().collect().await else {
        return status(StatusCode::BAD_REQUEST);
    };
    match serde_json::from_slice::<NewNote>(&body.to_bytes()) {
        Ok(note) => json(&note),
        Err(_) => status(StatusCode::UNPROCESSABLE_ENTITY),
    }
}

fn number(segment: Option<&str>) -> Option<u64> {
    segment?.parse().ok()
}

fn json(value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(json) => found("application/json", json.into()),
        Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn found(content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    let content_type = HeaderValue::from_static(content_type);
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}

fn missing() -> Answer {
    status(StatusCode::NOT_FOUND)
}

fn status(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}
