use nova_core::{Reply, Request, controller, status};

struct Notes;

controller!("notes" => Notes { indx });
//~                            ^^^^ ERROR `indx`
//~ NOTE `index`

impl Notes {
    async fn index(&self, _request: Request) -> Reply {
        status(204)
    }
}

fn main() {}
