use nova_core::{Reply, Request, controller, status};

struct Notes {
    asked: u64,
}

controller!("notes" => Notes { index });
//~                            ^^^^^ ERROR this method of `Notes` is no action
//~ NOTE write `async fn index(&self, request: Request) -> Result<Reply>`

impl Notes {
    async fn index(&mut self, _request: Request) -> Reply {
        self.asked += 1;
        status(204)
    }
}

fn main() {}
