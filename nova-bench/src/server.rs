//! A server that is measured: a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Result;

/// The first one is what the others are compared with.
const NAMES: [&str; 4] = ["hyper", "nova", "axum", "actix-web"];

/// It runs until it is dropped.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    process: Child,
}

impl Server {
    pub(crate) fn start_all() -> Result<Vec<Server>> {
        Server::start_all_within(|_| Vec::new())
    }

    /// The same by another program; `within` gives it and its arguments, which the server's command
    /// line stands behind.
    pub(crate) fn start_all_within(within: impl Fn(&str) -> Vec<String>) -> Result<Vec<Server>> {
        let nova = build_nova()?;
        let start = |&name: &&'static str| {
            let (program, arguments) = match name {
                "nova" => (nova.clone(), vec!["--port", "0", "--workers", "1"]),
                _ => (std::env::current_exe()?, vec!["serve", name]),
            };
            let mut command = match &*within(name) {
                [] => Command::new(program),
                [other, its @ ..] => {
                    let mut command = Command::new(other);
                    command.args(its).arg(program);
                    command
                }
            };
            command.args(arguments);
            Server::start(name, command)
        };
        NAMES.iter().map(start).collect()
    }

    fn start(name: &'static str, mut command: Command) -> Result<Server> {
        let mut process = command.stderr(Stdio::piped()).spawn()?;
        let told = process.stderr.take().expect("it is a pipe");
        let mut line = String::new();
        BufReader::new(told).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.ok_or_else(|| format!("{name} does not start: {line}"))?;
        Ok(Server {
            name,
            address: address.parse()?,
            process,
        })
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// The time for which its threads have had a processor.
    ///
    /// # Errors
    /// There is no `/proc` that tells, as Linux has it.
    pub(crate) fn cpu_time(&self) -> std::io::Result<Duration> {
        let mut nanoseconds = 0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let told = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            let on_cpu = told
                .split(' ')
                .next()
                .and_then(|number| number.parse().ok());
            nanoseconds += on_cpu.unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It fails only if the process has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Builds `bench-http` of nova-examples, and gives the program.
fn build_nova() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = [
        "build",
        "--release",
        "-p",
        "nova-examples",
        "--bin",
        "bench-http",
    ];
    let built = Command::new(cargo)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args(arguments)
        .status()?;
    if !built.success() {
        return Err("`bench-http` of nova-examples does not build".into());
    }
    Ok(std::env::current_exe()?.with_file_name("bench-http"))
}
