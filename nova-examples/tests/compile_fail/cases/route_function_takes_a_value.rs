use nova_core::{App, Reply, status};

async fn show(_id: i64) -> Reply {
    status(204)
}

fn main() {
    let _ = App::builder().route(("/notes/{id}", show));
    //~ ERROR type mismatch in function arguments
    //~ NOTE `fn(nova_core::Request) -> _`
}
