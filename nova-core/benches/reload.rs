//! How long it takes to read and check a router file of a thousand routes and to swap the table.
//!
//! `cargo bench -p nova-core --bench reload`

use std::fmt::Write;
use std::time::{Duration, Instant};

use nova_core::{App, text};

const ROUTES: usize = 1_000;
const ROUNDS: usize = 51;

/// Routes as an API has them: half with a binding, in groups of twenty.
fn router(action: &str) -> String {
    let mut file = String::new();
    for group in 0..ROUTES / 20 {
        let _ = writeln!(file, "[[group]]\nprefix = \"/api/v{group}\"\nroutes = [");
        for route in 0..10 {
            let _ = writeln!(
                file,
                "    [\"/r{route}\", \"{action}\", {{ methods = [\"get\"] }}],\n    \
                 [\"/r{route}/{{id}}\", \"{action}\", {{ methods = [\"get\"] }}],"
            );
        }
        let _ = writeln!(file, "]");
    }
    file
}

fn main() {
    let folder = tempfile::tempdir().expect("there is room");
    let file = folder.path().join("router.toml");
    std::fs::write(&file, router("one")).expect("there is room");
    let app = App::builder()
        .action("one", |_| async { text("one") })
        .action("two", |_| async { text("two") })
        .router_file(&file)
        .build()
        .unwrap_or_else(|errors| panic!("{errors}"));
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|round| {
            let action = if round % 2 == 0 { "two" } else { "one" };
            std::fs::write(&file, router(action)).expect("there is room");
            let begun = Instant::now();
            let changes = app
                .router()
                .reload()
                .unwrap_or_else(|errors| panic!("{errors}"));
            let took = begun.elapsed();
            assert_eq!(changes.changed.len(), ROUTES);
            took
        })
        .collect();
    times.sort();
    let ms = |time: &Duration| time.as_secs_f64() * 1_000.0;
    eprintln!(
        "reload of {ROUTES} routes, all changed: median {:.1} ms, slowest of {ROUNDS} {:.1} ms",
        ms(&times[ROUNDS / 2]),
        ms(&times[ROUNDS - 1]),
    );
}
