//! `GET /hello/{name}` answers, and everybody who is connected to `/greetings` hears of it.

use std::process::ExitCode;

use nova_core::pubsub::Message;
use nova_core::{App, Reply, Request, Result, controller, json};
use nova_ws::{Accept, AppBuilderExt, Connection, Shared, WebSocket};

struct Hello;

controller!("hello" => Hello { greet });

impl Hello {
    async fn greet(&self, request: Request) -> Result<Reply> {
        let name: String = request.binding("name")?;
        request.pubsub().broadcast("greetings", "greeted", &name);
        Ok(json(&format!("Hello, {name}!")))
    }
}

#[derive(Clone)]
struct Greetings;

impl WebSocket for Greetings {
    async fn init(&mut self, _request: &Request, conn: &mut Connection) -> Result<Accept> {
        conn.join("greetings");
        Ok(Accept::Yes)
    }

    fn shared(message: &Message) -> Shared {
        Shared::json(message.payload())
    }
}

async fn app() -> Result<App> {
    let app = App::builder()
        .root(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/hello"))
        .controller(Hello)
        .websocket("greetings", Greetings);
    Ok(app.build()?)
}

fn main() -> ExitCode {
    nova_core::run(app)
}

#[cfg(test)]
mod tests;
