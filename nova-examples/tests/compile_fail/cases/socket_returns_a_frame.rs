use nova_ws::{Connection, Frame, WebSocket};

#[derive(Clone)]
struct Chat;

impl WebSocket for Chat {
    async fn handle(&mut self, frame: Frame, _conn: &mut Connection) -> Frame {
    //~ ERROR resolves to `Outcome`
    //~ NOTE expected `Outcome`
        frame
    }
}

fn main() {}
