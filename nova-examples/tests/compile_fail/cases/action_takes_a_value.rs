use nova_core::{Reply, controller, status};

struct Notes;

controller!("notes" => Notes { show });
//~                            ^^^^ ERROR this method of `Notes` is no action
//~ NOTE write `async fn index(&self, request: Request) -> Result<Reply>`

impl Notes {
    async fn show(&self, _id: i64) -> Reply {
        status(204)
    }
}

fn main() {}
