//! The figures.

use crate::load::Turn;
use crate::server::Server;

/// Collects the turns of one case, and prints their medians.
pub(crate) struct Table {
    turns: Vec<Vec<Turn>>,
}

impl Table {
    pub(crate) fn new(servers: &[Server]) -> Self {
        print!("{:<20}", "");
        for server in servers {
            print!("{:>25}", server.name);
        }
        println!(
            "\n{:<20}{}",
            "",
            format!("{:>25}", "req/s  ratio  µs cpu").repeat(servers.len())
        );
        Table {
            turns: vec![Vec::new(); servers.len()],
        }
    }

    pub(crate) fn add(&mut self, server: usize, turn: Turn) {
        self.turns[server].push(turn);
    }

    /// Prints a row and forgets its turns.
    pub(crate) fn print(&mut self, case: &str) {
        print!("{case:<20}");
        let mut first = None;
        for turns in &mut self.turns {
            let speed = median(turns.iter().map(|turn| turn.requests_per_second));
            let cpu = median(turns.drain(..).filter_map(|turn| turn.cpu_per_request));
            let ratio = speed / *first.get_or_insert(speed);
            print!("{speed:>11.0} {ratio:>6.2} {cpu:>6.2}");
        }
        println!();
    }
}

/// Not a number where there are none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
