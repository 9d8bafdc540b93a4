use nova_core::App;

struct Notes;

fn main() {
    let _ = App::builder().controller(Notes);
    //~ ERROR `Notes` is no controller
    //~ NOTE list its actions: `controller!("name" => Notes { index, show });`
}
