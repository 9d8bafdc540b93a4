use nova_core::{Access, App, Request};

async fn session(_request: &mut Request) -> Access {
    Access::Granted
}

fn main() {
    let _ = App::builder().security("session", session);
    //~ ERROR is no security function
    //~ NOTE write `impl Security for` a struct of yours
}
