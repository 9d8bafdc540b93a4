use nova_core::{App, status};

fn main() {
    let _ = App::builder().action("heartbeat", status(200));
    //~ ERROR `Reply` is no action
    //~ NOTE write `async fn index(request: Request) -> Result<Reply>`
}
