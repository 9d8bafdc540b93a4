//! Fan-out: what a client says goes to all clients, in servers that are measured beside a ceiling.
//!
//! The ceiling only writes prebuilt frames, one call of the kernel for each client, so nothing that goes
//! through the same calls can be faster. Each turn is a fresh process on the first core, the clients
//! are on the second; the servers take turns within each round.

mod crowd;
mod frames;
mod idle;
mod table;

use std::thread::sleep;
use std::time::Duration;

use crate::Result;
use crate::server::{self, Server};
use crowd::{Crowd, Pace};
use table::{Figures, Table};

pub(crate) use frames::Frames;
pub(crate) use idle::measure as measure_idle;

/// How the crowds of a turn are asked.
const FEW: usize = 1_000;
const MANY: usize = 10_000;
const FLOOD: Duration = Duration::from_secs(1);
/// Before each flood.
const WARM_UP: Duration = Duration::from_millis(300);
/// Ten messages a second, for so many of them.
const STEADY: Pace = Pace::Steady {
    interval: Duration::from_millis(100),
    count: 30,
};
/// How long a server is left alone before its memory is looked at.
const REST: Duration = Duration::from_millis(500);
const ROUNDS: usize = 5;

/// A server to be measured, and where in it.
struct Contender {
    name: &'static str,
    /// In `servers`; `None` for Nova.
    server: Option<&'static str>,
    path: &'static str,
}

const fn contender(
    name: &'static str,
    server: Option<&'static str>,
    path: &'static str,
) -> Contender {
    Contender { name, server, path }
}

/// The first two are what the others are compared with.
const CONTENDERS: [Contender; 6] = [
    contender("ceiling", Some("ceiling"), "/"),
    contender("ceiling, batched", Some("ceiling-batched"), "/"),
    contender("nova", None, "/ws"),
    contender("nova, info", None, "/ws/info"),
    contender("axum, chat", Some("axum-chat"), "/"),
    contender("tungstenite", Some("tungstenite"), "/"),
];

impl Contender {
    fn start(&self) -> Result<Server> {
        match self.server {
            Some(server) => Server::start(self.name, server::this_program(server)?),
            None => Server::start(self.name, server::nova("bench-ws")?),
        }
    }

    /// Those whose names begin with one of these; all, if there are none. The ceilings are always there.
    fn named(wanted: &[&str]) -> Vec<&'static Contender> {
        let is_wanted = |contender: &&Contender| {
            let mut names = wanted.iter();
            contender.name.starts_with("ceiling")
                || wanted.is_empty()
                || names.any(|name| contender.name.starts_with(name))
        };
        CONTENDERS.iter().filter(is_wanted).collect()
    }
}

/// Measures, and prints the table. Of `given`, a number is the number of rounds, and the rest are names.
pub(crate) fn compare(given: &[&str]) -> Result {
    let (numbers, names): (Vec<&str>, Vec<&str>) =
        given.iter().partition(|word| word.parse::<usize>().is_ok());
    let rounds = numbers
        .first()
        .map_or(Ok(ROUNDS), |number| number.parse())?;
    crowd::raise_descriptors()?;
    server::build("bench-ws")?;
    let contenders = Contender::named(&names);
    let mut table = Table::new(contenders.iter().map(|contender| contender.name));
    for round in 1..=rounds {
        for (row, contender) in contenders.iter().enumerate() {
            eprintln!("round {round} of {rounds}: {}", contender.name);
            table.add(row, measure(contender)?);
        }
    }
    table.print();
    Ok(())
}

fn measure(contender: &Contender) -> Result<Figures> {
    let mut figures = Figures::default();

    let server = server::on_first_core(|| contender.start())?;
    let before = server.resident_bytes()?;
    let (mut many, connected_in) = Crowd::connect(&server, contender.path, MANY)?;
    figures.connect = connected_in.as_secs_f64();
    sleep(REST);
    let grown = server.resident_bytes()?.saturating_sub(before);
    figures.idle_kib = grown as f64 / 1024.0 / MANY as f64;
    figures.many_one = flood(&server, &mut many, 1)?;
    figures.many_eight = flood(&server, &mut many, 8)?;
    drop((many, server));

    let server = server::on_first_core(|| contender.start())?;
    let (mut few, _) = Crowd::connect(&server, contender.path, FEW)?;
    figures.few_one = flood(&server, &mut few, 1)?;
    figures.few_eight = flood(&server, &mut few, 8)?;
    let mut delays = few.talk(STEADY)?.delays;
    delays.sort_unstable();
    let percentile = |part: usize| delays[(delays.len() - 1) * part / 100].as_secs_f64() * 1e3;
    (figures.p50, figures.p99) = (percentile(50), percentile(99));
    Ok(figures)
}

/// Deliveries in a second, and seconds of the server's processor for a million of them.
fn flood(server: &Server, crowd: &mut Crowd, in_flight: usize) -> Result<table::Flood> {
    let pace = |time| Pace::Flood { in_flight, time };
    crowd.talk(pace(WARM_UP))?;
    let before = server.cpu_time()?;
    let told = crowd.talk(pace(FLOOD))?;
    let cpu = server.cpu_time()?.saturating_sub(before);
    let (deliveries, seconds) = (told.deliveries as f64, told.time.as_secs_f64());
    Ok(table::Flood {
        per_second: deliveries / seconds,
        cpu: cpu.as_secs_f64() * 1e6 / deliveries,
        busy: cpu.as_secs_f64() / seconds,
    })
}
