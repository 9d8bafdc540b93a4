//! A server that is measured: a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
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
        build("bench-http")?;
        let start = |&name: &&'static str| {
            let command = match name {
                "nova" => nova("bench-http")?,
                _ => this_program(name)?,
            };
            let command = match &*within(name) {
                [] => command,
                [other, its @ ..] => {
                    let mut within = Command::new(other);
                    within.args(its).arg(command.get_program());
                    within.args(command.get_args());
                    within
                }
            };
            Server::start(name, command)
        };
        NAMES.iter().map(start).collect()
    }

    /// Starts a server that says where it listens.
    pub(crate) fn start(name: &'static str, mut command: Command) -> Result<Server> {
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

    /// What of its memory is not the kernel's.
    ///
    /// # Errors
    /// There is no `/proc` that tells, as Linux has it.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        let told = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        kib_of(&told, "VmRSS:").ok_or_else(|| "a process does not tell its memory".into())
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

/// The bytes that a line of `/proc` has in KiB.
pub(crate) fn kib_of(told: &str, name: &str) -> Option<u64> {
    let line = told.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

/// A program of nova-examples that [was built](build), with one worker.
pub(crate) fn nova(program: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?.with_file_name(program));
    command.args(["--port", "0", "--workers", "1"]);
    Ok(command)
}

/// This program again, as a server.
pub(crate) fn this_program(server: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["serve", server]);
    Ok(command)
}

/// Builds a program of nova-examples.
pub(crate) fn build(program: &str) -> Result {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["build", "--release", "-p", "nova-examples", "--bin"];
    let built = Command::new(cargo)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args(arguments)
        .arg(program)
        .status()?;
    match built.success() {
        true => Ok(()),
        false => Err(format!("`{program}` of nova-examples does not build").into()),
    }
}

/// Starts servers on the first core, and leaves the second to the caller.
pub(crate) fn on_first_core<T>(start: impl FnOnce() -> Result<T>) -> Result<T> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    // A process has the core of the thread that starts it.
    if let [first, _, ..] = cores[..] {
        core_affinity::set_for_current(first);
    }
    let started = start();
    if let [_, second, ..] = cores[..] {
        core_affinity::set_for_current(second);
    }
    started
}
