use nova_core::{App, RequestOptions};

fn main() {
    let _ = App::builder().plugin_with("request", |options: RequestOptions| options);
    //~ ERROR `RequestOptions` is no plugin
    //~ NOTE write `impl Plugin for` a struct of yours
}
