use nova_core::App;

struct Audit;

fn main() {
    let _ = App::builder().plugin("audit", Audit);
    //~ ERROR `Audit` is no plugin
    //~ NOTE write `impl Plugin for` a struct of yours
}
