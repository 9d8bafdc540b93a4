use nova_core::App;

fn main() {
    let _ = App::builder().route("/notes");
    //~ ERROR `&str` is no route
    //~ NOTE a route is `("/path", "controller::action")`
}
