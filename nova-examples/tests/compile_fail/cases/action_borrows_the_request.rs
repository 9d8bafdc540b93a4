use nova_core::{Reply, Request, controller, status};

struct Notes;

controller!("notes" => Notes { index });
//~                            ^^^^^ ERROR this method of `Notes` is no action
//~ NOTE write `async fn index(&self, request: Request) -> Result<Reply>`

impl Notes {
    async fn index(&self, _request: &Request) -> Reply {
        status(204)
    }
}

fn main() {}
