use std::rc::Rc;

use nova_core::{Reply, Request, controller, status};

struct Notes;

controller!("notes" => Notes { index });
//~ ERROR future cannot be sent between threads safely
//~ NOTE used across an await

impl Notes {
    async fn index(&self, _request: Request) -> Reply {
        let count = Rc::new(7);
        std::future::ready(()).await;
        drop(count);
        status(204)
    }
}

fn main() {}
