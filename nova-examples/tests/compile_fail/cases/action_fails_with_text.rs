use nova_core::{Reply, Request, controller, status};

struct Notes;

controller!("notes" => Notes { index });
//~                            ^^^^^ ERROR `String` is no error
//~ NOTE make one with `Error::new(422, 

impl Notes {
    async fn index(&self, _request: Request) -> Result<Reply, String> {
        Ok(status(204))
    }
}

fn main() {}
