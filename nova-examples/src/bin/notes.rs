//! The notes app. Run `cargo run -p nova-examples --bin notes`, then open <http://127.0.0.1:8080>
//! in two windows.

use std::process::ExitCode;

use nova_examples::notes;

fn main() -> ExitCode {
    nova_core::run(notes::app)
}
