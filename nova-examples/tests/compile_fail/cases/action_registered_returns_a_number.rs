use nova_core::App;

fn main() {
    let _ = App::builder().action("heartbeat", |_| async { 7 });
    //~ ERROR `{integer}` is no reply
    //~ NOTE make one with `json(&value)`
}
