//! The figures.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

/// What a turn gave.
#[derive(Default, Clone, Copy)]
pub(crate) struct Figures {
    /// 1,000 clients, one message in flight, and so on.
    pub(crate) few_one: Flood,
    pub(crate) few_eight: Flood,
    pub(crate) many_one: Flood,
    pub(crate) many_eight: Flood,
    /// Milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) idle_kib: f64,
    /// Seconds.
    pub(crate) connect: f64,
}

#[derive(Default, Clone, Copy)]
pub(crate) struct Flood {
    /// Deliveries.
    pub(crate) per_second: f64,
    /// Seconds of the server's for a million deliveries.
    pub(crate) cpu: f64,
    /// The share of the time that the server was at work.
    pub(crate) busy: f64,
}

/// The turns of each server.
pub(crate) struct Table(Vec<(&'static str, Vec<Figures>)>);

impl Table {
    pub(crate) fn new(names: impl Iterator<Item = &'static str>) -> Self {
        Table(names.map(|name| (name, Vec::new())).collect())
    }

    pub(crate) fn add(&mut self, row: usize, figures: Figures) {
        self.0[row].1.push(figures);
    }

    /// Prints medians: absolute, then as the issue has them, shares of the ceilings.
    pub(crate) fn print(&self) {
        let floods: [(&str, fn(&Figures) -> Flood); 4] = [
            ("1,000 W=1", |all| all.few_one),
            ("1,000 W=8", |all| all.few_eight),
            ("10,000 W=1", |all| all.many_one),
            ("10,000 W=8", |all| all.many_eight),
        ];
        print!("{:<18}", "k/s, CPU s/M, busy");
        for (name, _) in floods {
            print!("{name:>20}");
        }
        println!("{:>8}{:>8}{:>8}{:>9}", "p50 ms", "p99 ms", "KiB", "connect");
        for (name, turns) in &self.0 {
            print!("{name:<18}");
            for (_, flood) in floods {
                print!(
                    "{:>9.0}{:>6.2}{:>5.2}",
                    median(turns, |all| flood(all).per_second / 1e3),
                    median(turns, |all| flood(all).cpu),
                    median(turns, |all| flood(all).busy),
                );
            }
            println!(
                "{:>8.2}{:>8.2}{:>8.2}{:>9.2}",
                median(turns, |all| all.p50),
                median(turns, |all| all.p99),
                median(turns, |all| all.idle_kib),
                median(turns, |all| all.connect),
            );
        }
        let [(_, each), (_, batched), ..] = &self.0[..] else {
            return;
        };
        // A ratio is taken within each round, where both had the same machine, and then the median.
        println!("\nshares of the ceiling: one send each for W=1, batched for W=8");
        for (name, turns) in &self.0 {
            print!("{name:<18}");
            for ((_, flood), ceiling) in floods.iter().zip([each, batched, each, batched]) {
                let shares = turns.iter().zip(ceiling);
                let shares: Vec<f64> = shares
                    .map(|(all, ceiling)| flood(all).per_second / flood(ceiling).per_second)
                    .collect();
                print!("{:>20.3}", middle(shares));
            }
            println!();
        }
    }
}

fn median(turns: &[Figures], figure: impl Fn(&Figures) -> f64) -> f64 {
    middle(turns.iter().map(figure).collect())
}

/// Not a number where there are none.
fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
