use nova_core::App;
use nova_ws::AppBuilderExt;

#[derive(Clone)]
struct News;

fn main() {
    let _ = App::builder().event_source("news", News);
    //~ ERROR `News` is no source of events
    //~ NOTE implement `nova_ws::sse::EventSource` for it
}
