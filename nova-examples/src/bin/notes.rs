//! The notes app. Run `cargo run -p nova-examples --bin notes`, then
//! `curl http://127.0.0.1:8080/api/notes`.

use std::process::ExitCode;

use nova_examples::notes;

fn main() -> ExitCode {
    nova_core::run(notes::app)
}
