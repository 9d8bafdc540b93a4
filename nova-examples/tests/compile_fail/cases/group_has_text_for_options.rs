use nova_core::Group;

fn main() {
    let _ = Group::new().routes([("/notes", "notes::index", "get")]);
    //~ ERROR `(&str, &str, &str)` is no route
    //~ NOTE a route is `("/path", "controller::action")`
}
