//! axum, as its documentation has it.

use axum::extract::{Path, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};

use crate::Result;
use crate::answers::{GREETING, HELLO, NewNote, Note, RESOURCES, Resource};

pub(super) async fn serve() -> Result {
    let listener = super::listen()?.tap_io(|stream| {
        let _ = stream.set_nodelay(true); // a benchmark that is a little slower, and no answer less
    });
    axum::serve(listener, router()).await?;
    Ok(())
}

fn router() -> Router {
    let mut router = Router::new()
        .route("/plugins", get(async || Json(GREETING)))
        .route_layer(from_fn(nothing))
        .route_layer(from_fn(nothing))
        .route_layer(from_fn(nothing))
        .route_layer(from_fn(nothing))
        .route_layer(from_fn(nothing))
        .route("/json", get(async || Json(GREETING)))
        .route("/plaintext", get(async || HELLO))
        .route("/notes/{id}", get(async |Path(id)| Json(Note { id })))
        .route("/echo", post(async |Json(note): Json<NewNote>| Json(note)));
    for name in RESOURCES {
        let path = format!("/api/v1/{name}");
        let list = async move || Json(Resource::new(name, "list", 0, 0));
        let search = async move || Json(Resource::new(name, "search", 0, 0));
        let one = async move |Path(id)| Json(Resource::new(name, "get", id, 0));
        let items = async move |Path(id)| Json(Resource::new(name, "items", id, 0));
        let item = async move |Path((id, item))| Json(Resource::new(name, "item", id, item));
        router = router
            .route(&path, get(list))
            .route(&format!("{path}/search"), get(search))
            .route(&format!("{path}/{{id}}"), get(one))
            .route(&format!("{path}/{{id}}/items"), get(items))
            .route(&format!("{path}/{{id}}/items/{{item}}"), get(item));
    }
    router
}

async fn nothing(request: Request, next: Next) -> Response {
    next.run(request).await
}
