use nova_core::{App, Reply, Request, status};

fn index(_request: Request) -> Reply {
    status(204)
}

fn main() {
    let _ = App::builder().route(("/notes", index));
    //~ ERROR is no action
    //~ NOTE write `async fn index(request: Request) -> Result<Reply>`
}
