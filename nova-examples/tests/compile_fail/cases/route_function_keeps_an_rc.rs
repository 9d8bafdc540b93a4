use std::rc::Rc;

use nova_core::{App, Reply, Request, status};

async fn index(_request: Request) -> Reply {
    let count = Rc::new(7);
    std::future::ready(()).await;
    drop(count);
    status(204)
}

fn main() {
    let _ = App::builder().route(("/notes", index));
    //~ ERROR future cannot be sent between threads safely
    //~ NOTE used across an await
}
