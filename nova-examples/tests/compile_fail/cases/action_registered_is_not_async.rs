use nova_core::{App, status};

fn main() {
    let _ = App::builder().action("heartbeat", |_| status(200));
    //~ ERROR is no action
    //~ NOTE the closure `|request: Request| async move { … }`
}
