//! Nova beside others, over TCP: requests per second beside bare hyper, axum and actix-web, as ratios; and
//! with `fanout`, messages to all beside what the kernel allows, axum and tungstenite.
//!
//! `cargo run --release -p nova-bench` measures everything, `… -p nova-bench -- json echo` only
//! the cases whose names begin so. With `instructions` before them they are counted instead, by
//! valgrind. Each server is a process of its own with one worker on the first
//! core; the load comes from the second. The servers take turns within each round, so that what
//! disturbs the machine disturbs all of them. What counts is the ratio of the medians.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod answers;
mod cases;
mod fanout;
mod instructions;
mod load;
mod server;
mod servers;
mod table;

use std::error::Error;
use std::time::Duration;

use cases::Case;
use server::Server;
use table::Table;

type Result<T = (), E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

const ROUNDS: usize = 9;
/// How long a server is asked before it is the next one's turn.
const TURN: Duration = Duration::from_millis(500);
/// Before the first round: caches and buffers are filled.
const WARM_UP: Duration = Duration::from_millis(200);

fn main() -> Result {
    let given: Vec<String> = std::env::args().skip(1).collect();
    match given.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        // This program again, as one of the servers.
        ["serve", name] => servers::serve(name),
        ["instructions", ref wanted @ ..] => instructions::count(&cases::named(wanted)),
        ["fanout", ref wanted @ ..] => fanout::compare(wanted),
        ["idle", connections] => fanout::measure_idle(connections.parse()?),
        ref wanted => compare(&cases::named(wanted)),
    }
}

fn compare(cases: &[Case]) -> Result {
    let servers = server::on_first_core(Server::start_all)?;
    for case in cases {
        for server in &servers {
            load::run(server, case, WARM_UP)?;
        }
    }
    let mut table = Table::new(&servers);
    for case in cases {
        for _ in 0..ROUNDS {
            for (index, server) in servers.iter().enumerate() {
                table.add(index, load::run(server, case, TURN)?);
            }
        }
        table.print(case.name);
    }
    Ok(())
}
