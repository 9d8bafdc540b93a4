//! actix-web, as its documentation has it.

use std::net::Ipv4Addr;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{Json, Path, ServiceConfig, get, post, resource};
use actix_web::{App, Error, HttpServer};

use crate::Result;
use crate::answers::{GREETING, HELLO, NewNote, Note, RESOURCES, Resource};

pub(super) fn serve() -> Result {
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(|| App::new().configure(routes))
            .workers(1)
            .backlog(super::BACKLOG)
            .bind((Ipv4Addr::LOCALHOST, 0))?;
        for address in server.addrs() {
            eprintln!("listening on http://{address}");
        }
        server.run().await?;
        Ok(())
    })
}

fn routes(app: &mut ServiceConfig) {
    let plugins = resource("/plugins")
        .route(get().to(async || Json(GREETING)))
        .wrap(from_fn(nothing))
        .wrap(from_fn(nothing))
        .wrap(from_fn(nothing))
        .wrap(from_fn(nothing))
        .wrap(from_fn(nothing));
    app.service(plugins)
        .route("/json", get().to(async || Json(GREETING)))
        .route("/plaintext", get().to(async || HELLO))
        .route("/notes/{id}", get().to(note))
        .route("/echo", post().to(async |note: Json<NewNote>| note));
    for name in RESOURCES {
        let path = format!("/api/v1/{name}");
        let list = async move || Json(Resource::new(name, "list", 0, 0));
        let search = async move || Json(Resource::new(name, "search", 0, 0));
        let one = async move |id: Path<u64>| Json(Resource::new(name, "get", *id, 0));
        let items = async move |id: Path<u64>| Json(Resource::new(name, "items", *id, 0));
        let item = async move |ids: Path<(u64, u64)>| {
            let (id, item) = ids.into_inner();
            Json(Resource::new(name, "item", id, item))
        };
        app.route(&path, get().to(list))
            .route(&format!("{path}/search"), get().to(search))
            .route(&format!("{path}/{{id}}"), get().to(one))
            .route(&format!("{path}/{{id}}/items"), get().to(items))
            .route(&format!("{path}/{{id}}/items/{{item}}"), get().to(item));
    }
}

async fn note(id: Path<u64>) -> Json<Note> {
    Json(Note { id: *id })
}

async fn nothing(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    next.call(request).await
}
