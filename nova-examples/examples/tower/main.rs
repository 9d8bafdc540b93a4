//! An app in layers of tower: one limits what comes in, one sends an id back.
//!
//! Run `cargo run -p nova-examples --example tower`, then
//! `curl -i -H 'x-request-id: 7' -d milk http://127.0.0.1:8080/echo`.

use std::process::ExitCode;

use http::HeaderName;
use nova_core::{App, Request, Result, methods};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::propagate_header::PropagateHeaderLayer;

/// No longer body gets as far as the app.
const LONGEST: usize = 1024;

async fn echo(mut request: Request) -> Result<String> {
    let body = request.body().await?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

async fn app() -> Result<App> {
    let id = HeaderName::from_static("x-request-id");
    let app = App::builder()
        .route(("/echo", echo, methods(["post"])))
        .layer(RequestBodyLimitLayer::new(LONGEST))
        // The last one is the outermost: what the other refuses has the id too.
        .layer(PropagateHeaderLayer::new(id));
    Ok(app.build()?)
}

fn main() -> ExitCode {
    nova_core::run(app)
}

#[cfg(test)]
mod tests;
