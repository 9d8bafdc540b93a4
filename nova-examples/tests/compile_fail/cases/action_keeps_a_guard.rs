use std::sync::Mutex;

use nova_core::{Reply, Request, controller, status};

struct Notes {
    titles: Mutex<Vec<String>>,
}

controller!("notes" => Notes { index });
//~ ERROR future cannot be sent between threads safely
//~ NOTE used across an await

impl Notes {
    async fn index(&self, _request: Request) -> Reply {
        let mut titles = self.titles.lock().unwrap();
        std::future::ready(()).await;
        titles.push("milk".to_owned());
        status(204)
    }
}

fn main() {}
