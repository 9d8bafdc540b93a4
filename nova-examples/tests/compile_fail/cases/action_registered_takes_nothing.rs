use nova_core::{App, status};

fn main() {
    let _ = App::builder().action("heartbeat", || async { status(200) });
    //~ ERROR expected to take 1 argument, but it takes 0
    //~ NOTE takes 0 arguments
}
