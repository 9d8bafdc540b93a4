use nova_ws::WebSocket;

struct Chat;

impl WebSocket for Chat {}
//~ ERROR `Chat: Clone`
//~ NOTE `#[derive(Clone)]`

fn main() {}
