use nova_core::{App, Reply, Request, status};

async fn index(_request: &Request) -> Reply {
    status(204)
}

fn main() {
    let _ = App::builder().route(("/notes", index));
    //~ ERROR type mismatch in function arguments
    //~ NOTE `fn(nova_core::Request) -> _`
}
