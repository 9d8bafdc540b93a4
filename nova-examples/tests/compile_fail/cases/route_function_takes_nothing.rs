use nova_core::{App, Reply, status};

async fn index() -> Reply {
    status(204)
}

fn main() {
    let _ = App::builder().route(("/notes", index));
    //~ ERROR expected to take 1 argument, but it takes 0
    //~ NOTE takes 0 arguments
}
