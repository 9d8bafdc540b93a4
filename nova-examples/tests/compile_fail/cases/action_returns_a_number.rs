use nova_core::{Request, controller};

struct Notes;

controller!("notes" => Notes { index });
//~                            ^^^^^ ERROR `u32` is no reply
//~ NOTE make one with `json(&value)`

impl Notes {
    async fn index(&self, _request: Request) -> u32 {
        7
    }
}

fn main() {}
