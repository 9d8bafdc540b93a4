use nova_core::App;

fn main() {
    let _ = App::builder().action("heartbeat", 5);
    //~ ERROR `{integer}` is no action
    //~ NOTE write `async fn index(request: Request) -> Result<Reply>`
}
