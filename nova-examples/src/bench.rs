//! What the programs that benchmarks ask have in common: arguments, a runtime and a listener.

use std::net::Ipv4Addr;
use std::process::ExitCode;

use nova_core::{App, Result};
use tokio::net::{TcpListener, TcpSocket};

/// A burst of connections is not dropped.
const BACKLOG: u32 = 4096;

/// Serves `app` as the arguments of the program say, `--port N [--workers N]`, and tells on the standard
/// error where it listens.
pub fn serve(program: &str, app: impl FnOnce() -> Result<App>) -> ExitCode {
    let given = std::env::args().skip(1);
    let ended = arguments(program, given).and_then(|(port, workers)| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        if let Some(workers) = workers {
            runtime.worker_threads(workers);
        }
        let runtime = runtime.enable_all().build();
        let runtime = runtime.map_err(|error| format!("the runtime does not start: {error}"))?;
        let app = app().map_err(|error| error.to_string())?;
        runtime.block_on(until_interrupted(app, port))
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The port, and how many threads serve; `None` for as many as there are processors.
fn arguments(
    program: &str,
    mut given: impl Iterator<Item = String>,
) -> Result<(u16, Option<usize>), String> {
    let usage = format!("usage: {program} --port N [--workers N]");
    let (mut port, mut workers) = (None, None);
    while let Some(name) = given.next() {
        let value = given.next();
        let value = value.ok_or_else(|| format!("`{name}` has no value\n{usage}"))?;
        let wrong = |error: &dyn std::fmt::Display| format!("`{name} {value}`: {error}\n{usage}");
        match name.as_str() {
            "--port" => port = Some(value.parse().map_err(|error| wrong(&error))?),
            "--workers" => match value.parse() {
                Ok(0) => return Err(wrong(&"it takes one at least")),
                Ok(count) => workers = Some(count),
                Err(error) => return Err(wrong(&error)),
            },
            _ => return Err(format!("there is no `{name}`\n{usage}")),
        }
    }
    match port {
        Some(port) => Ok((port, workers)),
        None => Err(usage),
    }
}

async fn until_interrupted(app: App, port: u16) -> Result<(), String> {
    let listener = listen(port).map_err(|error| format!("cannot listen on {port}: {error}"))?;
    if let Ok(address) = listener.local_addr() {
        eprintln!("listening on http://{address}");
    }
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    app.serve(listener, stop)
        .await
        .map_err(|error| error.to_string())
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use super::arguments;

    #[test]
    fn arguments_are_a_port_and_perhaps_workers() {
        let given = |line: &str| arguments("bench", line.split_whitespace().map(str::to_owned));

        assert_eq!(given("--port 0"), Ok((0, None)));
        assert_eq!(given("--workers 2 --port 8080"), Ok((8080, Some(2))));
        for wrong in [
            "",
            "--port",
            "--port x",
            "--port 70000",
            "--workers 0 --port 1",
            "--prot 1",
        ] {
            assert!(given(wrong).is_err(), "{wrong}");
        }
    }
}
