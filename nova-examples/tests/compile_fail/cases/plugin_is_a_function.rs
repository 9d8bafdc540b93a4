use nova_core::{App, Flow, Request};

async fn audit(_request: &mut Request) -> Flow {
    Flow::Continue
}

fn main() {
    let _ = App::builder().plugin("audit", audit);
    //~ ERROR is no plugin
    //~ NOTE write `impl Plugin for` a struct of yours
}
