use nova_core::App;
use nova_ws::AppBuilderExt;

#[derive(Clone)]
struct Chat;

fn main() {
    let _ = App::builder().websocket("chat", Chat);
    //~ ERROR `Chat` is no WebSocket handler
    //~ NOTE implement `nova_ws::WebSocket` for it
}
