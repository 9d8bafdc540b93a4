use nova_core::{App, Reply, Request, status};

async fn index(_request: Request) -> Result<Reply, &'static str> {
    Ok(status(204))
}

fn main() {
    let _ = App::builder().route(("/notes", index));
    //~ ERROR str` is no error
    //~ NOTE make one with `Error::new(422, 
}
