use std::rc::Rc;

use nova_core::{Reply, Request, controller, status};

struct Notes {
    _repo: Rc<u64>,
}

controller!("notes" => Notes { index });
//~ ERROR `Rc<u64>` cannot be s
//~ NOTE appears within the type `Notes`
//~ MORE

impl Notes {
    async fn index(&self, _request: Request) -> Reply {
        status(204)
    }
}

fn main() {}
