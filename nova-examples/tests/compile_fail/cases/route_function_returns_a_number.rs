use nova_core::{App, Request};

async fn index(_request: Request) -> u32 {
    7
}

fn main() {
    let _ = App::builder().route(("/notes", index));
    //~ ERROR `u32` is no reply
    //~ NOTE make one with `json(&value)`
}
