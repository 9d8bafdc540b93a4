use nova_core::App;

fn main() {
    let _ = App::builder().route(("/notes", "notes::index", "get"));
    //~ ERROR `(&str, &str, &str)` is no route
    //~ NOTE `("/path", action, methods(["get"]))`
}
